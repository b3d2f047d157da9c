import type { StandardSchemaV1 } from "@standard-schema/spec";

/** Which of Google's services carries a route's messages. */
export type Via = "pubsub" | "cloud-tasks";

/** Settings of a Cloud Tasks queue, and the rate and concurrency limits that the local engine keeps as well. */
export interface QueueOptions {
  /** Queue id, or the full name `projects/P/locations/L/queues/Q`. Default: derived from the route's path. */
  readonly name?: string;
  /** Whether the library creates and updates the queue. Default `true` for a derived name, `false` for a full one. */
  readonly managed?: boolean;
  /** Dispatches a second, more than 0 and at most 500 (the service's limit). */
  readonly ratePerSecond?: number;
  /** Dispatches in flight at once, 1–5000 (the service's limit). */
  readonly maxConcurrent?: number;
  /** How often the back-off doubles before it grows linearly, 0–16. Service default 16. */
  readonly maxDoublings?: number;
  /** How long a task is retried, in seconds; 0 means without limit, the service's default. */
  readonly maxRetryDuration?: number;
  /** Share of operations logged to Cloud Logging, 0–1. */
  readonly logSampling?: number;
  /**
   * Further queues of the route, by the `priority` that `enqueue` names: each is a queue of its own, named
   * `{queue}-{priority}`, with the settings given here and else those of the route's queue.
   */
  readonly priorities?: Readonly<Record<string, PriorityOptions>>;
}

/** Settings of one priority's queue, where they differ from those of the route's own queue. */
export interface PriorityOptions
  extends Pick<
    QueueOptions,
    "name" | "managed" | "ratePerSecond" | "maxConcurrent" | "maxDoublings" | "maxRetryDuration" | "logSampling"
  > {
  /** Shortest back-off before a retry, in seconds, 0–3600. Default: the route's. */
  readonly minRetryDelay?: number;
  /** Longest back-off before a retry, in seconds, 0–3600. Default: the route's. */
  readonly maxRetryDelay?: number;
}

/** Switches a route off by an environment variable that holds `false`, `0`, `off` or `no`. */
export interface KillSwitchOptions {
  /** The environment variable, read at every delivery. */
  readonly env: string;
  /**
   * What becomes of on-demand deliveries while the switch is off: `"park"` keeps them as dead letters that can be
   * redriven, `"skip"` acknowledges and forgets them. Default `"park"`. Scheduled ticks are always skipped.
   */
  readonly onDemand?: "park" | "skip";
}

/** Everything about a route but its body; the options of a `TaskContract`. */
export interface TaskContractOptions<P extends string, I extends object, O> {
  /**
   * Stable identity: dotted segments of `[A-Za-z0-9_-]`. The last segment is the task's name, unique in a registry.
   * Explicit, because bundlers rename functions.
   */
  readonly path: P;
  /** Schema of the payload, an object. Checked when enqueued and again when delivered. Default: any JSON object. */
  readonly payload?: StandardSchemaV1<I, O>;
  /** Names for the positional arguments of messages that other producers send. Default none. */
  readonly args?: readonly string[];
  /**
   * Seconds until the service delivers again without an answer. 10–600 over Pub/Sub, 15–1800 via Cloud Tasks.
   * `ctx.signal` aborts max(2 s, 5 %) before it. Default 300.
   */
  readonly ackDeadline?: number;
  /** Shortest back-off before a retry, in seconds, 0–600 (3600 via Cloud Tasks). Default 10. */
  readonly minRetryDelay?: number;
  /** Longest back-off before a retry, in seconds, 0–600 (3600 via Cloud Tasks), at least `minRetryDelay`. Default 600. */
  readonly maxRetryDelay?: number;
  /** Failed runs after which a task is parked as a dead letter, 1–100. Busy and denied deliveries do not count. Default 10. */
  readonly maxAttempts?: number;
  /** Cloud Scheduler's five-field cron. Default none: the route runs on demand only. */
  readonly schedule?: string;
  /** IANA time zone of `schedule`. Default `"UTC"`. */
  readonly scheduleTimezone?: string;
  /** Payload of a scheduled run. Default `{}`. */
  readonly schedulePayload?: NoInfer<I>;
  /**
   * Whether a tick may start while the run of an earlier tick is unfinished. `"skip"` needs a backend or store that can
   * hold a lock. Default: `"skip"` where that is possible, else `"allow"`.
   */
  readonly overlap?: "skip" | "allow";
  /** Lease of the lock behind `overlap: "skip"`, in seconds. Default `ackDeadline` + 30. */
  readonly lockTtl?: number;
  /** Which service carries this route. Default: the backend's own. */
  readonly via?: Via;
  /**
   * Whether `enqueue` may name an `orderingKey`: then messages of one key are delivered in order, one at a time, and one
   * that fails holds up those behind it. Fixed when the subscription is made. Not via Cloud Tasks. Default `false`.
   */
  readonly ordered?: boolean;
  /** The route's queue: its name, or its settings. Default: one queue a route, named after its path. */
  readonly queue?: string | QueueOptions;
  /** Runs of this route at once in this process; a delivery waits up to 10 s for a slot, then 429. Default: no limit. */
  readonly maxConcurrency?: number;
  /** Environment variable that switches the route off, or the variable with what becomes of on-demand deliveries. */
  readonly killSwitch?: string | KillSwitchOptions;
}

/** A route's options with every default filled in. */
export interface RouteSettings {
  readonly args: readonly string[];
  /** Seconds. */
  readonly ackDeadline: number;
  /** Seconds. */
  readonly minRetryDelay: number;
  /** Seconds. */
  readonly maxRetryDelay: number;
  readonly maxAttempts: number;
  readonly schedule: string | undefined;
  readonly scheduleTimezone: string;
  readonly schedulePayload: object;
  /** `undefined` when left open: `"skip"` where the backend can, else `"allow"`. */
  readonly overlap: "skip" | "allow" | undefined;
  /** Seconds. */
  readonly lockTtl: number;
  readonly via: Via | undefined;
  readonly ordered: boolean;
  readonly queue: QueueOptions;
  readonly maxConcurrency: number | undefined;
  readonly killSwitch: Required<KillSwitchOptions> | undefined;
}
