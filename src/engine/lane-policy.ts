import { cloudTasksDelay, pubsubDelay } from "../core/backoff.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { queueAttempts } from "../core/headroom.ts";
import type { Message } from "./message.ts";

/** Cloud Tasks lets a burst of a fifth of the rate through, at least one. */
const BURST_SHARE = 5;

/**
 * What the transport behind a lane keeps to. It is asked anew each time, so that limits may be accessors which change; then
 * tell the engine, with `Engine.resume`.
 */
export interface LanePolicy {
  /** Seconds before the next delivery, after the given number of nacks in a row, 1 or more. */
  backoff(nacks: number): number;
  /** Nacks after which the transport gives a message up; `Infinity` for never. */
  readonly maxDeliveries: number;
  /** Whether the transport gives a message up after a nack, in place of counting up to {@link LanePolicy.maxDeliveries}. */
  isSpent?(message: Message, now: number): boolean;
  /** Deliveries a second. Default: no limit. */
  readonly ratePerSecond?: number | undefined;
  /** Deliveries that may follow one another at once, after a pause, under a rate; 1 or more. Default a fifth of the rate. */
  readonly burst?: number | undefined;
  /** Deliveries at once; 0 holds the lane. Default: no limit. */
  readonly maxConcurrent?: number | undefined;
}

/** The burst of a rate where none is said. */
export function defaultBurst(ratePerSecond: number): number {
  return Math.max(1, Math.floor(ratePerSecond / BURST_SHARE));
}

/**
 * What the service that carries a route would keep to. It gives a message up only as a backstop, with room above the attempts
 * that count: Pub/Sub takes 5–100 as `maxDeliveryAttempts`; a queue of Cloud Tasks has no such bounds.
 */
export function policyOf(route: AnyRoute): LanePolicy {
  const { minRetryDelay, maxRetryDelay, maxAttempts, maxConcurrency, queue, via } = route.settings;
  const queued = { minBackoff: minRetryDelay, maxBackoff: maxRetryDelay, maxDoublings: queue.maxDoublings ?? 16 };
  const subscribed = { minimumBackoff: minRetryDelay, maximumBackoff: maxRetryDelay };
  const isQueued = via === "cloud-tasks";
  return {
    backoff: (nacks) => (isQueued ? cloudTasksDelay(queued, nacks) : pubsubDelay(subscribed, nacks)),
    maxDeliveries: isQueued ? queueAttempts(route) : Math.min(100, Math.max(5, 5 * maxAttempts)),
    ratePerSecond: queue.ratePerSecond,
    maxConcurrent: Math.min(
      queue.maxConcurrent ?? Number.POSITIVE_INFINITY,
      maxConcurrency ?? Number.POSITIVE_INFINITY,
    ),
  };
}
