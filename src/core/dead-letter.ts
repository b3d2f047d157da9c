import type { AnyRoute } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import { isTasksError } from "./errors.ts";
import type { ParkReason } from "./outcome.ts";

/** A task that will not be tried again by itself, with all that is needed to run it once more. */
export interface DeadLetter {
  readonly taskId: string;
  /** Path of the route; what the message calls its task, or nothing, where that is no route of the list. */
  readonly path: string;
  readonly taskName: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /**
   * The payload as it was kept, when that is no JSON object because the file that kept it was damaged; or the whole body
   * of a message that holds no envelope. Such a task cannot be redriven, and `kwargs` is empty.
   */
  readonly unreadable?: string;
  readonly enqueuedAt: string | undefined;
  readonly messageId: string;
  readonly reason: ParkReason;
  /** `Name: message` of the last error, without a stack; `undefined` when none is known. */
  readonly error: string | undefined;
  /** Attempts used. */
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly parkedAt: number;
}

/** The dead letter of a delivery. */
export function letterOf(
  delivery: Delivery,
  route: Pick<AnyRoute, "path" | "name">,
  reason: ParkReason,
  error: unknown,
  parkedAt: number,
): DeadLetter {
  return {
    taskId: delivery.taskId,
    path: route.path,
    taskName: route.name,
    args: delivery.args,
    kwargs: delivery.kwargs,
    enqueuedAt: delivery.enqueuedAt === undefined ? undefined : new Date(delivery.enqueuedAt).toISOString(),
    messageId: delivery.messageId,
    reason,
    error: error === undefined ? undefined : describeError(error),
    attempts: delivery.attempt,
    parkedAt,
  };
}

/** Where tasks are parked. A delivery is acknowledged as `discarded` only after `park` has resolved. */
export interface DeadLetterSink {
  /** Keeps the letter as durably as the backend keeps its tasks; rejects when it could not. */
  park(letter: DeadLetter): void | Promise<void>;
}

/** A sink that can also be looked into. */
export interface DeadLetterBox extends DeadLetterSink {
  /** The letters kept, oldest first. */
  list(): Promise<readonly DeadLetter[]>;
  /**
   * Enqueues the task of every letter of this id whose route is in the list again, attempts counted from the start; `false`
   * when there is no letter of this id. A letter stays until its task is enqueued.
   *
   * @throws TasksError `UNKNOWN_ROUTE` when there are letters, but the route of none is in the list; `INVALID_PAYLOAD` when
   * a payload does not fit its route or cannot be read; what the backend throws when it does not take the task.
   */
  redrive(taskId: string): Promise<boolean>;
  /**
   * Forgets every letter of this id for good; `false` when there is none. Rejects when that could not be written down: the
   * letters stay.
   */
  drop(taskId: string): Promise<boolean>;
}

/** Whether a sink can be looked into. */
export function isBox(sink: DeadLetterSink | DeadLetterBox | undefined): sink is DeadLetterBox {
  return sink !== undefined && "list" in sink;
}

/** `Name: message` of anything thrown; never throws itself, though getters of an error may. */
export function describeError(error: unknown): string {
  try {
    if (error instanceof Error) return `${error.name}: ${error.message}`;
  } catch {
    return "an error that cannot be described";
  }
  return typeof error === "string" ? error : `threw ${error === null ? "null" : typeof error}`;
}

/**
 * An error as it may be logged. A schema's own text names fields and values of a payload: of a refused payload only the
 * number and kinds of issues are told.
 */
export function loggableError(error: unknown): string {
  // Without a cause the text is our own, and names no more than the route and its fields.
  if (!isTasksError(error, "INVALID_PAYLOAD") || error.cause === undefined) return describeError(error);
  const issues = error.cause;
  if (!Array.isArray(issues)) return "the schema threw instead of telling what is wrong with the payload";
  const codes = issues.map((issue: { code?: unknown }) => issue.code).filter((code) => typeof code === "string");
  return `the schema refused the payload: ${[`${issues.length} issues`, ...new Set(codes)].join(", ")}`;
}
