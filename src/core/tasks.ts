import type { EnqueueOptions, PayloadArgs } from "./context.ts";
import { type DeadLetter, isBox } from "./dead-letter.ts";
import type { AnyRoute, RouteRef } from "./declaration.ts";
import { notAccepted } from "./enqueuer.ts";
import { TasksError } from "./errors.ts";
import type { ContextFactory } from "./invoke.ts";
import { type ResourceNames, resourceNames } from "./names.ts";
import type { Plan, PlanOptions, ProvisionOptions, ProvisionReport } from "./provisioning.ts";
import type { Runtime } from "./runtime.ts";
import type { RuntimeOptions } from "./runtime-options.ts";
import type { TaskRun } from "./task-run.ts";
import { isThenable } from "./thenable.ts";

/** Type of the input that a route is enqueued with. */
export type InputOf<T> = T extends { "~in"?: (input: infer I) => void } ? I : never;
/** Type of what a route's body returns; `unknown` for a contract, whose body is elsewhere. */
export type ResultOf<T> = T extends { "~out"?: infer R } ? R : unknown;

/** The context that satisfies every route of a list: the intersection of what each asks for. */
export type ContextOf<L extends readonly AnyRoute[]> = {
  [K in keyof L]: L[K] extends { "~ctx"?: (context: infer C) => void } ? (context: C) => void : never;
}[number] extends (context: infer X) => void
  ? X
  : never;

/** The `context` option: required as soon as a route asks for a context of its own. */
export type ContextOption<L extends readonly AnyRoute[]> =
  unknown extends ContextOf<L>
    ? { readonly context?: ContextFactory<unknown> }
    : { readonly context: ContextFactory<ContextOf<L>> };

/** Options of `createTasks`. */
export type TasksOptions<L extends readonly AnyRoute[]> = RuntimeOptions & {
  /** Every task of the service: the one registration there is. */
  readonly routes: L;
} & ContextOption<L>;

/** One element of `enqueueMany`. */
export interface BulkItem<I> extends EnqueueOptions {
  readonly payload: I;
}

/** What became of `enqueueMany`. */
export interface BulkResult<I, R> {
  /** Tasks that the backend has, in order. */
  readonly accepted: readonly TaskRun<R>[];
  /** Tasks that it does not have. `item` carries the id, so that `enqueueMany(route, failed.map((f) => f.item))` repeats them and no others. */
  readonly failed: readonly { readonly item: BulkItem<I>; readonly error: TasksError }[];
}

/** What an adapter or the push handler takes: the client of any list of routes. */
export interface AnyTasks {
  /** What surrounds the types; for adapters, backends and tools rather than for services. */
  readonly runtime: Runtime;
}

/** Looks after tasks that will not be tried again by themselves. */
export interface DeadLetters {
  /** The letters kept, oldest first. */
  list(): Promise<readonly DeadLetter[]>;
  /**
   * Enqueues the task of every letter of this id whose route is in the list again, attempts counted from the start; `false`
   * when there is no letter of this id. A letter stays until its task is enqueued.
   *
   * @throws TasksError `UNKNOWN_ROUTE` when there are letters, but the route of none is in the list; `INVALID_PAYLOAD` when
   * a payload does not fit its route or cannot be read; `CLOSED`; what the backend throws when it does not take the task.
   */
  redrive(taskId: string): Promise<boolean>;
  /**
   * Forgets every letter of this id for good; `false` when there is none. Rejects when that could not be written down: the
   * letters stay.
   */
  drop(taskId: string): Promise<boolean>;
}

/** The client of one list of routes; what `createTasks` returns. */
export class Tasks<U extends AnyRoute> implements AnyTasks {
  readonly runtime: Runtime;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /**
   * Enqueues one task. Resolves once the backend has accepted it, never before.
   *
   * @throws TasksError `UNKNOWN_ROUTE` for a route outside the list, `INVALID_PAYLOAD`, `INVALID_OPTION`, `UNSUPPORTED` for
   * an option that the backend cannot honour, `NOT_ACCEPTED` when it did not take the task, `CLOSED`, `INVALID_CONFIG`.
   */
  enqueue<T extends Extract<U, { path: P }>, P extends U["path"]>(
    route: { readonly path: P },
    ...args: PayloadArgs<InputOf<T>>
  ): Promise<TaskRun<ResultOf<T>>> {
    const [payload, options] = args;
    return this.runtime.enqueuer.enqueue<ResultOf<T>>(route, payload, options);
  }

