import { cloudTasksDelay, pubsubDelay } from "../core/backoff.ts";
import type { TimerHandle } from "../core/clock.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { Fifo } from "./fifo.ts";
import type { EngineHost } from "./host.ts";
import type { Message } from "./message.ts";

/** Cloud Tasks lets a burst of a fifth of the rate through, at least one. */
const BURST_SHARE = 5;

/** The queue of one route: what waits, what is in flight, and the limits between the two. */
export class Lane {
  route: AnyRoute;
  /** Whoever runs the route now; nothing is delivered while there is nobody. */
  host: EngineHost | undefined;
  readonly ready: Fifo<Message> = new Fifo();
  inFlight = 0;
  /** Unfinished messages that a schedule sent, for overlap. */
  ticks = 0;
  /** Wakes the lane when its rate limit has room again; set while it waits for that. */
  timer: TimerHandle | undefined;
  #tokens: number;
  #filledAt = 0;

  constructor(route: AnyRoute) {
    this.route = route;
    this.#tokens = this.#burst;
  }

  /** Whether something waits that the lane's own limits let through. */
  get canStart(): boolean {
    return (
      this.ready.size > 0 && this.timer === undefined && this.host !== undefined && this.inFlight < this.#maxConcurrent
    );
  }

  /** Deliveries at once. */
  get #maxConcurrent(): number {
    const { queue, maxConcurrency } = this.route.settings;
    return Math.min(queue.maxConcurrent ?? Number.POSITIVE_INFINITY, maxConcurrency ?? Number.POSITIVE_INFINITY);
  }

  get #burst(): number {
    return Math.max(1, Math.floor((this.route.settings.queue.ratePerSecond ?? 0) / BURST_SHARE));
  }

  /** Whether it has a rate limit. */
  get isRated(): boolean {
    return this.route.settings.queue.ratePerSecond !== undefined;
  }

  /** Takes a place under the rate limit: 0 when there is one, else the milliseconds until there will be. */
  takeToken(now: number): number {
    const rate = this.route.settings.queue.ratePerSecond;
    if (rate === undefined) return 0;
    // A clock that was set back must not take tokens away.
    const elapsed = Math.max(now - this.#filledAt, 0);
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsed * rate) / 1000);
    this.#filledAt = now;
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - this.#tokens) * 1000) / rate);
  }

  /** Seconds before the next delivery, after the given number of nacks in a row. */
  backoff(nacks: number): number {
    const { minRetryDelay, maxRetryDelay, queue, via } = this.route.settings;
    if (via === "cloud-tasks") {
      return cloudTasksDelay(
        { minBackoff: minRetryDelay, maxBackoff: maxRetryDelay, maxDoublings: queue.maxDoublings ?? 16 },
        nacks,
      );
    }
    return pubsubDelay({ minimumBackoff: minRetryDelay, maximumBackoff: maxRetryDelay }, nacks);
  }

  /**
   * Nacks after which the transport itself gives up: a backstop with room above the attempts that count. Pub/Sub takes
   * 5–100 as `maxDeliveryAttempts`; a queue of Cloud Tasks has no such bounds.
   */
  get maxDeliveries(): number {
    const { maxAttempts, via } = this.route.settings;
    return via === "cloud-tasks" ? maxAttempts + 5 : Math.min(100, Math.max(5, 5 * maxAttempts));
  }
}
