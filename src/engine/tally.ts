import type { Message } from "./message.ts";

/** Counts what is under way in an engine, and tells those who wait until there is nothing. */
export class Tally {
  #unfinished = 0;
  #waiting: (() => void)[] = [];
  readonly #ended: (message: Message) => void;

  /** @param ended called with each message that was counted out. */
  constructor(ended: (message: Message) => void = () => {}) {
    this.#ended = ended;
  }

  /** Messages that are not finished: waiting, delayed or in flight. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** Counts a message in. */
  begin({ lane, scheduledFor }: Message): void {
    this.#unfinished += 1;
    if (scheduledFor !== undefined) lane.ticks += 1;
  }

  /** Counts a message out. */
  end(message: Message): void {
    this.#unfinished -= 1;
    if (message.scheduledFor !== undefined) message.lane.ticks -= 1;
    this.#ended(message);
    if (this.#unfinished > 0) return;
    for (const resolve of this.#waiting) resolve();
    this.#waiting = [];
  }

  /** Resolves once nothing is unfinished. */
  whenIdle(): Promise<void> {
    if (this.#unfinished === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
