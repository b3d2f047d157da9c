import type { TaskFunction } from "./context.ts";
import { Declaration } from "./declaration.ts";
import { TaskRoute } from "./route.ts";
import type { TaskContractOptions } from "./route-options.ts";

/**
 * A route without its body. A producer lists it to enqueue without importing the worker's code, and two routes that
 * enqueue each other refer to each other's contracts; the worker completes it with {@link TaskContract.route}.
 *
 * @throws TasksError `INVALID_OPTION`, `INVALID_NAME` or `INVALID_SCHEDULE`.
 */
export class TaskContract<
  const P extends string,
  I extends object = Record<string, unknown>,
  O = I,
> extends Declaration<P, I> {
  readonly #options: TaskContractOptions<P, I, O>;

  constructor(options: TaskContractOptions<P, I, O>) {
    super("TaskContract", options);
    this.#options = options;
  }

  /** The route that this contract promises, with its body. */
  route<C = unknown, R = unknown>(run: TaskFunction<O, C, R>): TaskRoute<P, I, O, C, R> {
    return new TaskRoute<P, I, O, C, R>({ ...this.#options, run });
  }
}
