import type { Clock, TimerHandle } from "../../src/core/clock.ts";

/** A clock for which every wait is over as soon as nothing else is left to do; it tells how long was waited. */
export class HastyClock implements Clock {
  #now = Date.parse("2026-01-01T00:00:00Z");
  #handles = 0;
  readonly #timers = new Map<number, { readonly at: number; readonly callback: () => void }>();
  /** Every wait that was asked for, in milliseconds. */
  readonly waits: number[] = [];

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, ms: number): TimerHandle {
    const handle = ++this.#handles;
    this.waits.push(ms);
    this.#timers.set(handle, { at: this.#now + ms, callback });
    setImmediate(() => this.#fireNext());
    return handle;
  }

  clearTimeout(handle: TimerHandle | undefined): void {
    if (typeof handle === "number") this.#timers.delete(handle);
  }

  #fireNext(): void {
    const [first] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at);
    if (first === undefined) return;
    const [handle, { at, callback }] = first;
    this.#timers.delete(handle);
    this.#now = Math.max(this.#now, at);
    callback();
  }
}
