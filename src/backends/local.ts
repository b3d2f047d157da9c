import type { Backend, BackendFactory, BackendHost, OutgoingTask, Receipt } from "../core/backend.ts";
import type { Delivery } from "../core/delivery.ts";
import { assertKnownOptions } from "../core/options.ts";
import type { Outcome } from "../core/outcome.ts";
import { assertDevelopment } from "../core/production.ts";
import { Engine, type EngineHost } from "../engine/engine.ts";
import type { Message } from "../engine/message.ts";
import { Ticker } from "../engine/ticker.ts";

/** Options of {@link local}. */
export interface LocalOptions {
  /** Deliveries in flight at once, all routes together. Default 100. */
  readonly maxInFlight?: number;
  /** Whether it may be used in production. Default `false`. */
  readonly allowInProduction?: boolean;
  /**
   * A name under which the engine is kept for the whole process, so that a module evaluated again by a hot reload takes
   * over its queue instead of starting a second one. Clients of one name that have no route in common keep apart.
   * Default: an engine of its own.
   */
  readonly shared?: string;
}

/**
 * The local engine in this process, delivering straight to the tasks. It keeps its queue in memory: what waits is gone
 * when the process ends. Retries, delays, dedupe keys, schedules, dead letters and limits behave as in the cloud.
 */
export function local(options: LocalOptions = {}): BackendFactory {
  assertKnownOptions("local", options, ["maxInFlight", "allowInProduction", "shared"]);
  return (host) => {
    assertDevelopment(host.config, "local", options.allowInProduction);
    return new LocalBackend(host, options);
  };
}

interface SharedEngine {
  readonly name: string;
  readonly engine: Engine;
}

/** On the global object, because a hot reload evaluates this module again as well. */
const SHARED = Symbol.for("taskroute.engines");

function sharedEngines(): Set<SharedEngine> {
  const holder = globalThis as { [SHARED]?: Set<SharedEngine> };
  holder[SHARED] ??= new Set();
  return holder[SHARED];
}

/** The engine under a name that serves any of the host's routes, which then is its new host; else a new one. */
function sharedEngine(name: string, host: EngineHost, make: () => Engine): SharedEngine {
  const paths = new Set(host.routes.map(({ path }) => path));
  for (const shared of sharedEngines()) {
    if (shared.name !== name || !shared.engine.host.routes.some(({ path }) => paths.has(path))) continue;
    shared.engine.attach(host);
    return shared;
  }
  const shared = { name, engine: make() };
  sharedEngines().add(shared);
  return shared;
}

class LocalBackend implements Backend {
  readonly name = "local";
  readonly capabilities = { delay: true, dedupe: true, priority: false, durable: false, results: true, overlap: true };
  readonly #host: BackendHost;
  readonly #engine: Engine;
  readonly #engineHost: EngineHost;
  readonly #ticker: Ticker;
  readonly #shared: SharedEngine | undefined;
  #started: Promise<void> | undefined;

  constructor(host: BackendHost, options: LocalOptions) {
    this.#host = host;
    this.#engineHost = {
      routes: host.registry.routes,
      logger: host.logger,
      deliver: (message) => this.#deliver(message),
      skipped: (route, tick) => host.skipped(route, tick),
    };
    const make = () => new Engine(this.#engineHost, { clock: host.clock, maxInFlight: options.maxInFlight });
    this.#shared = options.shared === undefined ? undefined : sharedEngine(options.shared, this.#engineHost, make);
    this.#engine = this.#shared?.engine ?? make();
    this.#ticker = new Ticker({
      clock: host.clock,
      logger: host.logger,
      tick: (route, tick) => this.#tick(route, tick),
    });
  }

  get deadLetters(): Engine["deadLetters"] {
    return this.#engine.deadLetters;
  }

  send(task: OutgoingTask): Receipt {
    void this.start();
    return this.#engine.publish(task);
  }

  start(): Promise<void> {
    this.#started ??= this.#ticker.start(this.#host.registry.routes);
    return this.#started;
  }

  #tick(...[route, tick]: Parameters<Engine["publishTick"]>): void {
    if (this.#owns) this.#engine.publishTick(route, tick);
    else this.#ticker.close();
  }

  /** Whether no later evaluation of the same module has taken the engine over. */
  get #owns(): boolean {
    return this.#engine.host === this.#engineHost;
  }

  #deliver(message: Message): Promise<Outcome> {
    const { registry, execute } = this.#host;
    // By path, not by object: a message may be older than the module that runs it.
    const route = registry.find(message.task.route.path) ?? message.task.route;
    return execute(toDelivery(message, this.#host.clock.now()), route);
  }

  async close(): Promise<void> {
    this.#ticker.close();
    if (!this.#owns) return;
    this.#engine.close();
    if (this.#shared !== undefined) sharedEngines().delete(this.#shared);
    // A run that has just ended is still on its way back to the engine, as promises.
    await new Promise((resolve) => setImmediate(resolve));
    this.#engine.reportAbandoned();
  }
}

function toDelivery(message: Message, now: number): Delivery {
  const { task } = message;
  return {
    transport: "local",
    taskId: task.id,
    taskName: task.route.name,
    args: [],
    kwargs: JSON.parse(task.payloadJson) as Record<string, unknown>,
    enqueuedAt: message.scheduledFor === undefined ? task.enqueuedAt : undefined,
    messageId: message.messageId,
    attempt: message.attempt,
    scheduled: message.scheduledFor !== undefined,
    scheduledFor: message.scheduledFor,
    publishTime: undefined,
    receivedAt: now,
    attributes: {},
  };
}
