import type { AuthFactory } from "./auth.ts";
import type { Backend, BackendFactory, BackendHost, OutgoingTask, Receipt } from "./backend.ts";
import { assertEnqueueOptions, assertLettersKept, assertRoutesFit } from "./capabilities.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, type Environment, isProduction, isTesting, resolveConfig } from "./config.ts";
import { consoleLogger } from "./console-logger.ts";
import type { EnqueueOptions } from "./context.ts";
import { type AnyRoute, bindNaming } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import { TasksError } from "./errors.ts";
import { boundHooks, callHook, type Hooks } from "./events.ts";
import { Executor } from "./executor.ts";
import { freshId, nextGeneration } from "./fresh-id.ts";
import type { ContextFactory } from "./invoke.ts";
import { guarded, type Logger } from "./logger.ts";
import type { Outcome } from "./outcome.ts";
import { encodePayload, payloadOf } from "./payload.ts";
import { Registry } from "./registry.ts";
import { type RuntimeOptions, readRuntimeOptions } from "./runtime-options.ts";
import { ReceiptRun, type TaskRun } from "./task-run.ts";
import { isThenable } from "./thenable.ts";
import { tickId } from "./tick.ts";

const NO_OPTIONS: EnqueueOptions = Object.freeze({});

/** Seconds after which an enqueued key may be used again, unless said otherwise: as long as Cloud Tasks promises. */
const DEDUPE_WINDOW_S = 3600;
/** Milliseconds that runs get to end after their signals were aborted at `close`. */
const ABORT_GRACE_MS = 1000;

