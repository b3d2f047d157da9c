import type { BackendHost, OutgoingTask, Receipt } from "../core/backend.ts";
import type { Config } from "../core/config.ts";
import { TasksError } from "../core/errors.ts";
import { deferralQueueName } from "../core/names.ts";
import type { GoogleClients } from "./clients.ts";
import type { TopicMessage } from "./publish-request.ts";
import { type CreatorSettings, type HttpRequest, TaskCreator } from "./task-creator.ts";
import { assertWindow, dueOf } from "./task-limits.ts";
import { dedupedRunId, taskNameOf } from "./task-name.ts";
import { assertTaskSize } from "./task-request.ts";

/** Seconds that Pub/Sub has to answer a publish. */
const DISPATCH_DEADLINE_S = 30;
const SCOPE = "https://www.googleapis.com/auth/pubsub";

/**
 * Lets messages of Pub/Sub wait, which has no delay of its own and does not tell a message that is published twice: in a
 * queue of Cloud Tasks, whose tasks call Pub/Sub's own publish method when they are due. From then on they are messages
 * like any other, with the subscription's retries, attempts and dead letters.
 *
 * The push account publishes them, for which it needs `roles/pubsub.publisher` on the topics.
 */
export class Deferral {
  readonly #host: BackendHost;
  readonly #creator: TaskCreator;
  readonly #queue: string;
  /** Requests of tasks that were checked and are about to be sent. */
  readonly #checked = new WeakMap<OutgoingTask, HttpRequest>();

  /** @throws TasksError `INVALID_CONFIG` without a service account as which to publish, unless to an emulator. */
  constructor(host: BackendHost, clients: GoogleClients, queue: string | true, settings: CreatorSettings) {
    const { config, clock } = host;
    assertPublishAccount(config);
    this.#host = host;
    this.#creator = new TaskCreator({ clock, clients, account: config.serviceAccounts[0] }, settings);
    const name = queue === true ? deferralQueueName(config) : queue;
    this.#queue = name.includes("/")
      ? name
      : `projects/${clients.projectId}/locations/${config.queueLocation}/queues/${name}`;
  }

  /**
   * Refuses a task that could not wait.
   *
   * @throws TasksError `INVALID_PAYLOAD` beyond 1 MiB, `INVALID_OPTION` beyond 30 days, `UNSUPPORTED` for a window beyond
   * an hour, and together with an ordering key.
   */
  check(task: OutgoingTask, topic: string, message: TopicMessage): void {
    this.#checked.set(task, this.#requestOf(task, topic, message));
  }

  #requestOf(task: OutgoingTask, topic: string, message: TopicMessage): HttpRequest {
    assertUnordered(task);
    assertWindow(task);
    dueOf(task, this.#host.clock.now());
    const request = this.#request(topic, message);
    assertTaskSize(task.route.path, request, `${this.#queue}/tasks/${"x".repeat(64)}`);
    return request;
  }

  /** Resolves once the queue has the task. */
  async defer(task: OutgoingTask, topic: string, message: () => TopicMessage): Promise<Receipt> {
    const { id, route, dedupe, enqueuedAt, replaces } = task;
    const { config, clock } = this.#host;
    const { existed, tries } = await this.#creator.create({
      queue: this.#queue,
      id: taskNameOf(config, task),
      httpRequest: this.#checked.get(task) ?? this.#requestOf(task, topic, message()),
      runAt: dueOf(task, clock.now()),
      dispatchDeadline: DISPATCH_DEADLINE_S,
    });
    if (!existed) return { id, deduplicated: false };
    if (dedupe !== undefined) return { id: dedupedRunId(config, route.path, dedupe, enqueuedAt), deduplicated: true };
    // An earlier try of ours has created it, or an earlier delivery has put it in the same message's place.
    return { id, deduplicated: tries === 1 && replaces === undefined };
  }

  #request(topic: string, { text, attributes }: TopicMessage): HttpRequest {
    const { emulators, serviceAccounts } = this.#host.config;
    const [serviceAccountEmail] = serviceAccounts;
    const origin = emulators.pubsub === undefined ? "https://pubsub.googleapis.com" : `http://${emulators.pubsub}`;
    const message = { data: Buffer.from(text).toString("base64"), ...(attributes === undefined ? {} : { attributes }) };
    return {
      url: `${origin}/v1/${topic}:publish`,
      httpMethod: "POST",
      headers: { "content-type": "application/json" },
      body: Buffer.from(JSON.stringify({ messages: [message] })),
      ...(serviceAccountEmail === undefined ? {} : { oauthToken: { serviceAccountEmail, scope: SCOPE } }),
    };
  }

  /** Loads the client and connects it. */
  warm(timeout: number): Promise<void> {
    return this.#creator.warm(timeout);
  }

  /** Resolves once everything that was taken is in the queue, or refused. */
  settled(): Promise<void> {
    return this.#creator.settled();
  }
}

function assertPublishAccount({ serviceAccounts, emulators }: Config): void {
  if (serviceAccounts.length > 0 || emulators.pubsub !== undefined) return;
  throw new TasksError(
    "INVALID_CONFIG",
    "TASKS_SERVICE_ACCOUNT: expected the e-mail of the account as which the deferral queue publishes, got none; set it, or pass cloud: { serviceAccount } to createTasks",
  );
}

/** Messages leave a queue in no order, so that a key could not be kept. */
function assertUnordered({ orderingKey }: OutgoingTask): void {
  if (orderingKey === undefined) return;
  throw new TasksError(
    "UNSUPPORTED",
    "enqueue: expected orderingKey without delay, runAt or dedupeKey, got both; Pub/Sub keeps no order among messages that wait, leave one out",
  );
}
