import { DedupeKeys } from "../engine/dedupe.ts";
import { queueFilter } from "./cloud-tasks-filter.ts";
import { assertLocation, assertQueueName, assertTaskName, queueOfTask, queueReference } from "./cloud-tasks-names.ts";
import { TaskQueue } from "./cloud-tasks-queue.ts";
import { newQueueConfig, type QueueConfig, type QueueFields, updatedQueueConfig } from "./cloud-tasks-queue-config.ts";
import type { QueuedTask, TaskFields, TaskView } from "./cloud-tasks-task.ts";
import { HttpDispatcher } from "./dispatch.ts";
import type { Policy } from "./iam.ts";
import { type PageRequest, pageOf } from "./paging.ts";
import type { EmulatorScope, Service } from "./service.ts";
import { alreadyExists, CODES, invalid, notFound, RpcError } from "./status.ts";
import type { FieldMask } from "./update-mask.ts";

/** The name of a deleted queue cannot be used for this long. */
const QUEUE_TOMBSTONE_MS = 7 * 86_400_000;
/** Most queues, and most tasks, in one page; as many are given when a request does not say. */
const QUEUES_A_PAGE = 9800;
const TASKS_A_PAGE = 1000;

interface Named {
  readonly name?: string;
  readonly responseView?: TaskView;
}

interface Listing extends PageRequest {
  readonly parent?: string;
  readonly filter?: string;
  readonly responseView?: TaskView;
}

interface OfResource {
  readonly resource?: string;
  readonly policy?: Policy;
  readonly permissions?: readonly string[];
}

/**
 * Emulates `google.cloud.tasks.v2.CloudTasks`: queues, and tasks with HTTP targets, without App Engine. Codes and texts are
 * those recorded from the service where they are known.
 */
export function cloudTasksService(scope: EmulatorScope): Service {
  const tasks = new CloudTasks(scope);
  return {
    name: "google.cloud.tasks.v2.CloudTasks",
    methods: {
      ListQueues: (request: Listing) => tasks.listQueues(request),
      GetQueue: ({ name }: Named) => tasks.queue(name).view(),
      CreateQueue: ({ parent, queue }: { parent?: string; queue?: QueueFields }) => tasks.createQueue(parent, queue),
      UpdateQueue: ({ queue, updateMask }: { queue?: QueueFields; updateMask?: FieldMask }) =>
        tasks.updateQueue(queue, updateMask),
      DeleteQueue: ({ name }: Named) => tasks.deleteQueue(name),
      PurgeQueue: ({ name }: Named) => tasks.changed(name, (queue) => queue.purge()),
      PauseQueue: ({ name }: Named) => tasks.changed(name, (queue) => queue.pause(true)),
      ResumeQueue: ({ name }: Named) => tasks.changed(name, (queue) => queue.pause(false)),
      ListTasks: (request: Listing) => tasks.listTasks(request),
      GetTask: ({ name = "", responseView }: Named) => tasks.holder(name).get(name).view(responseView),
      CreateTask: ({ parent, task, responseView }: { parent?: string; task?: TaskFields; responseView?: TaskView }) =>
        tasks.createTask(parent, task).view(responseView),
      DeleteTask: ({ name = "" }: Named) => {
        tasks.holder(name).delete(name);
        return {};
      },
      RunTask: ({ name = "", responseView }: Named) => tasks.holder(name).run(name).view(responseView),
      GetIamPolicy: ({ resource }: OfResource) => scope.iam.get(tasks.queue(resource).name),
      SetIamPolicy: ({ resource, policy }: OfResource) => scope.iam.set(tasks.queue(resource).name, policy),
      TestIamPermissions: ({ resource, permissions }: OfResource) => ({
        permissions: tasks.has(queueReference(resource)) ? scope.iam.test(permissions) : [],
      }),
    },
    state: () => tasks.state(),
    close: async () => tasks.close(),
  };
}

class CloudTasks {
  readonly #scope: EmulatorScope;
  readonly #dispatcher: HttpDispatcher;
  readonly #queues = new Map<string, TaskQueue>();
  readonly #deleted = new DedupeKeys<true>();

