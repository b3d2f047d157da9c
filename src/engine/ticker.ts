import type { Clock, TimerHandle } from "../core/clock.ts";
import { describeError } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import type { Logger } from "../core/logger.ts";
import type { Schedule } from "../core/schedule.ts";
import { scheduleOf } from "../core/tick.ts";
import { longestWait } from "./alarm.ts";
import type { Engine } from "./engine.ts";
import type { EngineHost } from "./host.ts";

/** What a ticker needs. */
export interface TickerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where ticks are sent. */
  readonly engine: Pick<Engine, "publishTick" | "serves" | "ticksSince">;
  /** For whom: when the engine serves it no longer, the ticker ends. */
  readonly host: EngineHost;
}

/**
 * Fires the schedules of routes, each in its time zone, once a tick. Its timers keep no process alive. Of the ticks of a
 * route that passed while the machine slept, or no process ran that kept them in a file, the latest is made up for.
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
      const since = this.#options.engine.ticksSince(route);
      const schedule = await scheduleOf(route);
      this.#wait(route, schedule, schedule.next(since));
    } catch (error) {
      this.#options.logger.error("a schedule could not be started", { task: route.path, error: describeError(error) });
    }
  }

  #wait(route: AnyRoute, schedule: Schedule, tick: Date): void {
    if (this.#closed) return;
    const { clock, engine, host } = this.#options;
    const due = () => {
      const now = clock.now();
      // One timer does not wait for all of it, and may run a little ahead of the wall clock.
      if (now < tick.getTime()) return this.#wait(route, schedule, tick);
      if (!engine.serves(host)) return this.close();
      const following = schedule.next(tick);
      const latest = following.getTime() > now ? tick : schedule.previous(new Date(now));
      engine.publishTick(route, latest);
      this.#wait(route, schedule, latest === tick ? following : schedule.next(latest));
    };
    const wait = Math.min(tick.getTime() - clock.now(), longestWait(clock));
    this.#timers.set(route, clock.setTimeout(due, wait, { keepAlive: false }));
  }

  /** Stops every schedule. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) this.#options.clock.clearTimeout(timer);
    this.#timers.clear();
  }
}
