import type {
  Backend,
  BackendFactory,
  BackendHost,
  Capabilities,
  OutgoingTask,
  PushTrust,
  Receipt,
} from "../core/backend.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { CARRIED_ATTEMPTS } from "../core/delivery.ts";
import { encodeEnvelope } from "../core/envelope.ts";
import { resourceNames } from "../core/names.ts";
import { GoogleClients } from "../google/clients.ts";
import { measured } from "../google/publish-request.ts";
import { Publisher, type PublisherSettings } from "../google/publisher.ts";
import { type PubsubOptions, readPubsubOptions } from "../google/pubsub-options.ts";
import { emulatorTrust } from "../google/push-trust.ts";

export type { PubsubOptions } from "../google/pubsub-options.ts";

/** Milliseconds that `warm` waits for a connection. */
const CONNECT_TIMEOUT = 5000;

/**
 * Publishes to Google Pub/Sub, one topic a route, and resolves once the service has accepted a task. Google's client
 * (`@google-cloud/pubsub`, a package of its own) is loaded with the first task, or by `tasks.warm()`.
 *
 * Tasks come back as push requests, or through whatever else is subscribed to the topics. `delay`, `runAt` and `dedupeKey`
 * need a queue of Cloud Tasks to wait in: `createTasks({ cloud: { deferralQueue } })`.
 *
 * @throws TasksError `INVALID_OPTION`; `INVALID_CONFIG`, when the backend is built, without a project.
 */
export function pubsub(options: PubsubOptions = {}): BackendFactory {
  const settings = readPubsubOptions(options);
  return (host) => new PubsubBackend(host, settings);
}

class PubsubBackend implements Backend {
  readonly name = "pubsub";
  readonly capabilities: Capabilities;
  declare readonly pushTrust?: PushTrust;
  readonly #host: BackendHost;
  readonly #clients: GoogleClients;
  readonly #publisher: Publisher;
  readonly #topics = new Map<AnyRoute, string>();

  constructor(host: BackendHost, settings: PublisherSettings) {
    this.#host = host;
    this.#clients = new GoogleClients(host.config);
    this.#publisher = new Publisher({ clock: host.clock, connect: () => this.#clients.publishCall() }, settings);
    const defers = host.config.deferralQueue !== undefined;
    this.capabilities = {
      delay: defers,
      dedupe: defers,
      priority: false,
      durable: true,
      results: false,
      ordering: true,
      overlap: false,
    };
    const trust = emulatorTrust(host.config);
    if (trust !== undefined) this.pushTrust = trust;
  }

  #topicOf(route: AnyRoute): string {
    let topic = this.#topics.get(route);
    if (topic === undefined) {
      topic = `projects/${this.#clients.projectId}/topics/${resourceNames(this.#host.config, route.path).topicName}`;
      this.#topics.set(route, topic);
    }
    return topic;
  }

  send(task: OutgoingTask): Promise<Receipt> {
    return new Promise((resolve, reject) => this.#publish(task, resolve, reject));
  }

  #publish(task: OutgoingTask, accepted: (receipt: Receipt) => void, refused: (error: unknown) => void): void {
    const { id, route, payloadJson, enqueuedAt, orderingKey, carriedAttempts } = task;
    const message = measured({
      text: encodeEnvelope({ id, name: route.name, payloadJson, enqueuedAt }),
      attributes: carriedAttempts === 0 ? undefined : { [CARRIED_ATTEMPTS]: String(carriedAttempts) },
      orderingKey,
    });
    this.#publisher.publish(this.#topicOf(route), {
      message,
      takenAt: this.#host.clock.now(),
      accepted: () => accepted({ id, deduplicated: false }),
      refused,
    });
  }

  sendMany(tasks: readonly OutgoingTask[]): Promise<readonly PromiseSettledResult<Receipt>[]> {
    return new Promise((resolve) => {
      const results = new Array<PromiseSettledResult<Receipt>>(tasks.length);
      let left = tasks.length;
      if (left === 0) resolve(results);
      const settle = (index: number, result: PromiseSettledResult<Receipt>) => {
        results[index] = result;
        if (--left === 0) resolve(results);
      };
      for (const [index, task] of tasks.entries()) {
        const refused = (reason: unknown) => settle(index, { status: "rejected", reason });
        try {
          this.#publish(task, (value) => settle(index, { status: "fulfilled", value }), refused);
        } catch (error) {
          refused(error);
        }
      }
    });
  }

  async warm(): Promise<void> {
    const call = await this.#clients.publishCall();
    await call.connected(CONNECT_TIMEOUT);
  }

  /** Everything that was taken is accepted, or refused, before the channels close. */
  async close(): Promise<void> {
    await this.#publisher.close();
    await this.#clients.close();
  }
}
