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
import { DeadLetterTopic } from "../google/dead-letter-topic.ts";
import { Deferral } from "../google/deferral.ts";
import { measured, type TopicMessage } from "../google/publish-request.ts";
import { Publisher, type PublisherSettings } from "../google/publisher.ts";
import { type PubsubOptions, readPubsubOptions } from "../google/pubsub-options.ts";
import { emulatorTrust } from "../google/push-trust.ts";
import { dedupedRunId } from "../google/task-name.ts";

export type { PubsubOptions } from "../google/pubsub-options.ts";

/** Milliseconds that `warm` waits for a connection. */
const CONNECT_TIMEOUT = 5000;
/** Tasks that are put into the deferral queue at once: as many calls as one connection of HTTP/2 usually carries. */
const MOST_DEFERRALS = 100;
/** A payload of fewer characters is far from the largest message, however its characters are encoded. */
const SMALL = 1_000_000;

/**
 * Publishes to Google Pub/Sub, one topic a route, and resolves once the service has accepted a task. Google's client
 * (`@google-cloud/pubsub`, a package of its own) is loaded with the first task, or by `tasks.warm()`.
 *
 * Tasks come back as push requests, or through whatever else is subscribed to the topics. `delay`, `runAt` and `dedupeKey`
 * need a queue of Cloud Tasks to wait in: `createTasks({ cloud: { deferralQueue } })`, and `@google-cloud/tasks`.
 *
 * @throws TasksError `INVALID_OPTION`; `INVALID_CONFIG`, when the backend is built, without a project, or with a deferral
 * queue and without a service account.
 */
export function pubsub(options: PubsubOptions = {}): BackendFactory {
  const settings = readPubsubOptions(options);
  return (host) => new PubsubBackend(host, settings);
}

class PubsubBackend implements Backend {
  readonly name = "pubsub";
  readonly capabilities: Capabilities;
  readonly deadLetters: DeadLetterTopic;
  declare readonly pushTrust?: PushTrust;
  readonly #host: BackendHost;
  readonly #clients: GoogleClients;
  readonly #publisher: Publisher;
  readonly #deferral: Deferral | undefined;
  readonly #topics = new Map<AnyRoute, string>();

  constructor(host: BackendHost, settings: PublisherSettings) {
    const { clock, config } = host;
    const { deferralQueue } = config;
    const clients = new GoogleClients(config);
    this.#host = host;
    this.#clients = clients;
    this.#publisher = new Publisher({ clock, connect: () => clients.publishCall() }, settings);
    this.#deferral =
      deferralQueue === undefined
        ? undefined
        : new Deferral(host, clients, deferralQueue, { timeout: settings.timeout, maxInFlight: MOST_DEFERRALS });
    this.deadLetters = new DeadLetterTopic({
      host,
      clients,
      publisher: this.#publisher,
    });
    this.capabilities = {
      delay: deferralQueue !== undefined,
      dedupe: deferralQueue !== undefined,
      priority: false,
      durable: true,
      results: false,
      ordering: true,
      overlap: false,
    };
    const trust = emulatorTrust(config);
    if (trust !== undefined) this.pushTrust = trust;
  }

  /** Runs of one key have one id, so that the receipt of a second one can name the first: nobody could be asked for it. */
  dedupedId(route: AnyRoute, dedupe: NonNullable<OutgoingTask["dedupe"]>, now: number): string {
    return dedupedRunId(this.#host.config, route.path, dedupe, now);
  }

  #topicOf(route: AnyRoute): string {
    let topic = this.#topics.get(route);
    if (topic === undefined) {
      topic = `projects/${this.#clients.projectId}/topics/${resourceNames(this.#host.config, route.path).topicName}`;
      this.#topics.set(route, topic);
    }
    return topic;
  }

  /** @throws TasksError `INVALID_OPTION`, `INVALID_PAYLOAD`, `UNSUPPORTED`. */
  assertSendable(task: OutgoingTask): void {
    if (this.#waits(task)) this.#deferral?.check(task, this.#topicOf(task.route), messageOf(task));
    else if (task.payloadJson.length > SMALL) measured(messageOf(task));
  }

  /** Whether a task goes through the deferral queue. */
  #waits({ runAt, dedupe }: OutgoingTask): boolean {
    return dedupe !== undefined || (runAt !== undefined && runAt > this.#host.clock.now());
  }

  send(task: OutgoingTask): Promise<Receipt> {
    if (this.#deferral !== undefined && this.#waits(task))
      return this.#deferral.defer(task, this.#topicOf(task.route), () => messageOf(task));
    return new Promise((resolve, reject) => this.#publish(task, resolve, reject));
  }

  #publish(task: OutgoingTask, accepted: (receipt: Receipt) => void, refused: (error: unknown) => void): void {
    this.#publisher.publish(this.#topicOf(task.route), {
      message: measured(messageOf(task)),
      takenAt: this.#host.clock.now(),
      accepted: () => accepted({ id: task.id, deduplicated: false }),
      refused,
    });
  }

  sendMany(tasks: readonly OutgoingTask[]): Promise<readonly PromiseSettledResult<Receipt>[]> {
    if (tasks.some((task) => this.#waits(task))) return Promise.allSettled(tasks.map((task) => this.send(task)));
    return this.#publishMany(tasks);
  }

  /** One promise for all of them: a promise for each costs more than the rest of a small message. */
  #publishMany(tasks: readonly OutgoingTask[]): Promise<readonly PromiseSettledResult<Receipt>[]> {
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
    await Promise.all([call.connected(CONNECT_TIMEOUT), this.#deferral?.warm(CONNECT_TIMEOUT)]);
  }

  /** Everything that was taken is accepted, or refused, before the channels close. */
  async close(): Promise<void> {
    await Promise.all([this.#publisher.close(), this.#deferral?.settled()]);
    await this.#clients.close();
  }
}

function messageOf({ id, route, payloadJson, enqueuedAt, orderingKey, carriedAttempts }: OutgoingTask): TopicMessage {
  return {
    text: encodeEnvelope({ id, name: route.name, payloadJson, enqueuedAt }),
    attributes: carriedAttempts === 0 ? undefined : { [CARRIED_ATTEMPTS]: String(carriedAttempts) },
    orderingKey,
  };
}
