import type { Consumer } from "./pubsub-entry.ts";

/** Those who take messages from a backlog, and are woken in turn when there are any. */
export class Consumers {
  readonly #hasMessages: () => boolean;
  readonly #consumers = new Set<Consumer>();
  #isWaking = false;

  /** @param hasMessages tells whether there is anything to take. */
  constructor(hasMessages: () => boolean) {
    this.#hasMessages = hasMessages;
  }

  add(consumer: Consumer): void {
    this.#consumers.add(consumer);
    this.wakeSoon();
  }

  delete(consumer: Consumer): void {
    this.#consumers.delete(consumer);
  }

  clear(): void {
    this.#consumers.clear();
  }

  /** Wakes them once in the next turn of the event loop, as long as there are messages. */
  wakeSoon(): void {
    if (this.#isWaking || this.#consumers.size === 0) return;
    this.#isWaking = true;
    setImmediate(() => this.#wake());
  }

  #wake(): void {
    this.#isWaking = false;
    for (const consumer of [...this.#consumers]) {
      if (!this.#hasMessages()) return;
      // The next time others come first.
      this.#consumers.delete(consumer);
      this.#consumers.add(consumer);
      consumer.wake();
    }
  }
}
