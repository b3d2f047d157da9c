import type { Backend, OutgoingTask, Receipt } from "./backend.ts";
import { assertEnqueueOptions } from "./capabilities.ts";
import type { Clock } from "./clock.ts";
import type { EnqueueOptions } from "./context.ts";
import type { AnyRoute } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import { isTasksError, TasksError } from "./errors.ts";
import { callHook, type Hooks } from "./events.ts";
import { freshId } from "./fresh-id.ts";
import type { Logger } from "./logger.ts";
import type { Naming } from "./names.ts";
import { encodePayload, payloadOf } from "./payload.ts";
import type { Registry } from "./registry.ts";
import { ReceiptRun, type TaskRun } from "./task-run.ts";
import { isThenable } from "./thenable.ts";
import { tickId } from "./tick.ts";
import { Turns } from "./turns.ts";

const NO_OPTIONS: EnqueueOptions = Object.freeze({});

/** Seconds after which an enqueued key may be used again, unless said otherwise: as long as Cloud Tasks promises. */
const DEDUPE_WINDOW_S = 3600;

/** What enqueuing needs of its client. */
export interface EnqueuerScope {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hooks: Hooks;
  naming(): Naming;
  backend(): Backend;
  /** @throws TasksError `CLOSED`. */
  assertOpen(): void;
  /** Whether the backend may take the place of the transport that has a delivery. */
  mayReplace(delivery: Delivery): boolean;
}

/** From a route and its input to a task that the backend has. */
export class Enqueuer {
  readonly #scope: EnqueuerScope;
  readonly #turns: Turns = new Turns();

  constructor(scope: EnqueuerScope) {
    this.#scope = scope;
  }

  /** Validates, names and hands one task to the backend; resolves once the backend has it. */
  async enqueue<R>(ref: { readonly path: string }, input: unknown, options?: EnqueueOptions): Promise<TaskRun<R>> {
    const checked = this.prepare(ref, input, options);
    const prepared = options?.orderingKey === undefined ? checked : this.#inTurn(ref, [options], checked);
    const task = isThenable(prepared) ? await prepared : prepared;
    const receipt = this.#send(task);
    return this.accepted(task, isThenable(receipt) ? await receipt : receipt);
  }

  /**
   * A task as it will be sent: everything is checked, nothing has happened yet.
   *
   * @throws TasksError `UNKNOWN_ROUTE`, `INVALID_PAYLOAD`, `INVALID_OPTION`, `UNSUPPORTED` or `CLOSED`.
   */
  prepare(
    ref: { readonly path: string },
    input: unknown,
    options: EnqueueOptions = NO_OPTIONS,
  ): OutgoingTask | Promise<OutgoingTask> {
    this.#scope.assertOpen();
    const route = this.#scope.registry.resolve(ref);
    if (options !== NO_OPTIONS) assertEnqueueOptions(options, route, this.#scope.backend());
    const payloadJson = encodePayload(route, input);
    if (typeof payloadJson === "string") return this.#outgoing(route, payloadJson, options);
    return payloadJson.then((text) => this.#outgoing(route, text, options));
  }

  /** The same of many; nothing is settled before every one of them is checked. */
  prepareMany(
    ref: { readonly path: string },
    items: readonly ({ readonly payload: unknown } & EnqueueOptions)[],
  ): readonly OutgoingTask[] | Promise<readonly OutgoingTask[]> {
    const prepared: (OutgoingTask | Promise<OutgoingTask>)[] = [];
    try {
      for (const item of items) {
        const { payload, ...options } = item;
        prepared.push(this.prepare(ref, payload, options));
      }
    } catch (error) {
      for (const task of prepared) if (isThenable(task)) task.catch(() => {});
      throw error;
    }
    return this.#inTurn(ref, items, prepared.some(isThenable) ? Promise.all(prepared) : (prepared as OutgoingTask[]));
  }

  #inTurn<T>(
    { path }: { readonly path: string },
    items: readonly EnqueueOptions[],
    prepared: T | Promise<T>,
  ): T | Promise<T> {
    const keys = new Set<string>();
    for (const { orderingKey } of items) if (orderingKey !== undefined) keys.add(`${path}\n${orderingKey}`);
    return this.#turns.take(keys, prepared);
  }

  #outgoing(route: AnyRoute, payloadJson: string, options: EnqueueOptions): OutgoingTask {
    const now = this.#scope.clock.now();
    const { delay, runAt, dedupeKey } = options;
    const window = options.dedupeWindow ?? DEDUPE_WINDOW_S;
    const dedupe = dedupeKey === undefined ? undefined : { key: dedupeKey, window };
    const task: OutgoingTask = {
      id: options.id ?? (dedupe && this.#scope.backend().dedupedId?.(route, dedupe, now)) ?? freshId(),
      route,
      payloadJson,
      enqueuedAt: now,
      runAt: runAt?.getTime() ?? (delay === undefined ? undefined : now + delay * 1000),
      dedupe,
      priority: options.priority,
      orderingKey: options.orderingKey,
      carriedAttempts: 0,
    };
    this.#scope.backend().assertSendable?.(task);
    return task;
  }

  #send(task: OutgoingTask): Receipt | Promise<Receipt> {
    const refused = (error: unknown) => {
      throw notAccepted(task, error);
    };
    try {
      const receipt = this.#scope.backend().send(task);
      return isThenable(receipt) ? receipt.catch(refused) : receipt;
    } catch (error) {
      return refused(error);
    }
  }