/** What surrounds the types: everything that `createTasks`, the push handler, the adapters and the backends work with. */
export class Runtime {
  readonly registry: Registry;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly env: Environment;
  readonly auth: AuthFactory | undefined;
  readonly executor: Executor;
  readonly #generation = nextGeneration();
  readonly #options: RuntimeOptions;
  readonly #hooks: Hooks;
  readonly #drainTimeout: number;
  readonly #chooseBackend: (config: Config) => BackendFactory;
  readonly #platform: Environment;
  #config: Config | undefined;
  #backend: Backend | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  /**
   * Checks options and routes; reads no environment and starts nothing.
   *
   * @param platform the process's own variables. An `env` option may be a selection of them, from which the marks of
   * production are missing: both are looked at.
   * @throws TasksError `INVALID_OPTION` or `DUPLICATE_ROUTE`.
   */
  constructor(
    options: RuntimeOptions & { readonly routes: readonly AnyRoute[]; readonly context?: ContextFactory<unknown> },
    chooseBackend: (config: Config) => BackendFactory,
    platform: Environment = {},
  ) {
    this.#drainTimeout = readRuntimeOptions(options).drainTimeout;
    this.registry = new Registry(options.routes);
    this.env = options.env ?? {};
    this.clock = options.clock ?? systemClock;
    this.#platform = platform;
    this.logger = guarded(options.logger ?? consoleLogger({ json: isProduction(this.env) }));
    this.auth = options.auth;
    this.#options = options;
    this.#hooks = boundHooks(options.hooks);
    this.#chooseBackend = chooseBackend;
    this.executor = new Executor({
      registry: this.registry,
      clock: this.clock,
      logger: this.logger,
      hooks: this.#hooks,
      env: this.env,
      context: options.context,
      middleware: options.middleware ?? [],
      ready: options.ready,
      config: () => this.config,
      sink: (delivery) => (this.#mayReplace(delivery) ? this.backend.deadLetters : undefined),
      enqueue: (route, ...[payload, enqueueOptions]) => this.enqueue(route, payload, enqueueOptions),
    });
    for (const route of this.registry.routes) bindNaming(route, () => this.config);
  }

  /**
   * The environment, read when first asked for.
   *
   * @throws TasksError `INVALID_CONFIG`.
   */
  get config(): Config {
    const platform = { production: isProduction(this.#platform), testing: isTesting(this.#platform) };
    this.#config ??= resolveConfig(this.env, { ...this.#options, ...platform });
    return this.#config;
  }

  /**
   * The backend, built when first asked for.
   *
   * @throws TasksError `INVALID_CONFIG`, `UNSUPPORTED` or `CLOSED`.
   */
  get backend(): Backend {
    if (this.#backend === undefined) {
      if (this.#closed) throw closedError();
      const factory = this.#options.backend ?? this.#chooseBackend(this.config);
      const backend = factory(this.#host());
      assertRoutesFit(this.registry.routes, backend, this.logger);
      if (this.config.production) assertLettersKept(this.registry.routes, backend);
      this.#backend = backend;
    }
    return this.#backend;
  }

  /**
   * Whether the backend may take the place of the transport, so that a message is acknowledged there: in production, one
   * that a real service holds is not traded for one in memory.
   */
  #mayReplace({ transport }: Delivery): boolean {
    const ownMessage = transport === "local" || transport === "immediate";
    return ownMessage || !this.config.production || this.backend.capabilities.durable;
  }

  #host(): BackendHost {
    return {
      generation: this.#generation,
      registry: this.registry,
      config: this.config,
      clock: this.clock,
      logger: this.logger,
      execute: (delivery, route) => this.#executeAdmitted(delivery, route),
      skipped: (route, scheduledFor) => this.#skipped(route, scheduledFor),
    };
  }

  #executeAdmitted(delivery: Delivery, route: AnyRoute): Promise<Outcome> {
    const refusal = this.executor.admit();
    if (refusal === undefined) return this.executor.execute(delivery, route);
    if (!isThenable(refusal)) return Promise.resolve(refusal);
    return Promise.resolve(refusal).then((settled) => settled ?? this.executor.execute(delivery, route));
  }

  #skipped(route: AnyRoute, scheduledFor: Date): void {
    const taskId = tickId(this.config, route, scheduledFor);
    this.logger.info("a tick was skipped: the run before it is not finished", { task: route.path, taskId });
    const event = {
      taskId,
      name: route.name,
      path: route.path,
      attempt: 1,
      maxAttempts: route.settings.maxAttempts,
      messageId: taskId,
      scheduledFor,
      outcome: { type: "skipped", reason: "overlap" },
      duration: 0,
    } as const;
    callHook(this.#hooks.finished, event, this.logger);
  }

  /** Validates, names and hands one task to the backend; resolves once the backend has it. */
  async enqueue<R>(ref: { readonly path: string }, input: unknown, options?: EnqueueOptions): Promise<TaskRun<R>> {
    const prepared = this.prepare(ref, input, options);
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
    if (this.#closed) throw closedError();
    const route = this.registry.resolve(ref);
    if (options !== NO_OPTIONS) assertEnqueueOptions(options, this.backend);
    const payloadJson = encodePayload(route, input);
    if (typeof payloadJson === "string") return this.#outgoing(route, payloadJson, options);
    return payloadJson.then((text) => this.#outgoing(route, text, options));
  }

  #outgoing(route: AnyRoute, payloadJson: string, options: EnqueueOptions): OutgoingTask {
    const now = this.clock.now();
    const { delay, runAt, dedupeKey } = options;
    return {
      id: options.id ?? freshId(),
      route,
      payloadJson,
      enqueuedAt: now,
      runAt: runAt?.getTime() ?? (delay === undefined ? undefined : now + delay * 1000),
      dedupe: dedupeKey === undefined ? undefined : { key: dedupeKey, window: options.dedupeWindow ?? DEDUPE_WINDOW_S },
      priority: options.priority,
      carriedAttempts: 0,
    };
  }

  #send(task: OutgoingTask): Receipt | Promise<Receipt> {
    const refused = (error: unknown) => {
      throw notAccepted(task, error);
    };
    try {
      const receipt = this.backend.send(task);
      return isThenable(receipt) ? receipt.catch(refused) : receipt;
    } catch (error) {
      return refused(error);
    }
  }

  /** Sends many prepared tasks; each settles by itself. */
  async sendMany(tasks: readonly OutgoingTask[]): Promise<readonly PromiseSettledResult<Receipt>[]> {
    const backend = this.backend;
    if (backend.sendMany !== undefined) return backend.sendMany(tasks);
    return Promise.allSettled(tasks.map(async (task) => this.#send(task)));
  }

  /** The run of a task that the backend has. */
  accepted<R>(task: OutgoingTask, receipt: Receipt): TaskRun<R> {
    const { route } = task;
    const hook = this.#hooks.enqueued;
    if (hook !== undefined)
      callHook(
        hook,
        { taskId: receipt.id, name: route.name, path: route.path, deduplicated: receipt.deduplicated },
        this.logger,
      );
    return new ReceiptRun<R>(receipt, route.path, this.clock);
  }

  /**
   * Creates a delivered task anew, to run `seconds` from now with the attempts it has used; `false` when the backend
   * cannot delay, or keeps its tasks less well than the service that has this one. For `RetryAfter`.
   */
  async deferAgain(delivery: Delivery, route: AnyRoute, seconds: number): Promise<boolean> {
    const backend = this.backend;
    // A tick stays with its scheduler: created anew it would lose its lock against overlap.
    if (delivery.scheduled || !backend.capabilities.delay || !this.#mayReplace(delivery)) return false;
    const now = this.clock.now();
    await backend.send({
      id: delivery.taskId,
      route,
      payloadJson: JSON.stringify(payloadOf(route, delivery.args, delivery.kwargs)),
      enqueuedAt: delivery.enqueuedAt === undefined ? now : new Date(delivery.enqueuedAt).getTime(),
      runAt: now + seconds * 1000,
      dedupe: undefined,
      priority: undefined,
      carriedAttempts: delivery.attempt,
    });
    return true;
  }

  /** See `Tasks.close`. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const left = await this.executor.drain(this.#drainTimeout * 1000, ABORT_GRACE_MS);
    if (left > 0)
      this.logger.warn("closed with tasks that ignore their signal; they were not acknowledged", { running: left });
    this.#closed = true;
    await this.#backend?.close();
  }
}

function closedError(): TasksError {
  return new TasksError("CLOSED", "client: expected an open one, got a closed one; use it before close()");
}

/** The error of a task that a backend did not take. */
export function notAccepted(task: OutgoingTask, cause: unknown): TasksError {
  if (cause instanceof TasksError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TasksError(
    "NOT_ACCEPTED",
    `enqueue of "${task.route.path}": expected the backend to take the task, got ${why}; it is not enqueued, try again`,
    { cause },
  );
}
