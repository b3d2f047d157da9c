import type { TimerHandle } from "../../src/core/clock.ts";
import { VirtualClock } from "../../src/engine/clock.ts";

/**
 * Virtual time for tests with real input and output, which it does not wait for: it tells when somebody has begun to wait
 * on it, and only then moves.
 */
export class WatchedClock extends VirtualClock {
  /** At which moments timers were set for each number of milliseconds, and how many of these were passed. */
  readonly #set = new Map<number, Set<number>>();
  readonly #passed = new Map<number, number>();
  #changed = Promise.withResolvers<void>();

  override setTimeout(callback: () => void, ms: number): TimerHandle {
    this.#set.set(ms, (this.#set.get(ms) ?? new Set()).add(this.now()));
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    return super.setTimeout(callback, ms);
  }

  /** Waits until somebody has set a timer for just so many seconds, and lets them pass. Timers of one moment count once. */
  async elapse(seconds: number): Promise<void> {
    const ms = seconds * 1000;
    const passed = this.#passed.get(ms) ?? 0;
    while ((this.#set.get(ms)?.size ?? 0) <= passed) await this.#changed.promise;
    this.#passed.set(ms, passed + 1);
    await this.advance(ms);
  }
}