  /** Sends many prepared tasks; each settles by itself. */
  async sendMany(tasks: readonly OutgoingTask[]): Promise<readonly PromiseSettledResult<Receipt>[]> {
    const backend = this.#scope.backend();
    if (backend.sendMany !== undefined) return backend.sendMany(tasks);
    return Promise.allSettled(tasks.map(async (task) => this.#send(task)));
  }

  /** The run of a task that the backend has. */
  accepted<R>(task: OutgoingTask, receipt: Receipt): TaskRun<R> {
    const { route } = task;
    const hook = this.#scope.hooks.enqueued;
    if (hook !== undefined)
      callHook(
        hook,
        { taskId: receipt.id, name: route.name, path: route.path, deduplicated: receipt.deduplicated },
        this.#scope.logger,
      );
    return new ReceiptRun<R>(receipt, route.path, this.#scope.clock);
  }

  /**
   * Creates a delivered task anew, to run `seconds` from now with the attempts it has `used`; `false` when the backend
   * cannot delay, or keeps its tasks less well than the service that has this one. For `RetryAfter`, whose run counts, and
   * for a task that its queue may soon delete.
   */
  async deferAgain(
    delivery: Delivery,
    route: AnyRoute,
    seconds: number,
    used: number = delivery.attempt,
  ): Promise<boolean> {
    const backend = this.#scope.backend();
    // Created anew, one that others wait for behind its ordering key would lose its place.
    if ((delivery.orderingKey ?? "") !== "") return false;
    const { delay, priority, overlap } = backend.capabilitiesOf?.(route) ?? backend.capabilities;
    // A tick stays with its scheduler where it would lose a lock against overlap, or where it is kept until it is done.
    if (delivery.scheduled && (overlap || delivery.transport !== "scheduler")) return false;
    if ((seconds > 0 && !delay) || !this.#scope.mayReplace(delivery)) return false;
    const now = this.#scope.clock.now();
    await backend.send({
      id: this.#idOf(delivery, route),
      route,
      payloadJson: JSON.stringify(payloadOf(route, delivery.args, delivery.kwargs)),
      enqueuedAt: delivery.enqueuedAt === undefined ? now : new Date(delivery.enqueuedAt).getTime(),
      runAt: seconds > 0 ? now + seconds * 1000 : undefined,
      dedupe: undefined,
      priority: priority ? priorityOf(delivery, route) : undefined,
      carriedAttempts: used,
      replaces: delivery.messageId,
      scheduledFor: delivery.scheduledFor,
    });
    return true;
  }

  /** Every call of a tick has the same fixed id; its run has one of its own. */
  #idOf({ scheduled, scheduledFor, taskId }: Delivery, route: AnyRoute): string {
    return scheduled && scheduledFor !== undefined ? tickId(this.#scope.naming(), route, scheduledFor) : taskId;
  }
}

/** The priority that a delivered task was enqueued with, if its route still has it. */
function priorityOf({ dispatch }: Delivery, { settings }: AnyRoute): string | undefined {
  const priority = dispatch?.priority;
  return priority !== undefined && Object.hasOwn(settings.queue.priorities ?? {}, priority) ? priority : undefined;
}

/** The error of a task that a backend did not take. */
export function notAccepted(task: OutgoingTask, cause: unknown): TasksError {
  if (isTasksError(cause)) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TasksError(
    "NOT_ACCEPTED",
    `enqueue of "${task.route.path}": expected the backend to take the task, got ${why}; it is not enqueued, try again`,
    { cause },
  );
}
