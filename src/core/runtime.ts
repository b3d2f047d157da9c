import type { AuthFactory } from "./auth.ts";
import type { Backend, BackendFactory, BackendHost } from "./backend.ts";
import { boot } from "./boot.ts";
import { buildBackend } from "./build-backend.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, type Environment, isProduction, isTesting, resolveConfig } from "./config.ts";
import { consoleLogger } from "./console-logger.ts";
import { describeError } from "./dead-letter.ts";
import { type AnyRoute, bindNaming } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import { Enqueuer } from "./enqueuer.ts";
import { TasksError } from "./errors.ts";
import { boundHooks, callHook, type Hooks } from "./events.ts";
import { Executor } from "./executor.ts";
import { nextGeneration } from "./fresh-id.ts";
import type { ContextFactory } from "./invoke.ts";
import { guarded, type Logger } from "./logger.ts";
import type { Outcome } from "./outcome.ts";
import type { BootSettings, Provisioner } from "./provisioning.ts";
import { Registry } from "./registry.ts";
import type { Via } from "./route-options.ts";
import { type RuntimeOptions, readRuntimeOptions } from "./runtime-options.ts";
import { isThenable } from "./thenable.ts";
import { tickId } from "./tick.ts";

/** Milliseconds that runs get to end after their signals were aborted at `close`. */
const ABORT_GRACE_MS = 1000;

/** What the place that puts the parts together gives to a client: the core imports no part. */
export interface Composition {
  /** The backend of a client that names none. */
  chooseBackend(config: Config): BackendFactory | readonly BackendFactory[];
  loadProvisioner(runtime: Runtime): Promise<Provisioner>;
  /**
   * The process's own variables. An `env` option may be a selection of them, from which the marks of production are
   * missing: both are looked at. Default: none.
   */
  readonly platform?: Environment;
}

