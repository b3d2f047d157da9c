import type { ActiveRun } from "./active-run.ts";
import type { PayloadArgs, TaskContext } from "./context.ts";
import type { AnyRoute, RouteRef } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import type { Logger } from "./logger.ts";

/** Enqueues by reference; what a context needs of its client. */
export type Enqueue = <I>(route: RouteRef<string, I>, ...args: PayloadArgs<I>) => Promise<{ readonly id: string }>;

/** The context of one run. What costs something to make is made when it is first read. */
export class RunContext implements TaskContext<unknown> {
  readonly taskId: string;
  readonly name: string;
  readonly path: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly messageId: string;
  readonly scheduledFor: Date | undefined;
  readonly enqueue: Enqueue;
  context: unknown = undefined;
  readonly #run: ActiveRun;
  readonly #enqueuedAt: string | number | undefined;
  readonly #logger: Logger;

  constructor(route: AnyRoute, delivery: Delivery, run: ActiveRun, scope: { enqueue: Enqueue; logger: Logger }) {
    this.taskId = delivery.taskId;
    this.name = route.name;
    this.path = route.path;
    this.attempt = delivery.attempt;
    this.maxAttempts = route.settings.maxAttempts;
    this.messageId = delivery.messageId;
    this.scheduledFor = delivery.scheduledFor;
    this.enqueue = scope.enqueue;
    this.#run = run;
    this.#enqueuedAt = delivery.enqueuedAt;
    this.#logger = scope.logger;
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }

  get deadline(): Date {
    return new Date(this.#run.deadline);
  }

  get enqueuedAt(): Date | undefined {
    return this.#enqueuedAt === undefined ? undefined : new Date(this.#enqueuedAt);
  }

  get logger(): Logger {
    return withFields(this.#logger, { task: this.path, taskId: this.taskId, attempt: this.attempt });
  }
}

/** A logger that adds the same fields to every line. */
function withFields(logger: Logger, fixed: Readonly<Record<string, unknown>>): Logger {
  return {
    debug: (message, fields) => logger.debug(message, { ...fixed, ...fields }),
    info: (message, fields) => logger.info(message, { ...fixed, ...fields }),
    warn: (message, fields) => logger.warn(message, { ...fixed, ...fields }),
    error: (message, fields) => logger.error(message, { ...fixed, ...fields }),
  };
}
