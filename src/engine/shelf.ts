import type { Clock } from "../core/clock.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Line } from "./line.ts";
import type { Message } from "./message.ts";

/** Keeps messages until somebody asks for one of them: nothing is delivered by itself. For tests that go step by step. */
export class Shelf implements Line {
  readonly #clock: Clock;
  readonly #start: Dispatcher["start"];
  readonly #messages = new Set<Message>();

  /** @param start begins the delivery of a message. */
  constructor(clock: Clock, start: Dispatcher["start"]) {
    this.#clock = clock;
    this.#start = start;
  }

  place(message: Message): void {
    this.#messages.add(message);
  }

  resume(): void {}

  take(message: Message): boolean {
    return this.#messages.delete(message);
  }

  forget(message: Message): void {
    this.#messages.delete(message);
  }

  /** In the order in which they fall due; those of one moment as they came. */
  waiting(): Message[] {
    return [...this.#messages].filter(({ isFinished }) => !isFinished).sort((a, b) => a.due - b.due);
  }

  /**
   * Delivers a message now, whatever the limits of its route, and resolves to what that came to once it has been dealt
   * with; to `undefined` when it does not wait here, is not due yet, or was put behind others.
   */
  async deliver(message: Message): Promise<Outcome | undefined> {
    if (message.due > this.#clock.now() || !this.#messages.delete(message)) return undefined;
    return this.#start(message);
  }

  close(): void {}
}
