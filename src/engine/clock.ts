import { type Clock, systemClock, type TimerHandle, type TimerOptions } from "../core/clock.ts";
import { TasksError } from "../core/errors.ts";
import { Heap } from "./heap.ts";

/** The machine's own, whatever a test puts in the place of the globals later. */
const { setImmediate } = globalThis;

interface Timer {
  readonly at: number;
  readonly callback: () => void;
  readonly keepAlive: boolean;
  state: "waiting" | "cancelled" | "fired";
}

/** Cancelled timers are swept out once there are this many of them, and more of them than of others. */
const SWEEP_AT = 256;

/** Turns of the event loop after which time moves on even though something sets immediates without end. */
const LONGEST_SETTLING = 100_000;

/** Clocks that move at the same time wait together: each would take the other's waiting for work that is left. */
let settling: Promise<void> | undefined;

/**
 * Lets promises and immediates run until none are left, so that what a timer set off has happened before time moves on.
 * Input and output is not waited for.
 */
function settle(): Promise<void> {
  settling ??= runOut();
  return settling;
}

async function runOut(): Promise<void> {
  for (let turns = 0; turns < LONGEST_SETTLING; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!process.getActiveResourcesInfo().includes("Immediate")) break;
  }
  settling = undefined;
}

/**
 * Time that only moves when told to. Timers fire in order, each at its own moment, and what they set off in this process
 * runs before the next one fires: promises and immediates, but not input and output, which keeps to the machine's time.
 */
export class VirtualClock implements Clock {
  #now: number;
  readonly #timers = new Heap<Timer>();
  #cancelled = 0;

  /** @param start where time begins. Default 2026-01-01T00:00:00Z. */
  constructor(start: Date = new Date("2026-01-01T00:00:00Z")) {
    this.#now = start.getTime();
  }

  now(): number {
    return this.#now;
  }

  /** Timers that somebody waits for: that have not fired, were not cancelled, and would keep a process alive. */
  get pending(): number {
    return this.#timers.count((timer) => timer.state === "waiting" && timer.keepAlive);
  }

  /** Like `pending`, with the timers that keep no process alive. */
  get waiting(): number {
    return this.#timers.count((timer) => timer.state === "waiting");
  }

  /**
   * When a timer may fire next, in milliseconds since the epoch; `undefined` when none is set. One that was cancelled may
   * still be told of.
   */
  get nextTimer(): number | undefined {
    return this.#timers.peekKey;
  }

  setTimeout(callback: () => void, ms: number, options?: TimerOptions): TimerHandle {
    const keepAlive = options?.keepAlive ?? true;
    const timer: Timer = { at: this.#now + Math.max(ms, 0), callback, keepAlive, state: "waiting" };
    this.#timers.push(timer.at, timer);
    return timer as TimerHandle;
  }

  clearTimeout(handle: TimerHandle | undefined): void {
    const timer = handle as Timer | undefined;
    if (timer?.state !== "waiting") return;
    timer.state = "cancelled";
    this.#cancelled += 1;
    if (this.#cancelled >= SWEEP_AT && this.#cancelled * 2 > this.#timers.size) {
      this.#timers.retain((kept) => kept.state === "waiting");
      this.#cancelled = 0;
    }
  }

  /** Moves time forward by `ms` milliseconds, firing what falls due on the way. */
  advance(ms: number): Promise<void> {
    return this.advanceTo(new Date(this.#now + ms));
  }

  /**
   * Moves time forward to a moment, firing what falls due on the way, timers set meanwhile included.
   *
   * @throws TasksError `INVALID_OPTION` when the moment lies in the past.
   */
  async advanceTo(moment: Date): Promise<void> {
    const target = moment.getTime();
    if (!(target >= this.#now)) {
      throw new TasksError(
        "INVALID_OPTION",
        `clock: expected a moment at or after ${new Date(this.#now).toISOString()}, got ${String(moment)}; time does not go back`,
      );
    }
    await settle();
    while ((this.#timers.peekKey ?? Number.POSITIVE_INFINITY) <= target) {
      const timer = this.#timers.pop() as Timer;
      if (timer.state === "cancelled") {
        this.#cancelled -= 1;
        continue;
      }
      timer.state = "fired";
      // Never back, should something that a timer set off have moved time itself.
      this.#now = Math.max(this.#now, timer.at);
      timer.callback();
      await settle();
    }
    this.#now = Math.max(this.#now, target);
  }
}

/** The machine's time, set to another moment: runs at the usual pace from `start` on. */
export function clockStartingAt(start: Date): Clock {
  const offset = start.getTime() - systemClock.now();
  return { ...systemClock, now: () => systemClock.now() + offset };
}
