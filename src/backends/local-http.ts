import type {
  Backend,
  BackendFactory,
  BackendHost,
  Capabilities,
  OutgoingTask,
  PushTrust,
  Receipt,
} from "../core/backend.ts";
import { TasksError } from "../core/errors.ts";
import { resourceNames } from "../core/names.ts";
import { assertKnownOptions, shown } from "../core/options.ts";
import type { Outcome } from "../core/outcome.ts";
import { assertDevelopment } from "../core/production.ts";
import { isThenable } from "../core/thenable.ts";
import type { Engine } from "../engine/engine.ts";
import { createIdentity, type Identity } from "../engine/identity.ts";
import type { Message } from "../engine/message.ts";
import {
  isDurable,
  LOCAL_ENGINE_OPTIONS,
  type LocalEngineOptions,
  type OpenEngine,
  openEngine,
} from "../engine/open-engine.ts";
import { pushBody } from "../engine/push-body.ts";
import { PushClient } from "../engine/push-client.ts";
import { Ticker } from "../engine/ticker.ts";

/** Options of {@link localHttp}. */
export interface LocalHttpOptions extends LocalEngineOptions {
  /** Where to post. Default `TASKS_PUSH_URL`, else `http://127.0.0.1:{PORT or 8080}/tasks/pubsub`. */
  readonly url?: string;
  /** Whether it may be used in production. Default `false`. */
  readonly allowInProduction?: boolean;
}

/** Milliseconds that answers under way get to arrive at `close`, before their connections are cut. */
const ANSWER_GRACE_MS = 1000;
/** The account that the engine's tokens speak for. */
const ACCOUNT = "local-push@taskroute.invalid";
const PROJECT = "local";
const SIGNER = Symbol.for("taskroute.local-signer");

/**
 * The local engine posting real push requests: Pub/Sub's body, and an OIDC token signed by a key of its own, which the
 * push handler of the same client trusts outside production. The service's endpoint, framework and authentication are
 * exercised as in production. Like `local`, it keeps its queue in `file`, else in memory.
 */
export function localHttp(options: LocalHttpOptions = {}): BackendFactory {
  assertKnownOptions("localHttp", options, [...LOCAL_ENGINE_OPTIONS, "url", "allowInProduction"]);
  return (host) => {
    assertDevelopment(host.config, "local-http", options.allowInProduction);
    return new LocalHttpBackend(host, options);
  };
}

function readUrl(url: string): URL {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return new URL(url);
  throw new TasksError(
    "INVALID_OPTION",
    `localHttp: expected url to be an http(s) URL, got ${shown(url)}; pass the address of your push handler`,
  );
}

class LocalHttpBackend implements Backend {
  readonly name = "local-http";
  readonly capabilities: Capabilities;
  readonly pushTrust: PushTrust;
  readonly #host: BackendHost;
  readonly #url: URL;
  readonly #open: OpenEngine;
  readonly #ticker: Ticker;
  readonly #client: PushClient;
  /** Pushes without an answer so far. */
  readonly #pushes = new Set<Promise<Outcome>>();
  #started: Promise<void> | undefined;

  constructor(host: BackendHost, options: LocalHttpOptions) {
    const durable = isDurable(host, options);
    this.capabilities = {
      delay: true,
      dedupe: true,
      priority: false,
      ordering: true,
      durable,
      results: false,
      overlap: true,
    };
    this.#host = host;
    this.#url = readUrl(options.url ?? host.config.pushUrl);
    this.#client = new PushClient(this.#url, host.clock);
    const engineHost = {
      generation: host.generation,
      routes: host.registry.routes,
      logger: host.logger,
      deliver: (message: Message) => this.#deliver(message),
      skipped: host.skipped,
    };
    this.#open = openEngine(host, engineHost, options);
    this.#ticker = new Ticker({ clock: host.clock, logger: host.logger, host: engineHost, engine: this.#engine });
    this.pushTrust = {
      audience: this.#url.href,
      email: ACCOUNT,
      certificates: async () => (await this.#signer()).certificates(),
    };
  }

  get #engine(): Engine {
    return this.#open.engine;
  }

  get deadLetters(): Engine["deadLetters"] {
    return this.#engine.deadLetters;
  }

  send(task: OutgoingTask): Receipt | Promise<Receipt> {
    void this.start();
    const receipt = this.#engine.publish(task);
    return isThenable(receipt) ? receipt.then(withoutResult) : withoutResult(receipt);
  }

  start(): Promise<void> {
    this.#started ??= this.#ticker.start(this.#host.registry.routes);
    return this.#started;
  }

  #signer(): Promise<Identity> {
    // One for all clients of the process, so that a handler which is mounted for one takes the pushes of the next.
    const holder = globalThis as { [SIGNER]?: Promise<Identity> };
    holder[SIGNER] ??= createIdentity({ email: ACCOUNT });
    return holder[SIGNER];
  }

  #deliver(message: Message): Promise<Outcome> {
    const push = this.#push(message);
    this.#pushes.add(push);
    const answered = () => this.#pushes.delete(push);
    push.then(answered, answered);
    return push;
  }

  async #push(message: Message): Promise<Outcome> {
    const { route } = message.lane;
    const identity = await this.#signer();
    // Tokens live in the machine's time, whatever the engine's clock says: that is what the verifier compares with.
    const token = identity.token({ audience: this.#url.href, issuedAt: new Date() });
    const { subscriptionName } = resourceNames(this.#host.config, route.path);
    return this.#client.push({
      body: pushBody(message, `projects/${PROJECT}/subscriptions/${subscriptionName}`),
      token,
      timeout: route.settings.ackDeadline * 1000,
    });
  }

  async close(): Promise<void> {
    const { clock } = this.#host;
    this.#ticker.close();
    this.#open.close();
    const cut = clock.setTimeout(() => this.#client.close(), ANSWER_GRACE_MS);
    await Promise.allSettled(this.#pushes);
    clock.clearTimeout(cut);
    this.#client.close();
    // What was answered last is still on its way back to the engine, as promises.
    await new Promise((resolve) => setImmediate(resolve));
    this.#open.dispose();
  }
}

/** The task's result stays with the endpoint. */
function withoutResult({ id, deduplicated }: Receipt): Receipt {
  return { id, deduplicated };
}
