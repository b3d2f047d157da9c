import { Fifo } from "../core/fifo.ts";

/** Lets so many in at once; whoever else comes waits, in order. */
export class Gate {
  readonly #size: number;
  #inside = 0;
  readonly #waiting: Fifo<() => void> = new Fifo();
  #emptied: PromiseWithResolvers<void> | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  /** Does some work inside, and settles as it does. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#size) this.#inside += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** The place of one who leaves is taken by the one who has waited longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#inside -= 1;
    if (this.#inside > 0) return;
    this.#emptied?.resolve();
    this.#emptied = undefined;
  }

  /** Resolves once nobody is inside or waits. */
  empty(): Promise<void> {
    if (this.#inside === 0) return Promise.resolve();
    this.#emptied ??= Promise.withResolvers();
    return this.#emptied.promise;
  }
}
