import type { RouteRef } from "./declaration.ts";
import type { Logger } from "./logger.ts";

/** How one task is enqueued; every option is optional. */
export interface EnqueueOptions {
  /** Seconds to wait before the first delivery, 0 or more. Not together with `runAt`. */
  readonly delay?: number;
  /** The moment of the first delivery; a moment in the past means at once. Not together with `delay`. */
  readonly runAt?: Date;
  /**
   * Enqueues at most one task of this route with this key within `dedupeWindow`. A later one is not enqueued: its run
   * says `deduplicated: true` and carries the id of the first.
   */
  readonly dedupeKey?: string;
  /** Seconds that `dedupeKey` holds, more than 0. Default 3600, which is as long as Cloud Tasks promises. */
  readonly dedupeWindow?: number;
  /** A priority of the route's queues; only for backends that declare `priority`. */
  readonly priority?: string;
  /**
   * Tasks of one key are delivered in the order in which they were enqueued, one at a time; only for routes with `ordered`
   * and backends that declare `ordering`. At most 1024 bytes.
   */
  readonly orderingKey?: string;
  /** Task id of your own, at most 200 characters of `[A-Za-z0-9._~-]`. Default: a fresh UUID. For the retry of a failed enqueue. */
  readonly id?: string;
}

/** The payload argument of `enqueue`: optional when the empty object is a legal payload. */
// biome-ignore lint/complexity/noBannedTypes: the question is whether an object without any property will do.
export type PayloadArgs<I> = {} extends I
  ? [payload?: I, options?: EnqueueOptions]
  : [payload: I, options?: EnqueueOptions];

/** What a running task is told, and what it can do. */
export interface TaskContext<C = unknown> {
  /** Id of the task; the same for every delivery of it. */
  readonly taskId: string;
  /** Name of the route: the last segment of its path. */
  readonly name: string;
  /** Path of the route. */
  readonly path: string;
  /** Which attempt this is, from 1. Busy and denied deliveries do not count. */
  readonly attempt: number;
  /** Attempts after which the task is parked as a dead letter. */
  readonly maxAttempts: number;
  /** Id that the transport gave this message; differs between duplicates published twice. */
  readonly messageId: string;
  /** When the task was enqueued; `undefined` for scheduled runs. */
  readonly enqueuedAt: Date | undefined;
  /** The tick that this run stands for; `undefined` for on-demand tasks and for ticks that could not be told apart. */
  readonly scheduledFor: Date | undefined;
  /** When the service will deliver again without an answer. `signal` aborts shortly before. */
  readonly deadline: Date;
  /** Aborts max(2 s, 5 %) before `deadline`, and when the client is closed and its drain time is over. */
  readonly signal: AbortSignal;
  /** Logs with the task's name, id and attempt. */
  readonly logger: Logger;
  /** What the service's `context` factory made for this run; disposed of when the run ends. */
  readonly context: C;
  /**
   * Enqueues another task, by route or by contract.
   *
   * @throws TasksError as `Tasks.enqueue` does.
   */
  enqueue<I>(route: RouteRef<string, I>, ...args: PayloadArgs<I>): Promise<{ readonly id: string }>;
}

/** The body of a task. */
export type TaskFunction<O, C, R> = (payload: O, ctx: TaskContext<C>) => R | Promise<R>;
