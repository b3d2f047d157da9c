import { TasksError } from "./errors.ts";

/** The retry settings of a Cloud Tasks queue or a Cloud Scheduler job that shape its delays. */
export interface CloudTasksBackoff {
  /** Delay before the first retry, in seconds; 0 or more. */
  readonly minBackoff: number;
  /** Longest delay, in seconds. */
  readonly maxBackoff: number;
  /** How many times the delay doubles before it only grows by equal steps; 0 or more. */
  readonly maxDoublings: number;
}

/** The retry policy of a Pub/Sub subscription. */
export interface PubsubBackoff {
  /** Shortest delay, in seconds: 0 to 600, where 0 means that every retry is immediate. */
  readonly minimumBackoff: number;
  /** Longest delay, in seconds: 0 to 600. */
  readonly maximumBackoff: number;
}

/** 2^1000 is finite and beyond every cap, and 0 × 2^1000 is 0, where 0 × Infinity would be NaN. */
const LARGEST_EXPONENT = 1000;

function doubled(first: number, times: number): number {
  return first * 2 ** Math.min(times, LARGEST_EXPONENT);
}

/**
 * The delay before retry `retry` (the first is 1), in seconds, as Cloud Tasks computes it: it doubles `maxDoublings` times,
 * then grows by equal steps, never above `maxBackoff`. With 10 s, 300 s and 3 doublings: 10, 20, 40, 80, 160, 240, 300, 300.
 * Source: `RetryConfig.max_doublings` in google/cloud/tasks/v2/queue.proto. Cloud Scheduler uses the same curve.
 *
 * @throws TasksError `INVALID_OPTION` when `retry` is no whole number of 1 or more.
 */
export function cloudTasksDelay({ minBackoff, maxBackoff, maxDoublings }: CloudTasksBackoff, retry: number): number {
  assertCount("cloudTasksDelay", "retry", retry);
  if (retry <= maxDoublings + 1) return Math.min(doubled(minBackoff, retry - 1), maxBackoff);
  return Math.min(doubled(minBackoff, maxDoublings) * (retry - maxDoublings), maxBackoff);
}

/**
 * A delay after failure `failure` (the first is 1), in seconds, within the bounds of a Pub/Sub retry policy. Pub/Sub
 * documents the bounds and that the delay grows exponentially, but neither the multiplier nor the jitter
 * (`RetryPolicy` in google/pubsub/v1/pubsub.proto): this doubles from the minimum up to the maximum.
 *
 * @param random - A source of numbers from 0 up to 1; with it, the delay is spread evenly over half of itself to either
 *   side, still within the bounds. Default none: no spread.
 * @throws TasksError `INVALID_OPTION` when `failure` is no whole number of 1 or more.
 */
export function pubsubDelay(
  { minimumBackoff, maximumBackoff }: PubsubBackoff,
  failure: number,
  random?: () => number,
): number {
  assertCount("pubsubDelay", "failure", failure);
  const delay = Math.min(doubled(minimumBackoff, failure - 1), maximumBackoff);
  if (random === undefined) return delay;
  const shortest = Math.max(minimumBackoff, delay / 2);
  const longest = Math.min(maximumBackoff, delay * 1.5);
  return Math.min(longest, shortest + (longest - shortest) * random());
}

function assertCount(subject: string, name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new TasksError(
    "INVALID_OPTION",
    `${subject}: expected ${name} to be a whole number of 1 or more, got ${value}; count from 1`,
  );
}
