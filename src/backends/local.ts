import type { Backend, BackendFactory, BackendHost, Capabilities, OutgoingTask, Receipt } from "../core/backend.ts";
import { assertKnownOptions } from "../core/options.ts";
import { assertDevelopment } from "../core/production.ts";
import type { Engine } from "../engine/engine.ts";
import type { EngineHost } from "../engine/host.ts";
import { inProcessHost } from "../engine/in-process.ts";
import {
  isDurable,
  LOCAL_ENGINE_OPTIONS,
  type LocalEngineOptions,
  type OpenEngine,
  openEngine,
} from "../engine/open-engine.ts";
import { Ticker } from "../engine/ticker.ts";

/** Options of {@link local}. */
export interface LocalOptions extends LocalEngineOptions {
  /** Whether it may be used in production. Default `false`. */
  readonly allowInProduction?: boolean;
  /**
   * A name under which the engine is kept for the whole process, so that a module evaluated again by a hot reload takes
   * over its queue instead of starting a second one. Clients of one name that have no route in common keep apart. Needless
   * beside `file`, which is such a name. Default: an engine of its own.
   */
  readonly shared?: string;
}

/**
 * The local engine in this process, delivering straight to the tasks. Retries, delays, dedupe keys, schedules, dead letters
 * and limits behave as in the cloud. With `file` it keeps its queue there: once `enqueue` has resolved, a process that is
 * killed loses nothing, and the next one repeats at most the deliveries that were in flight. Without, what waits is gone
 * when the process ends.
 */
export function local(options: LocalOptions = {}): BackendFactory {
  assertKnownOptions("local", options, [...LOCAL_ENGINE_OPTIONS, "allowInProduction", "shared"]);
  return (host) => {
    assertDevelopment(host.config, "local", options.allowInProduction);
    return new LocalBackend(host, options);
  };
}

class LocalBackend implements Backend {
  readonly name = "local";
  readonly capabilities: Capabilities;
  readonly #host: BackendHost;
  readonly #open: OpenEngine;
  readonly #engineHost: EngineHost;
  readonly #ticker: Ticker;
  #started: Promise<void> | undefined;

  constructor(host: BackendHost, options: LocalOptions) {
    const durable = isDurable(host, options);
    this.capabilities = {
      delay: true,
      dedupe: true,
      priority: false,
      ordering: true,
      durable,
      results: true,
      overlap: true,
    };
    this.#host = host;
    this.#engineHost = inProcessHost(host);
    this.#open = openEngine(host, this.#engineHost, options, options.shared);
    this.#ticker = new Ticker({ clock: host.clock, logger: host.logger, host: this.#engineHost, engine: this.#engine });
  }

  get #engine(): Engine {
    return this.#open.engine;
  }

  get deadLetters(): Engine["deadLetters"] {
    return this.#engine.deadLetters;
  }

  send(task: OutgoingTask): Receipt | Promise<Receipt> {
    void this.start();
    return this.#engine.publish(task);
  }

  start(): Promise<void> {
    this.#started ??= this.#ticker.start(this.#host.registry.routes);
    return this.#started;
  }

  async close(): Promise<void> {
    this.#ticker.close();
    this.#open.close();
    // A run that has just ended is still on its way back to the engine, as promises.
    await new Promise((resolve) => setImmediate(resolve));
    this.#open.dispose();
  }
}
