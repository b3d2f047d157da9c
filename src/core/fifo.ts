/** How many taken places are left at the front before the list is moved up; keeps the cost of taking flat. */
const COMPACT_AT = 1024;

/** A queue: first in, first out, at the same cost however long it is. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The one that is taken next. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  /** What it holds, first to last. */
  *[Symbol.iterator](): Generator<T> {
    for (let index = this.#head; index < this.#items.length; index++) yield this.#items[index] as T;
  }

  /** Takes out every element that fails a condition. */
  retain(condition: (item: T) => boolean): void {
    this.#items = [...this].filter(condition);
    this.#head = 0;
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
