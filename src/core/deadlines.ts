import type { ActiveRun } from "./active-run.ts";
import { type Clock, LONGEST_TIMEOUT, type TimerHandle } from "./clock.ts";

/**
 * The runs under way, and one timer for all their deadlines: a timer for each would cost the push path more than decoding
 * a message. The timer is not moved when a run ends before its time, and keeps no process alive.
 */
export class Deadlines {
  readonly #clock: Clock;
  /** The first and the last of a list through the runs themselves: a `Set` is rehashed when it goes between empty and one. */
  #first: ActiveRun | undefined;
  #last: ActiveRun | undefined;
  #size = 0;
  #timer: TimerHandle | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#size;
  }

  /** The runs that are under way now; what is done with one may end others. */
  [Symbol.iterator](): IterableIterator<ActiveRun> {
    const runs: ActiveRun[] = [];
    for (let run = this.#first; run !== undefined; run = run.next) runs.push(run);
    return runs.values();
  }

  /** Watches a run until it is removed; once only. */
  add(run: ActiveRun): void {
    run.listed = true;
    run.previous = this.#last;
    if (this.#last === undefined) this.#first = run;
    else this.#last.next = run;
    this.#last = run;
    this.#size += 1;
    if (run.nextAt < this.#timerAt) this.#arm(run.nextAt);
  }

  /** `false` when the run was not under way any more. */
  delete(run: ActiveRun): boolean {
    if (!run.listed) return false;
    run.listed = false;
    if (run.previous === undefined) this.#first = run.next;
    else run.previous.next = run.next;
    if (run.next === undefined) this.#last = run.previous;
    else run.next.previous = run.previous;
    // One that never ends must not hold on to those that came after it.
    run.previous = undefined;
    run.next = undefined;
    this.#size -= 1;
    return true;
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
    for (const run of this) {
      while (run.listed && run.nextAt <= now) run.pass();
      if (run.listed) next = Math.min(next, run.nextAt);
    }
    if (next < this.#timerAt) this.#arm(next);
  }
}
