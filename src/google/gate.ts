/** Lets so many in at once; whoever else comes waits, in order. */
export class Gate {
  readonly #size: number;
  #inside = 0;
  #waiting: (() => void)[] = [];
  /** Where in the list the next one stands: taking it from the front would move all the others. */
  #next = 0;
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
    const next = this.#waiting[this.#next];
    if (next === undefined) {
      this.#waiting = [];
      this.#next = 0;
      this.#inside -= 1;
      if (this.#inside === 0) this.#emptied?.resolve();
      return;
    }
    this.#next += 1;
    next();
  }

  /** Resolves once nobody is inside or waits. */
  empty(): Promise<void> {
    if (this.#inside === 0) return Promise.resolve();
    this.#emptied ??= Promise.withResolvers();
    return this.#emptied.promise;
  }
}
