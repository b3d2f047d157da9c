/**
 * What went wrong, as a closed union. Every {@link TasksError} carries one, so that programs branch on `code` and people
 * read `message`.
 */
export type TasksErrorCode =
  /** An option of a route, a contract, `createTasks` or a factory is unknown, missing or out of range. */
  | "INVALID_OPTION"
  /** A cron expression or a time zone that Cloud Scheduler would not take. */
  | "INVALID_SCHEDULE"
  /** A path, namespace or environment from which no legal resource name can be derived. */
  | "INVALID_NAME"
  /** Two routes share a name, a path or a derived resource name. */
  | "DUPLICATE_ROUTE"
  /** A route was enqueued, or a dead letter of one redriven, that is not in the list given to `createTasks`. */
  | "UNKNOWN_ROUTE"
  /** A payload that is not JSON, is not an object, or is refused by its schema. */
  | "INVALID_PAYLOAD"
  /** A message body that does not hold an envelope. */
  | "MALFORMED_MESSAGE"
  /** The environment lacks something or holds a wrong value; the text lists everything at once. */
  | "INVALID_CONFIG"
  /** The backend in use cannot do what was asked (see `Capabilities`). */
  | "UNSUPPORTED"
  /** The client was closed, or is draining. */
  | "CLOSED"
  /** The backend did not accept a task. */
  | "NOT_ACCEPTED"
  /** A package that is needed for what was asked, and that is not among the dependencies, is not installed. */
  | "MISSING_PACKAGE"
  /** A topic, subscription or queue that should be there is not: nobody has provisioned it, or somebody has deleted it. */
  | "NOT_PROVISIONED"
  /** Google Cloud was asked without credentials, or with credentials that it does not take. */
  | "NO_CREDENTIALS"
  /** The account in use may not do what was asked; the text names the role, the resource and the command that grants it. */
  | "NOT_PERMITTED"
  /** A quota of the project is used up. */
  | "QUOTA_EXHAUSTED"
  /** A call to Google Cloud failed for a reason that has no code of its own; `cause` is what the service said. */
  | "CLOUD_FAILED"
  /** Provisioning failed, in part or as a whole; the text says what, and `cause` is the whole report. */
  | "PROVISION_FAILED"
  /** A task whose result was awaited has failed for good; `cause` is what it threw. */
  | "TASK_FAILED"
  /** Something did not finish in the time, or the number of deliveries, that it was given. */
  | "TIMEOUT"
  /** A test asked for a delivery where there is none: nothing is due, nothing was delivered, nothing is under way. */
  | "NO_DELIVERY";

/**
 * The one error class of this library. The text follows *subject: expected X, got Y; do Z*.
 *
 * Compare `error.name === "TasksError"` rather than `instanceof` (or use {@link isTasksError}): two copies of the
 * package in one dependency tree have two classes.
 */
export class TasksError extends Error {
  override readonly name: "TasksError" = "TasksError";
  /** What went wrong, for programs. */
  readonly code: TasksErrorCode;

  constructor(code: TasksErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether a value is a {@link TasksError}, of this or another copy of the package; with `code`, of that code. */
export function isTasksError(value: unknown, code?: TasksErrorCode): value is TasksError {
  return (
    value instanceof Error && value.name === "TasksError" && (code === undefined || (value as TasksError).code === code)
  );
}

/**
 * Thrown by a task to give up for good: no retry. The message is acknowledged once its dead letter is kept, and the run
 * counts as failed.
 */
export class Discard extends Error {
  override readonly name: "Discard" = "Discard";

  constructor(message = "the task was discarded", options?: ErrorOptions) {
    super(message, options);
  }
}

/**
 * Thrown by a task to be tried again after a delay of its own choice instead of the route's back-off. The failed run
 * counts as an attempt. Where the backend cannot delay, plain back-off applies.
 */
export class RetryAfter extends Error {
  override readonly name: "RetryAfter" = "RetryAfter";
  /** Delay until the next attempt, in seconds; 0 or more. */
  readonly seconds: number;

  constructor(seconds: number, message: string = `retry after ${seconds} s`, options?: ErrorOptions) {
    super(message, options);
    if (!isDelay(seconds)) {
      throw new TasksError(
        "INVALID_OPTION",
        `RetryAfter: expected seconds of 0 or more, got ${seconds}; pass a finite number`,
      );
    }
    this.seconds = seconds;
  }
}

/**
 * Thrown by a task that cannot run right now (a saturated dependency, a maintenance window). The delivery is answered
 * with 429 and comes again; it does **not** count as an attempt.
 */
export class Busy extends Error {
  override readonly name: "Busy" = "Busy";
  /** The `Retry-After` to answer with, in seconds. Default 10. */
  readonly retryAfter: number;

  constructor(message = "the task is busy", options?: ErrorOptions & { retryAfter?: number }) {
    super(message, options);
    const retryAfter = options?.retryAfter ?? 10;
    if (!isDelay(retryAfter)) {
      throw new TasksError(
        "INVALID_OPTION",
        `Busy: expected retryAfter of 0 or more seconds, got ${retryAfter}; pass a finite number`,
      );
    }
    this.retryAfter = retryAfter;
  }
}

/** Control flow errors are told apart by name: two copies of the package must understand each other. */
export function isDiscard(error: unknown): error is Discard {
  return error instanceof Error && error.name === "Discard";
}

/** See {@link isDiscard}. */
export function isRetryAfter(error: unknown): error is RetryAfter {
  return error instanceof Error && error.name === "RetryAfter" && isDelay((error as RetryAfter).seconds);
}

/** See {@link isDiscard}. */
export function isBusy(error: unknown): error is Busy {
  return error instanceof Error && error.name === "Busy" && isDelay((error as Busy).retryAfter);
}

/** Whether somebody can come back after so many seconds. An error of the same name from elsewhere may hold anything. */
function isDelay(seconds: unknown): boolean {
  return Number.isFinite(seconds) && (seconds as number) >= 0;
}
