import type { Clock } from "../core/clock.ts";

const MINUTE_MS = 60_000;

/**
 * At most so many calls in any minute, as quotas count: the first ones go at once, and when the minute's are used up the
 * next waits until the oldest is a minute old.
 */
export class RateLimit {
  readonly #perMinute: number;
  readonly #clock: Clock;
  /** When each of the latest `perMinute` calls began, the oldest at `#next`. */
  readonly #begun: number[] = [];
  #next = 0;

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute;
    this.#clock = clock;
  }

  /** Takes a turn. Returns the milliseconds until it; 0 for now. */
  take(): number {
    const now = this.#clock.now();
    const oldest = this.#begun[this.#next];
    const begins = oldest === undefined ? now : Math.max(now, oldest + MINUTE_MS);
    this.#begun[this.#next] = begins;
    this.#next = (this.#next + 1) % this.#perMinute;
    return begins - now;
  }
}
