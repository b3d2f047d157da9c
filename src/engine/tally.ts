import type { Lanes } from "./lanes.ts";
import type { Message } from "./message.ts";

/** Counts what is under way in an engine, and tells those who wait until there is nothing. */
export class Tally {
  readonly #lanes: Lanes;
  #unfinished = 0;
  #waitingForIdle: (() => void)[] = [];
  #waitingForQuiet: (() => void)[] = [];

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
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
  end({ lane, scheduledFor }: Message): void {
    this.#unfinished -= 1;
    if (scheduledFor !== undefined) lane.ticks -= 1;
  }

  /** Tells those who wait for what has come about. */
  look(): void {
    if (this.#lanes.taken === 0) this.#waitingForQuiet = released(this.#waitingForQuiet);
    if (this.#unfinished === 0) this.#waitingForIdle = released(this.#waitingForIdle);
  }

  /** Resolves once nothing is unfinished. */
  whenIdle(): Promise<void> {
    if (this.#unfinished === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForIdle.push(resolve));
  }

  /** Resolves once nothing is in flight. */
  whenQuiet(): Promise<void> {
    if (this.#lanes.taken === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForQuiet.push(resolve));
  }
}

/** Resolves those who wait, and leaves nobody waiting. */
function released(waiting: (() => void)[]): (() => void)[] {
  if (waiting.length === 0) return waiting;
  for (const resolve of waiting) resolve();
  return [];
}
