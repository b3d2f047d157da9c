/** A binary heap: the smallest element first, by a number that each element is added with; equal ones in order of arrival. */
export class Heap<T> {
  readonly #keys: number[] = [];
  readonly #order: number[] = [];
  readonly #items: T[] = [];
  #added = 0;

  get size(): number {
    return this.#items.length;
  }

  /** Every element, in no particular order. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Key of the smallest element. */
  get peekKey(): number | undefined {
    return this.#keys[0];
  }

  push(key: number, item: T): void {
    this.#keys.push(key);
    this.#order.push(this.#added++);
    this.#items.push(item);
    this.#up(this.#items.length - 1);
  }

  /** Takes the smallest element out. */
  pop(): T | undefined {
    const last = this.#items.length - 1;
    if (last < 0) return undefined;
    this.#swap(0, last);
    const item = this.#items.pop();
    this.#keys.pop();
    this.#order.pop();
    this.#down(0);
    return item;
  }

  /** How many elements satisfy a condition. */
  count(condition: (item: T) => boolean): number {
    return this.#items.reduce((sum, item) => (condition(item) ? sum + 1 : sum), 0);
  }

  /** Takes out, in no particular order, every element that fails a condition. */
  retain(condition: (item: T) => boolean): void {
    const kept = this.#items
      .map((item, index) => ({ key: this.#keys[index] as number, order: this.#order[index] as number, item }))
      .filter(({ item }) => condition(item));
    kept.sort((a, b) => a.key - b.key || a.order - b.order);
    this.#keys.length = this.#order.length = this.#items.length = 0;
    // A sorted list is a heap.
    for (const { key, order, item } of kept) {
      this.#keys.push(key);
      this.#order.push(order);
      this.#items.push(item);
    }
  }

  #up(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#before(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #down(start: number): void {
    let index = start;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= this.#items.length) return;
      const child = left + 1 < this.#items.length && this.#before(left + 1, left) ? left + 1 : left;
      if (!this.#before(child, index)) return;
      this.#swap(index, child);
      index = child;
    }
  }

  #before(a: number, b: number): boolean {
    const keyA = this.#keys[a] as number;
    const keyB = this.#keys[b] as number;
    return keyA < keyB || (keyA === keyB && (this.#order[a] as number) < (this.#order[b] as number));
  }

  #swap(a: number, b: number): void {
    swap(this.#keys, a, b);
    swap(this.#order, a, b);
    swap(this.#items, a, b);
  }
}

function swap<T>(list: T[], a: number, b: number): void {
  const held = list[a] as T;
  list[a] = list[b] as T;
  list[b] = held;
}
