import type { TaskFunction } from "./context.ts";
import { Declaration } from "./declaration.ts";
import { TasksError } from "./errors.ts";
import { shown } from "./options.ts";
import type { TaskContractOptions } from "./route-options.ts";

/** Options of a {@link TaskRoute}: those of a contract, and the body. */
export interface TaskRouteOptions<P extends string, I extends object, O, C, R> extends TaskContractOptions<P, I, O> {
  /** Runs the task. What it returns is the run's result; what it throws is retried, see `Discard`, `RetryAfter`, `Busy`. */
  readonly run: TaskFunction<O, C, R>;
}

/**
 * One task: its identity, payload schema, body, delivery settings and schedule. Options are checked at construction.
 *
 * All type arguments are inferred. A service's own context is typed by annotating the second parameter:
 * `run: async (payload, ctx: TaskContext<App>) => …`.
 *
 * @throws TasksError `INVALID_OPTION`, `INVALID_NAME` or `INVALID_SCHEDULE`.
 */
export class TaskRoute<
  const P extends string,
  I extends object = Record<string, unknown>,
  O = I,
  C = unknown,
  R = unknown,
> extends Declaration<P, I> {
  /** The body. */
  readonly run: TaskFunction<O, C, R>;
  /** Carries the context type; never set. */
  declare readonly "~ctx"?: (context: C) => void;
  /** Carries the result type; never set. */
  declare readonly "~out"?: R;

  constructor(options: TaskRouteOptions<P, I, O, C, R>) {
    super("TaskRoute", options);
    if (typeof options.run !== "function") {
      throw new TasksError(
        "INVALID_OPTION",
        `TaskRoute "${options.path}": expected run to be a function, got ${shown(options.run)}; a route without a body is a TaskContract`,
      );
    }
    this.run = options.run;
  }
}