/** What surrounds the types: everything that `createTasks`, the push handler, the adapters and the backends work with. */
export class Runtime {
  readonly registry: Registry;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly env: Environment;
  readonly auth: AuthFactory | undefined;
  readonly executor: Executor;
  readonly enqueuer: Enqueuer;
  readonly #generation = nextGeneration();
  readonly #options: RuntimeOptions;
  readonly #hooks: Hooks;
  readonly #drainTimeout: number;
  readonly #boot: BootSettings | undefined;
  readonly #composition: Composition;
  #config: Config | undefined;
  #backend: Backend | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  /**
   * Checks options and routes; reads no environment and starts nothing.
   *
   * @throws TasksError `INVALID_OPTION` or `DUPLICATE_ROUTE`.
   */
  constructor(
    options: RuntimeOptions & { readonly routes: readonly AnyRoute[]; readonly context?: ContextFactory<unknown> },
    composition: Composition,
  ) {
    const { drainTimeout, boot: bootSettings } = readRuntimeOptions(options);
    this.#drainTimeout = drainTimeout;
    this.#boot = bootSettings;
    this.registry = new Registry(options.routes);
    this.env = options.env ?? {};
    this.clock = options.clock ?? systemClock;
    this.logger = guarded(options.logger ?? consoleLogger({ json: isProduction(this.env) }));
    this.auth = options.auth;
    this.#options = options;
    this.#hooks = boundHooks(options.hooks);
    this.#composition = composition;
    this.enqueuer = new Enqueuer({
      registry: this.registry,
      clock: this.clock,
      logger: this.logger,
      hooks: this.#hooks,
      naming: () => this.config,
      backend: () => this.backend,
      assertOpen: () => this.#assertOpen(),
      mayReplace: (delivery) => this.#mayReplace(delivery),
    });
    this.executor = new Executor({
      registry: this.registry,
      clock: this.clock,
      logger: this.logger,
      hooks: this.#hooks,
      env: this.env,
      context: options.context,
      middleware: options.middleware ?? [],
      ready: this.#readiness(options.ready),
      config: () => this.config,
      createAnew: (delivery, route, used) => this.#createAnew(delivery, route, used),
      sink: (delivery) => (this.#mayReplace(delivery) ? this.backend.deadLetters : undefined),
      enqueue: (route, ...[payload, enqueueOptions]) => this.enqueuer.enqueue(route, payload, enqueueOptions),
    });
    for (const route of this.registry.routes) bindNaming(route, () => this.config);
  }

  /**
   * The environment, read when first asked for.
   *
   * @throws TasksError `INVALID_CONFIG`.
   */
  get config(): Config {
    if (this.#config === undefined) {
      const { platform = {} } = this.#composition;
      const marks = { production: isProduction(platform), testing: isTesting(platform) };
      this.#config = resolveConfig(this.env, { ...this.#options, ...marks });
    }
    return this.#config;
  }

  /**
   * The backend, built when first asked for.
   *
   * @throws TasksError `INVALID_CONFIG`, `UNSUPPORTED` or `CLOSED`.
   */
  get backend(): Backend {
    if (this.#backend === undefined) {
      this.#assertOpen();
      const chosen = this.#options.backend ?? this.#composition.chooseBackend(this.config);
      this.#backend = buildBackend(chosen, this.#host());
    }
    return this.#backend;
  }

  #assertOpen(): void {
    if (this.#closed)
      throw new TasksError("CLOSED", "client: expected an open one, got a closed one; use it before close()");
  }

  /** See `Tasks.start`. */
  start(): Promise<void> {
    const delivering = this.backend.start?.() ?? Promise.resolve();
    const provisioned = this.#provisioned;
    return provisioned === undefined ? delivering : Promise.all([delivering, provisioned]).then(() => {});
  }

  /**
   * Which service carries a route that does not say: that of the first cloud backend, else Pub/Sub, since a local one stands
   * for either. A local one that nobody named in code is not built for the sake of its name.
   *
   * @throws TasksError `INVALID_CONFIG` when the backends that are named do not fit the routes.
   */
  get defaultVia(): Via {
    const inCloud = this.config.backends.some((name) => name === "pubsub" || name === "cloud-tasks");
    if (this.#options.backend === undefined && !inCloud) return "pubsub";
    return this.backend.name.startsWith("cloud-tasks") ? "cloud-tasks" : "pubsub";
  }

  /** What makes this client's cloud resources, loaded when first asked for. */
  provisioner(): Promise<Provisioner> {
    return this.#composition.loadProvisioner(this);
  }

  /** The provisioning at boot that others wait for; begins it if there is one. */
  get #provisioned(): Promise<void> | undefined {
    const settings = this.#boot;
    if (settings === undefined || !this.config.onCloudRun) return undefined;
    const { projectId, environment, namespace } = this.config;
    const key = [projectId, environment, namespace, ...this.registry.routes.map(({ path }) => path)].join("\n");
    const { clock, logger } = this;
    const begun = boot({ settings, key, clock, logger, provisioner: () => this.provisioner() });
    return settings.required ? begun : undefined;
  }

  #readiness(ready: RuntimeOptions["ready"]): RuntimeOptions["ready"] {
    if (this.#boot?.required !== true) return ready;
    return async () => {
      await this.#provisioned;
      return ready === undefined || ready();
    };
  }

  /**
   * Whether the backend may take the place of the transport, so that a message is acknowledged there: in production, one
   * that a real service holds is not traded for one in memory.
   */
  #mayReplace({ transport }: Pick<Delivery, "transport">): boolean {
    const ownMessage = transport === "local" || transport === "immediate";
    return ownMessage || !this.config.production || this.backend.capabilities.durable;
  }

  async #createAnew(delivery: Delivery, route: AnyRoute, used: number): Promise<boolean> {
    try {
      return await this.enqueuer.deferAgain(delivery, route, 0, used);
    } catch (error) {
      const fields = { task: route.path, taskId: delivery.taskId, error: describeError(error) };
      this.logger.error("a task that its queue may soon delete could not be created anew", fields);
      return false;
    }
  }

  #host(): Omit<BackendHost, "carries"> {
    return {
      generation: this.#generation,
      registry: this.registry,
      config: this.config,
      clock: this.clock,
      logger: this.logger,
      send: (task) => this.backend.send(task),
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
