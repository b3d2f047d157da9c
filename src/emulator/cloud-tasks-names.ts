import { CODES, invalid, RpcError } from "./status.ts";

const LOCATION = /^projects\/([A-Za-z0-9:.-]+)\/locations\/([A-Za-z0-9-]+)$/;
const QUEUE = /^(projects\/[A-Za-z0-9:.-]+\/locations\/[A-Za-z0-9-]+)\/queues\/([A-Za-z0-9-]{1,100})$/;
const TASK_ID = /^[A-Za-z0-9_-]{1,500}$/;
const REFERENCE = "https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues";

/**
 * Checks the name of a location.
 *
 * @throws RpcError INVALID_ARGUMENT.
 */
export function assertLocation(name = ""): void {
  if (!LOCATION.test(name)) throw invalid("Invalid resource field value in the request.");
}

/**
 * Checks the name of a queue that is to be made or changed.
 *
 * @throws RpcError INVALID_ARGUMENT, as the service words it.
 */
export function assertQueueName(name = ""): void {
  if (QUEUE.test(name)) return;
  const form = '"projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>"';
  throw explained(
    `Queue name must be formatted: ${form}.`,
    "Definition of queue name",
    `${REFERENCE}#Queue.FIELDS.name`,
  );
}

/**
 * The name of a queue that a request refers to.
 *
 * @throws RpcError INVALID_ARGUMENT.
 */
export function queueReference(name = ""): string {
  if (!QUEUE.test(name)) throw invalid("Invalid resource field value in the request.");
  return name;
}

/**
 * The queue of the task that a request refers to.
 *
 * @throws RpcError INVALID_ARGUMENT.
 */
export function queueOfTask(name = ""): string {
  const [queue = "", id = "", ...more] = name.split("/tasks/");
  if (!QUEUE.test(queue) || !TASK_ID.test(id) || more.length > 0)
    throw invalid("Invalid resource field value in the request.");
  return queue;
}

/**
 * Checks the name that a new task brings along.
 *
 * @throws RpcError INVALID_ARGUMENT, as the service words it.
 */
export function assertTaskName(name: string, parent: string): void {
  const [queue = "", id, ...more] = name.split("/tasks/");
  if (id === undefined || more.length > 0 || !QUEUE.test(queue))
    throw invalid(
      'Task name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>/tasks/<TASK_ID>"',
    );
  if (queue !== parent)
    throw invalid(
      `The queue name from request ('${parent}') must be the same as the queue name in the named task ('${queue}').`,
    );
  if (TASK_ID.test(id)) return;
  throw explained(
    `Task ID "${id}" can contain only letters ([A-Za-z]), numbers ([0-9]), hyphens (-), or underscores (_). Task ID must between 1 and 500 characters.`,
    "Definition of task ID",
    `${REFERENCE}.tasks#Task.FIELDS.name`,
  );
}

/** Last segment of a name. */
export function shortName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function explained(message: string, description: string, url: string): RpcError {
  const help = { "@type": "type.googleapis.com/google.rpc.Help", links: [{ description, url }] };
  return new RpcError(CODES.INVALID_ARGUMENT, message, [help]);
}
