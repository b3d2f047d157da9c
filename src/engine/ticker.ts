import { type Clock, LONGEST_TIMEOUT, type TimerHandle } from "../core/clock.ts";
import { describeError } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import type { Logger } from "../core/logger.ts";
import type { Schedule } from "../core/schedule.ts";
import { scheduleOf } from "../core/tick.ts";

/** What a ticker needs. */
export interface TickerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called at every tick, with the moment it stands for. */
  tick(route: AnyRoute, scheduledFor: Date): void;
}

/**
 * Fires the schedules of routes, each in its time zone, once a tick. Its timers keep no process alive. After the machine
 * slept through several ticks of a route, the first of them fires at wake-up and the others are left out.
 */
export class Ticker {
  readonly #options: TickerOptions;
  readonly #timers = new Map<AnyRoute, TimerHandle>();
  #closed = false;

  constructor(options: TickerOptions) {
    this.#options = options;
  }

  /** Starts the schedules of all routes that have one; resolves when every first tick is set. */
  async start(routes: readonly AnyRoute[]): Promise<void> {
    await Promise.all(
      routes
        .filter((route) => route.settings.schedule !== undefined && route.run !== undefined)
        .map((route) => this.#begin(route)),
    );
  }

  async #begin(route: AnyRoute): Promise<void> {
    try {
      // Taken before the wait below, in which a tick may pass.
      const begin = new Date(this.#options.clock.now());
      const schedule = await scheduleOf(route);
      this.#wait(route, schedule, schedule.next(begin));
    } catch (error) {
      this.#options.logger.error("a schedule could not be started", { task: route.path, error: describeError(error) });
    }
  }

  #wait(route: AnyRoute, schedule: Schedule, tick: Date): void {
    if (this.#closed) return;
    const { clock } = this.#options;
    const due = () => {
      // Timers are capped at 24.8 days, and may run a little ahead of the wall clock.
      if (clock.now() < tick.getTime()) return this.#wait(route, schedule, tick);
      this.#options.tick(route, tick);
      this.#wait(route, schedule, schedule.next(new Date(Math.max(tick.getTime(), clock.now()))));
    };
    this.#timers.set(
      route,
      clock.setTimeout(due, Math.min(tick.getTime() - clock.now(), LONGEST_TIMEOUT), { keepAlive: false }),
    );
  }

  /** Stops every schedule. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) this.#options.clock.clearTimeout(timer);
    this.#timers.clear();
  }
}
