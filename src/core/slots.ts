import type { Clock, TimerHandle } from "./clock.ts";

/** The longest that a delivery waits for a slot before it is answered with 429. Pub/Sub keeps the push open meanwhile. */
const LONGEST_WAIT_MS = 10_000;

interface Waiter {
  take(slot: boolean): void;
  timer: TimerHandle | undefined;
}

/** Bounds how many runs of one route are under way in this process. First come, first served. */
export class Slots {
  #free: number;
  readonly #clock: Clock;
  readonly #wait: number;
  readonly #waiters = new Set<Waiter>();

  /** @param ackDeadlineMs of the route: no more than half of it is spent waiting, so that the run has the rest. */
  constructor(size: number, clock: Clock, ackDeadlineMs: number) {
    this.#free = size;
    this.#clock = clock;
    this.#wait = Math.min(LONGEST_WAIT_MS, ackDeadlineMs / 2);
  }

  /** Takes a slot: at once when one is free, else within 10 s or half the deadline; `false` when none came free. */
  acquire(): boolean | Promise<boolean> {
    if (this.#free > 0) {
      this.#free -= 1;
      return true;
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        timer: undefined,
        take: (slot) => {
          this.#clock.clearTimeout(waiter.timer);
          this.#waiters.delete(waiter);
          resolve(slot);
        },
      };
      waiter.timer = this.#clock.setTimeout(() => waiter.take(false), this.#wait);
      this.#waiters.add(waiter);
    });
  }

  /** Gives a slot back, to the delivery that has waited longest if there is one. */
  release(): void {
    const next = this.#waiters.values().next();
    if (next.done) this.#free += 1;
    else next.value.take(true);
  }

  /** Sends away everybody who waits: no slot will come. */
  dismiss(): void {
    for (const waiter of [...this.#waiters]) waiter.take(false);
  }
}
