import type { ActiveRun } from "./active-run.ts";
import { type Clock, LONGEST_TIMEOUT, type TimerHandle } from "./clock.ts";

/**
 * The runs under way, and one timer for all their deadlines: a timer for each would cost the push path more than decoding
 * a message. The timer is not moved when a run ends before its time, and keeps no process alive.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #runs = new Set<ActiveRun>();
  #timer: TimerHandle | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#runs.size;
  }

  [Symbol.iterator](): IterableIterator<ActiveRun> {
    return this.#runs.values();
  }

  /** Watches a run until it is removed. */
  add(run: ActiveRun): void {
    this.#runs.add(run);
    if (run.nextAt < this.#timerAt) this.#arm(run.nextAt);
  }

  /** `false` when the run was not under way any more. */
  delete(run: ActiveRun): boolean {
    return this.#runs.delete(run);
  }

  /** Stops the timer: nothing will be added any more, and what still runs is left to itself. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #arm(moment: number): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timerAt = moment;
    const wait = Math.min(moment - this.#clock.now(), LONGEST_TIMEOUT);
    this.#timer = this.#clock.setTimeout(() => this.#sweep(), wait, { keepAlive: false });
  }

  #sweep(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const run of this.#runs) {
      while (run.nextAt <= now) run.pass();
      next = Math.min(next, run.nextAt);
    }
    if (next < this.#timerAt) this.#arm(next);
  }
}