  constructor(scope: EmulatorScope) {
    this.#scope = scope;
    this.#dispatcher = new HttpDispatcher(scope.clock);
  }

  /** @throws RpcError INVALID_ARGUMENT, NOT_FOUND. */
  queue(name: string | undefined): TaskQueue {
    const queue = this.#queues.get(queueReference(name));
    if (queue !== undefined) return queue;
    throw notFound(
      "Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.",
    );
  }

  has(name: string): boolean {
    return this.#queues.has(name);
  }

  /** The queue of a task's name. */
  holder(taskName: string): TaskQueue {
    return this.queue(queueOfTask(taskName));
  }

  listQueues({ parent = "", filter = "", pageSize = 0, pageToken = "" }: Listing): object {
    assertLocation(parent);
    const matches = queueFilter(filter);
    const queues = [...this.#queues.values()].filter((queue) => queue.name.startsWith(`${parent}/`) && matches(queue));
    const request = { pageSize: pageSize === 0 ? QUEUES_A_PAGE : pageSize, pageToken };
    const { items, nextPageToken } = pageOf(queues, ({ name }) => name, request, QUEUES_A_PAGE);
    return { queues: items.map((queue) => queue.view()), nextPageToken };
  }

  createQueue(parent: string | undefined, queue: QueueFields = {}): object {
    assertLocation(parent);
    const { name = "" } = queue;
    assertQueueName(name);
    if (!name.startsWith(`${parent}/queues/`)) throw invalid(`${name} must begin with ${parent}.`);
    const config = newQueueConfig(queue);
    if (this.#queues.has(name)) throw alreadyExists("Queue already exists");
    return this.#open(name, config).view();
  }

  updateQueue(queue: QueueFields = {}, mask?: FieldMask): object {
    const { name = "" } = queue;
    assertQueueName(name);
    const existing = this.#queues.get(name);
    const config = updatedQueueConfig(existing?.config ?? newQueueConfig({}), queue, mask);
    if (existing === undefined) return this.#open(name, config).view();
    existing.configure(config);
    return existing.view();
  }

  /** @throws RpcError FAILED_PRECONDITION when a queue of that name was deleted within the last week. */
  #open(name: string, config: QueueConfig): TaskQueue {
    if (this.#deleted.holder(name, this.#scope.clock.now()) !== undefined)
      throw new RpcError(
        CODES.FAILED_PRECONDITION,
        "The queue cannot be created because a queue with this name existed too recently.",
      );
    const queue = new TaskQueue(name, config, this.#scope, this.#dispatcher);
    this.#queues.set(name, queue);
    return queue;
  }

  deleteQueue(name: string | undefined): object {
    const queue = this.#queues.get(queueReference(name));
    if (queue === undefined) throw notFound("Requested entity was not found.");
    this.#queues.delete(queue.name);
    queue.close();
    this.#scope.iam.delete(queue.name);
    this.#deleted.hold(queue.name, true, this.#scope.clock.now() + QUEUE_TOMBSTONE_MS);
    return {};
  }

  changed(name: string | undefined, change: (queue: TaskQueue) => void): object {
    const queue = this.queue(name);
    change(queue);
    return queue.view();
  }

  createTask(parent: string | undefined, task: TaskFields | undefined): QueuedTask {
    const reference = queueReference(parent);
    if (task === undefined) throw invalid("Task is required.");
    const { name = "" } = task;
    if (name !== "") assertTaskName(name, reference);
    return this.queue(reference).create(task);
  }

  listTasks({ parent, responseView, pageSize = 0, pageToken = "" }: Listing): object {
    const request = { pageSize: pageSize === 0 ? TASKS_A_PAGE : pageSize, pageToken };
    const { items, nextPageToken } = pageOf(this.queue(parent).tasks(), ({ name }) => name, request, TASKS_A_PAGE);
    return { tasks: items.map((task) => task.view(responseView)), nextPageToken };
  }

  state(): object {
    return { queues: [...this.#queues.values()].map(({ name, state, size }) => ({ name, state, tasks: size })) };
  }

  close(): void {
    for (const queue of this.#queues.values()) queue.close();
    this.#queues.clear();
    this.#dispatcher.close();
  }
}
