import { type Clock, LONGEST_TIMEOUT, type TimerHandle } from "../core/clock.ts";
import { Heap } from "./heap.ts";

/**
 * Longest wait on one timer of the machine, in milliseconds. Its timers stand still while it sleeps, and know nothing of a
 * clock that is set: whoever waits for a moment looks at the clock this often.
 */
const LONGEST_WAIT = 60_000;

/** Longest wait on one timer of a clock, in milliseconds. Virtual timers keep to their clock, however long they are. */
export function longestWait(clock: Clock): number {
  // Not instanceof: the emulator has a copy of the class of its own.
  return "advanceTo" in clock ? LONGEST_TIMEOUT : LONGEST_WAIT;
}

/**
 * Holds things until their moment, with one timer for all of them: that of the first. After the machine slept, or its
 * clock was set, it rings a minute late at most.
 */
export class Alarm<T> {
  readonly #clock: Clock;
  readonly #ring: (item: T) => void;
  readonly #waiting = new Heap<T>();
  #timer: TimerHandle | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** @param ring called with each thing when its moment has come, never before. */
  constructor(clock: Clock, ring: (item: T) => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Holds a thing until a moment, in milliseconds since the epoch. */
  set(moment: number, item: T): void {
    this.#waiting.push(moment, item);
    this.#arm();
  }

  /** What is held, in no particular order. */
  items(): readonly T[] {
    return this.#waiting.items;
  }

  /** Lets go of what fails a condition. */
  retain(condition: (item: T) => boolean): void {
    this.#waiting.retain(condition);
    if (this.#timerAt === Number.NEGATIVE_INFINITY) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#arm();
  }

  /** Rings no more. What was held is still there to be seen. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timerAt = Number.NEGATIVE_INFINITY;
  }

  #arm(): void {
    const first = this.#waiting.peekKey ?? Number.POSITIVE_INFINITY;
    if (first >= this.#timerAt) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timerAt = first;
    const wait = Math.min(first - this.#clock.now(), longestWait(this.#clock));
    this.#timer = this.#clock.setTimeout(() => this.#due(), wait);
  }

  #due(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    while ((this.#waiting.peekKey ?? Number.POSITIVE_INFINITY) <= now) this.#ring(this.#waiting.pop() as T);
    this.#arm();
  }
}
