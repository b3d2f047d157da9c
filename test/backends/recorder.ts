import type { EnqueuedEvent, FinishedEvent, Hooks, StartedEvent } from "../../src/core/events.ts";

/** What the hooks of a client report, and a signal for it. */
export class Recorder {
  readonly enqueued: EnqueuedEvent[] = [];
  readonly started: StartedEvent[] = [];
  readonly finished: FinishedEvent[] = [];
  /** All of them in order, as `kind taskId`. */
  readonly order: string[] = [];
  #changed = Promise.withResolvers<void>();

  readonly hooks: Hooks = {
    enqueued: (event) => this.#record("enqueued", this.enqueued, event),
    started: (event) => this.#record("started", this.started, event),
    finished: (event) => this.#record("finished", this.finished, event),
  };

  #record<E extends { readonly taskId: string }>(kind: string, into: E[], event: E): void {
    into.push(event);
    this.order.push(`${kind} ${event.taskId}`);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Resolves once so many runs have come to an outcome, of this type if one is given. */
  async outcomes(count: number, type?: FinishedEvent["outcome"]["type"]): Promise<readonly FinishedEvent[]> {
    for (;;) {
      const seen = this.finished.filter(({ outcome }) => type === undefined || outcome.type === type);
      if (seen.length >= count) return seen;
      await this.#changed.promise;
    }
  }
}
