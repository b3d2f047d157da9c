/** A task queue as the benchmark uses it: one kind of task that does nothing, in a process of its own. */
export interface Rival {
  /** Enqueues that many tasks by the call that the library has for many; resolves when the queue has them. */
  enqueueMany(count: number): Promise<void>;
  /** Enqueues one task; resolves when the queue has it. */
  enqueue(): Promise<void>;
  /** Sets the workers to work, 50 tasks at once; resolves when they wait for tasks. */
  work(): Promise<void>;
  /** Resolves when that many tasks, counted from this call, have run and the queue has recorded it. */
  finished(count: number): Promise<void>;
  /** Stops the workers and throws away what is queued. */
  rest(): Promise<void>;
  /** Gives everything back: nothing of the benchmark stays behind. */
  close(): Promise<void>;
}

/** Tasks under way at once. */
export const CONCURRENCY = 50;

/** Payloads of that many tasks. */
export function payloads(count: number): { readonly index: number }[] {
  return Array.from({ length: count }, (_, index) => ({ index }));
}

/** Counts tasks down to the end of a batch. */
export class Countdown {
  #left = 0;
  #end: () => void = () => {};

  /** Resolves after that many calls of {@link tick}. */
  from(count: number): Promise<void> {
    this.#left = count;
    return new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** @param count tasks that have just finished. */
  tick(count = 1): void {
    this.#left -= count;
    if (this.#left === 0) this.#end();
  }
}
