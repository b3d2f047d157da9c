import type { ActiveRun } from "./active-run.ts";
import type { Clock } from "./clock.ts";
import { Deadlines } from "./deadlines.ts";

/** What is under way: deliveries, from the door to their answer, and runs, which may outlast theirs. */
export class Ongoing {
  readonly runs: Deadlines;
  readonly #clock: Clock;
  #deliveries = 0;
  #idle: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.runs = new Deadlines(clock);
  }

  /** A delivery begins. */
  enter(): void {
    this.#deliveries += 1;
  }

  /** A delivery has come to its answer. */
  leave(): void {
    this.#deliveries -= 1;
    this.#tell();
  }

  /** A run has ended or is abandoned; `false` when it was not under way any more. */
  end(run: ActiveRun): boolean {
    const ended = this.runs.delete(run);
    if (ended) this.#tell();
    return ended;
  }

  get #isIdle(): boolean {
    return this.#deliveries === 0 && this.runs.size === 0;
  }

  #tell(): void {
    if (this.#isIdle) this.#idle?.();
  }

  /** Whether nothing is under way, now or within `ms` milliseconds. */
  idleWithin(ms: number): boolean | Promise<boolean> {
    if (this.#isIdle) return true;
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => resolve(false), ms);
      this.#idle = () => {
        this.#clock.clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