  /**
   * Enqueues many tasks of one route. Every item is checked before the first one is sent; what is then not accepted is
   * reported, not thrown.
   *
   * @throws TasksError as `enqueue`, when an item is wrong; nothing has been sent then.
   */
  async enqueueMany<T extends Extract<U, { path: P }>, P extends U["path"]>(
    route: { readonly path: P },
    items: readonly BulkItem<InputOf<T>>[],
  ): Promise<BulkResult<InputOf<T>, ResultOf<T>>> {
    const prepared = this.runtime.enqueuer.prepareMany(route, items);
    // Without a pause where there is nothing to wait for: what is enqueued next must not overtake it.
    const tasks = isThenable(prepared) ? await prepared : prepared;
    const receipts = await this.runtime.enqueuer.sendMany(tasks);
    const accepted: TaskRun<ResultOf<T>>[] = [];
    const failed: { item: BulkItem<InputOf<T>>; error: TasksError }[] = [];
    for (const [index, task] of tasks.entries()) {
      const receipt = receipts[index];
      if (receipt?.status === "fulfilled") accepted.push(this.runtime.enqueuer.accepted(task, receipt.value));
      else
        failed.push({
          item: { ...(items[index] as BulkItem<InputOf<T>>), id: task.id },
          error: notAccepted(task, receipt?.reason),
        });
    }
    return { accepted, failed };
  }

  /** The names of a route's cloud resources, under this service's environment and namespace. */
  names(route: RouteRef<string, never>): ResourceNames {
    return resourceNames(this.runtime.config, this.runtime.registry.resolve(route).path);
  }

  /**
   * Starts a backend that delivers by itself (`local`, `local-http`), schedules included; resolves when every first tick is
   * set. On Cloud Run begins what `createTasks({ provision })` asks for, and waits for it if that is `required`. Handlers do
   * all this when they are built.
   *
   * @throws TasksError `INVALID_CONFIG` or `UNSUPPORTED`, at once, when the backend cannot be built; `PROVISION_FAILED` where
   * provisioning is `required`.
   */
  start(): Promise<void> {
    return this.runtime.start();
  }

  /**
   * Loads and connects what the first `enqueue` would otherwise wait for: Google's client libraries, some 200 ms of a cold
   * start. Needless for local backends.
   *
   * @throws TasksError `MISSING_PACKAGE`, `INVALID_CONFIG`.
   */
  async warm(): Promise<void> {
    await this.runtime.backend.warm?.();
  }

  /**
   * What `provision` would do with the service's topics, subscriptions, queues and scheduler jobs. Lists what there is, and
   * writes nothing.
   *
   * @throws TasksError `INVALID_CONFIG`, `MISSING_PACKAGE`, `NO_CREDENTIALS`, `NOT_PERMITTED`, `QUOTA_EXHAUSTED`.
   */
  async plan(options?: PlanOptions): Promise<Plan> {
    return (await this.runtime.provisioner()).plan(options);
  }

  /**
   * Makes and updates the service's cloud resources: writes what differs, and nothing else. A failure stops what depends on
   * it and nothing else.
   *
   * @throws TasksError `PROVISION_FAILED` when anything failed, with the whole report as `cause`; else as `plan`.
   */
  async provision(options?: ProvisionOptions): Promise<ProvisionReport> {
    return (await this.runtime.provisioner()).provision(options);
  }

  /**
   * Deletes the cloud resources of this service in this environment, what waits in them included; queues only where their
   * name is derived. Nobody else's are touched.
   *
   * @throws TasksError as `provision`.
   */
  async destroy(options?: ProvisionOptions): Promise<ProvisionReport> {
    return (await this.runtime.provisioner()).destroy(options);
  }

  /**
   * Tasks parked as dead letters.
   *
   * @throws TasksError `UNSUPPORTED` when the backend keeps none that can be looked into.
   */
  get deadLetters(): DeadLetters {
    const { backend } = this.runtime;
    if (!isBox(backend.deadLetters)) {
      throw new TasksError(
        "UNSUPPORTED",
        `deadLetters: expected a backend that can list them, got ${backend.name}; use a local backend or a store`,
      );
    }
    return backend.deadLetters;
  }

  /**
   * Closes the client: takes no more work, waits up to `drainTimeout` for running tasks, then aborts their signals. A run
   * stopped that way is not acknowledged and does not count as an attempt. Safe to call again.
   */
  close(): Promise<void> {
    return this.runtime.close();
  }

  /** Closes at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
