import type {
  Backend,
  BackendFactory,
  BackendHost,
  Capabilities,
  OutgoingTask,
  PushTrust,
  Receipt,
} from "../core/backend.ts";
import type { DeadLetterBox } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { isTasksError, TasksError } from "../core/errors.ts";
import { queueNameOf } from "../core/queue-name.ts";
import { GoogleClients } from "../google/clients.ts";
import {
  type CloudTasksOptions,
  type CloudTasksSettings,
  readCloudTasksOptions,
} from "../google/cloud-tasks-options.ts";
import { DeadLetterTopic } from "../google/dead-letter-topic.ts";
import type { PublishCall } from "../google/publish-call.ts";
import { Publisher } from "../google/publisher.ts";
import { readPubsubOptions } from "../google/pubsub-options.ts";
import { emulatorTrust } from "../google/push-trust.ts";
import { type NewTask, TaskCreator } from "../google/task-creator.ts";
import { assertWindow, dueOf } from "../google/task-limits.ts";
import { dedupedRunId, taskNameOf } from "../google/task-name.ts";
import {
  assertPushAccount,
  assertTaskSize,
  type PushTarget,
  pushTargetOf,
  taskRequestOf,
} from "../google/task-request.ts";

export type { CloudTasksOptions } from "../google/cloud-tasks-options.ts";

/** Cloud Tasks waits no shorter for an answer; a route without `via` may ask for less. */
const SHORTEST_DEADLINE_S = 15;
/** Milliseconds that `warm` waits for a connection. */
const CONNECT_TIMEOUT = 5000;

const CAPABILITIES: Capabilities = {
  delay: true,
  dedupe: true,
  priority: true,
  durable: true,
  results: false,
  ordering: false,
  overlap: false,
};

/**
 * Creates tasks in queues of Google Cloud Tasks, one queue a route unless routes say otherwise, and resolves once the
 * service has accepted a task. Google's client (`@google-cloud/tasks`, a package of its own) is loaded with the first task,
 * or by `tasks.warm()`. Tasks come back as requests to the push handler at `cloud: { serviceUrl }`.
 *
 * Dead letters, which Cloud Tasks has none of, are kept in the routes' Pub/Sub topics for them (`@google-cloud/pubsub`).
 *
 * @throws TasksError `INVALID_OPTION`; `INVALID_CONFIG`, when the backend is built, without a project, and in production
 * without a service account.
 */
export function cloudTasks(options: CloudTasksOptions = {}): BackendFactory {
  const settings = readCloudTasksOptions(options);
  return (host) => new CloudTasksBackend(host, settings);
}

class CloudTasksBackend implements Backend {
  readonly name = "cloud-tasks";
  readonly capabilities: Capabilities = CAPABILITIES;
  declare readonly pushTrust?: PushTrust;
  readonly #host: BackendHost;
  readonly #settings: CloudTasksSettings;
  readonly #clients: GoogleClients;
  readonly #creator: TaskCreator;
  readonly #publisher: Publisher;
  readonly deadLetters: DeadLetterBox;
  /** Tasks that were checked and are about to be sent. */
  readonly #checked = new WeakMap<OutgoingTask, NewTask>();
  /** Full names of queues, by the names that routes derive or give. */
  readonly #queues = new Map<string, string>();
  #target: PushTarget | undefined;

  constructor(host: BackendHost, settings: CloudTasksSettings) {
    const { config, clock } = host;
    assertPushAccount(config);
    this.#host = host;
    this.#settings = settings;
    this.#clients = new GoogleClients(config);
    this.#creator = new TaskCreator({ clock, clients: this.#clients, account: config.serviceAccounts[0] }, settings);
    const connect = () => publishCallOf(this.#clients);
    this.#publisher = new Publisher({ clock, connect }, { ...readPubsubOptions({}), timeout: settings.timeout });
    this.deadLetters = new DeadLetterTopic({ host, clients: this.#clients, publisher: this.#publisher });
    const trust = emulatorTrust(config);
    if (trust !== undefined) this.pushTrust = trust;
  }

  dedupedId(route: AnyRoute, dedupe: NonNullable<OutgoingTask["dedupe"]>, now: number): string {
    return dedupedRunId(this.#host.config, route.path, dedupe, now);
  }

  /** @throws TasksError `INVALID_OPTION`, `INVALID_PAYLOAD`, `UNSUPPORTED`; `INVALID_CONFIG` without the service's URL. */
  assertSendable(task: OutgoingTask): void {
    this.#checked.set(task, this.#newTask(task));
  }

  async send(task: OutgoingTask): Promise<Receipt> {
    const { id, route, dedupe, enqueuedAt, replaces } = task;
    const { existed, tries } = await this.#creator.create(this.#checked.get(task) ?? this.#newTask(task));
    if (!existed) return { id, deduplicated: false };
    if (dedupe !== undefined) return { id: this.dedupedId(route, dedupe, enqueuedAt), deduplicated: true };
    // An earlier try of ours has created it, or an earlier delivery has put it in the same message's place.
    return { id, deduplicated: tries === 1 && replaces === undefined };
  }

  sendMany(tasks: readonly OutgoingTask[]): Promise<readonly PromiseSettledResult<Receipt>[]> {
    return Promise.allSettled(tasks.map((task) => this.send(task)));
  }

  #newTask(task: OutgoingTask): NewTask {
    const { route, dedupe, replaces } = task;
    assertWindow(task);
    this.#target ??= pushTargetOf(this.#host.config);
    const queue = this.#queueOf(route, task.priority);
    const isNamed = this.#settings.named || dedupe !== undefined || replaces !== undefined;
    const id = isNamed ? taskNameOf(this.#host.config, task) : undefined;
    const httpRequest = taskRequestOf(task, this.#target);
    assertTaskSize(route.path, httpRequest, `${queue}/tasks/${id ?? ""}`);
    const dispatchDeadline = Math.max(SHORTEST_DEADLINE_S, route.settings.ackDeadline);
    return { queue, id, httpRequest, runAt: dueOf(task, this.#host.clock.now()), dispatchDeadline };
  }

  #queueOf(route: AnyRoute, priority: string | undefined): string {
    const { config } = this.#host;
    const key = `${route.path}\n${priority ?? ""}`;
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      const name = queueNameOf(config, route, priority);
      const { projectId } = this.#clients;
      queue = name.includes("/") ? name : `projects/${projectId}/locations/${config.queueLocation}/queues/${name}`;
      this.#queues.set(key, queue);
    }
    return queue;
  }

  /** @throws TasksError `INVALID_CONFIG` without the service's URL; `MISSING_PACKAGE`, `NO_CREDENTIALS`. */
  async warm(): Promise<void> {
    this.#target ??= pushTargetOf(this.#host.config);
    await this.#creator.warm(CONNECT_TIMEOUT);
  }

  /** Everything that was taken is accepted, or refused, before the channel closes. */
  async close(): Promise<void> {
    await Promise.all([this.#creator.settled(), this.#publisher.close()]);
    await this.#clients.close();
  }
}

/** @throws TasksError `MISSING_PACKAGE`, which says why a service that never publishes needs it. */
async function publishCallOf(clients: GoogleClients): Promise<PublishCall> {
  try {
    return await clients.publishCall();
  } catch (error) {
    if (!isTasksError(error, "MISSING_PACKAGE")) throw error;
    const why = "Cloud Tasks has no dead letters, which are therefore kept in Pub/Sub";
    throw new TasksError("MISSING_PACKAGE", `${error.message}: ${why}`, { cause: error });
  }
}
