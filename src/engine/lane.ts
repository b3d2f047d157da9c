import type { TimerHandle } from "../core/clock.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { Fifo } from "../core/fifo.ts";
import type { EngineHost } from "./host.ts";
import { defaultBurst, type LanePolicy, policyOf } from "./lane-policy.ts";
import type { Message } from "./message.ts";

/** The queue of one route: what waits, what is in flight, and the limits between the two. */
export class Lane {
  route: AnyRoute;
  policy: LanePolicy;
  /** Whoever runs the route now; nothing is delivered while there is nobody. */
  host: EngineHost | undefined;
  readonly ready: Fifo<Message> = new Fifo();
  inFlight = 0;
  /** Unfinished messages that a schedule sent, for overlap. */
  ticks = 0;
  /** Wakes the lane when its rate limit has room again; set while it waits for that. */
  timer: TimerHandle | undefined;
  /** Full to begin with, whatever that is by the first time. */
  #tokens = Number.POSITIVE_INFINITY;
  #filledAt = 0;

  constructor(route: AnyRoute) {
    this.route = route;
    this.policy = policyOf(route);
  }

  /** Gives it to whoever runs its route from now on. */
  assign(route: AnyRoute, host: EngineHost): void {
    this.route = route;
    this.host = host;
    this.policy = host.policy?.(route) ?? policyOf(route);
  }

  /** Whether something waits that the lane's own limits let through. */
  get canStart(): boolean {
    return (
      this.ready.size > 0 &&
      this.timer === undefined &&
      this.host !== undefined &&
      this.inFlight < (this.policy.maxConcurrent ?? Number.POSITIVE_INFINITY)
    );
  }

  /** Whether it has a rate limit. */
  get isRated(): boolean {
    return this.policy.ratePerSecond !== undefined;
  }

  /** Takes a place under the rate limit: 0 when there is one, else the milliseconds until there will be. */
  takeToken(now: number): number {
    const { ratePerSecond: rate, burst } = this.policy;
    if (rate === undefined) return 0;
    // A clock that was set back must not take tokens away.
    const elapsed = Math.max(now - this.#filledAt, 0);
    this.#tokens = Math.min(burst ?? defaultBurst(rate), this.#tokens + (elapsed * rate) / 1000);
    this.#filledAt = now;
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - this.#tokens) * 1000) / rate);
  }

  /** Seconds before the next delivery, after the given number of nacks in a row. */
  backoff(nacks: number): number {
    return this.policy.backoff(nacks);
  }

  /** Nacks after which the transport itself gives up. */
  get maxDeliveries(): number {
    return this.policy.maxDeliveries;
  }

  /** Whether the transport gives a message up that was sent back once more. */
  isSpent(message: Message, now: number): boolean {
    return this.policy.isSpent?.(message, now) ?? message.nacks >= this.policy.maxDeliveries;
  }
}
