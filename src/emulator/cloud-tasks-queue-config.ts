import { defaultBurst } from "../engine/lane-policy.ts";
import { maskPaths, withMasked } from "./masked-fields.ts";
import { CODES, invalid, RpcError } from "./status.ts";
import { fromSeconds, type TimeParts, toSeconds } from "./time.ts";
import type { FieldMask } from "./update-mask.ts";

/** The fields of a `google.cloud.tasks.v2.Queue` that a caller may set. */
export interface QueueFields {
  readonly name?: string;
  readonly appEngineRoutingOverride?: object;
  readonly rateLimits?: Partial<RateLimits>;
  readonly retryConfig?: Partial<RetryConfig>;
  readonly stackdriverLoggingConfig?: { readonly samplingRatio?: number };
}

/** A `RateLimits`. The burst is for the service to choose. */
export interface RateLimits {
  readonly maxDispatchesPerSecond: number;
  readonly maxBurstSize: number;
  readonly maxConcurrentDispatches: number;
}

/** A `RetryConfig`. */
export interface RetryConfig {
  /** -1 for no limit. */
  readonly maxAttempts: number;
  /** Absent for no limit. */
  readonly maxRetryDuration?: TimeParts;
  readonly minBackoff: TimeParts;
  readonly maxBackoff: TimeParts;
  readonly maxDoublings: number;
}

/** What a queue keeps to, with every default filled in. */
export interface QueueConfig {
  readonly rateLimits: RateLimits;
  readonly retryConfig: RetryConfig;
  readonly stackdriverLoggingConfig?: { readonly samplingRatio?: number };
}

/** Defaults of a queue. https://cloud.google.com/tasks/docs/configuring-queues */
const RATE = 500;
const CONCURRENT = 1000;
const ATTEMPTS = 100;
const MIN_BACKOFF_S = 0.1;
const MAX_BACKOFF_S = 3600;
const DOUBLINGS = 16;

const LARGEST_RATE = 500;
const MOST_CONCURRENT = 5000;

const PATHS = maskPaths({
  name: [],
  state: [],
  purge_time: [],
  app_engine_routing_override: ["service", "version", "instance", "host"],
  rate_limits: ["max_dispatches_per_second", "max_burst_size", "max_concurrent_dispatches"],
  retry_config: ["max_attempts", "max_retry_duration", "min_backoff", "max_backoff", "max_doublings"],
  stackdriver_logging_config: ["sampling_ratio"],
});

/**
 * The settings of a new queue.
 *
 * @throws RpcError INVALID_ARGUMENT; UNIMPLEMENTED for App Engine.
 */
export function newQueueConfig(queue: QueueFields): QueueConfig {
  return configOf(queue, false);
}

/**
 * The settings of a queue after an update: of all fields, if the mask is empty. What is named and absent goes back to its
 * default; that a mask which names `max_doublings` can set it to 0 is not documented.
 *
 * @throws RpcError INVALID_ARGUMENT; UNIMPLEMENTED for App Engine.
 */
export function updatedQueueConfig(current: QueueConfig, queue: QueueFields, mask: FieldMask | undefined): QueueConfig {
  const paths = mask?.paths ?? [];
  if (paths.length === 0) return configOf(queue, false);
  const fields = withMasked<QueueFields>(current, queue, paths, PATHS, "Queue");
  const namesDoublings = paths.includes("retry_config.max_doublings");
  return configOf(fields, namesDoublings || current.retryConfig.maxDoublings === 0);
}

function configOf(queue: QueueFields, zeroDoublings: boolean): QueueConfig {
  if (Object.values(queue.appEngineRoutingOverride ?? {}).some((value) => value !== ""))
    throw new RpcError(CODES.UNIMPLEMENTED, "The emulator has no App Engine; leave appEngineRoutingOverride out.");
  const { samplingRatio = 0 } = queue.stackdriverLoggingConfig ?? {};
  if (!(samplingRatio >= 0 && samplingRatio <= 1))
    throw invalid("StackdriverLoggingConfig.samplingRatio must be between 0.0 and 1.0.");
  const logging = queue.stackdriverLoggingConfig === undefined ? {} : { stackdriverLoggingConfig: { samplingRatio } };
  return {
    rateLimits: rateLimitsOf(queue.rateLimits ?? {}),
    retryConfig: retryConfigOf(queue.retryConfig ?? {}, zeroDoublings),
    ...logging,
  };
}

function rateLimitsOf(limits: Partial<RateLimits>): RateLimits {
  const { maxDispatchesPerSecond: rate = 0, maxConcurrentDispatches: concurrent = 0 } = limits;
  assertWithin("RateLimits.maxDispatchesPerSecond", rate, LARGEST_RATE);
  assertWithin("RateLimits.maxConcurrentDispatches", concurrent, MOST_CONCURRENT);
  const maxDispatchesPerSecond = rate || RATE;
  return {
    maxDispatchesPerSecond,
    maxBurstSize: defaultBurst(maxDispatchesPerSecond),
    maxConcurrentDispatches: concurrent || CONCURRENT,
  };
}

function retryConfigOf(config: Partial<RetryConfig>, zeroDoublings: boolean): RetryConfig {
  const { maxAttempts = 0, maxDoublings = 0 } = config;
  const minBackoff = toSeconds(config.minBackoff) ?? MIN_BACKOFF_S;
  const maxBackoff = toSeconds(config.maxBackoff) ?? MAX_BACKOFF_S;
  // Truncated to whole seconds, as the proto says.
  const maxRetryDuration = Math.trunc(toSeconds(config.maxRetryDuration) ?? 0);
  if (maxAttempts < -1) throw invalid("RetryConfig.maxAttempts must be greater or equal to -1.");
  assertWithin("RetryConfig.maxDoublings", maxDoublings);
  assertWithin("RetryConfig.minBackoff", minBackoff);
  assertWithin("RetryConfig.maxBackoff", maxBackoff);
  assertWithin("RetryConfig.maxRetryDuration", maxRetryDuration);
  if (minBackoff > maxBackoff)
    throw invalid("RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.");
  return {
    maxAttempts: maxAttempts || ATTEMPTS,
    ...(maxRetryDuration === 0 ? {} : { maxRetryDuration: fromSeconds(maxRetryDuration) }),
    minBackoff: fromSeconds(minBackoff),
    maxBackoff: fromSeconds(maxBackoff),
    maxDoublings: zeroDoublings ? maxDoublings : maxDoublings || DOUBLINGS,
  };
}

function assertWithin(subject: string, value: number, most = Number.POSITIVE_INFINITY): void {
  if (!(value >= 0)) throw invalid(`${subject} cannot be negative.`);
  if (value > most) throw invalid(`${subject} must be less than or equal to ${most}.`);
}
