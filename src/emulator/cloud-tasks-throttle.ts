import type { Clock, TimerHandle } from "../core/clock.ts";

/** The first hold of a queue, in milliseconds; each further one is twice as long. */
const FIRST_HOLD_MS = 100;
/** Longest hold of a queue, in milliseconds, whatever its workers ask for. */
const LONGEST_HOLD_MS = 60_000;
const MOST_DOUBLINGS = 10;

/**
 * Slows a whole queue down whose worker answers 429 or 503, as Cloud Tasks does; how much it does is not documented. Here
 * nothing more is dispatched for 100 ms after the first such answer, doubling up to a minute with each round of them, or for
 * as long as `Retry-After` asks, up to a minute; an answer that is neither ends it.
 */
export class QueueThrottle {
  readonly #clock: Clock;
  readonly #released: () => void;
  #rounds = 0;
  #heldUntil = Number.NEGATIVE_INFINITY;
  #timer: TimerHandle | undefined;

  /** @param released called when the queue may go on. */
  constructor(clock: Clock, released: () => void) {
    this.#clock = clock;
    this.#released = released;
  }

  /** Whether nothing may be dispatched now. */
  get isHeld(): boolean {
    return this.#clock.now() < this.#heldUntil;
  }

  /** Rounds of refusals in a row; to be kept from before a dispatch, since those under way together make one round. */
  get rounds(): number {
    return this.#rounds;
  }

  /** Takes notice of an answer. */
  note(status: number | undefined, retryAfter: number | undefined, roundsBefore: number): void {
    if (status !== 429 && status !== 503) {
      if (status !== undefined) this.#rounds = 0;
      return;
    }
    this.#rounds = Math.max(this.#rounds, roundsBefore + 1);
    const hold = FIRST_HOLD_MS * 2 ** Math.min(this.#rounds - 1, MOST_DOUBLINGS);
    const wait = Math.min(Math.max(hold, (retryAfter ?? 0) * 1000), LONGEST_HOLD_MS);
    this.#heldUntil = Math.max(this.#heldUntil, this.#clock.now() + wait);
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(this.#released, this.#heldUntil - this.#clock.now());
  }

  /** Leaves no timer. */
  close(): void {
    this.#clock.clearTimeout(this.#timer);
  }
}
