import type { AnyRoute } from "./declaration.ts";
import { type Naming, priorityQueueName, resourceNames } from "./names.ts";

const QUEUE_ID = /^[A-Za-z0-9-]{1,100}$/;
const QUEUE_NAME = /^projects\/[^/]+\/locations\/[^/]+\/queues\/[A-Za-z0-9-]{1,100}$/;

/** Whether a text is the id of a queue, or its full name. https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues#resource:-queue */
export function isQueueName(text: string): boolean {
  return QUEUE_ID.test(text) || QUEUE_NAME.test(text);
}

/**
 * The Cloud Tasks queue that holds a route's tasks, or those of one of its priorities: an id, or the full name
 * `projects/P/locations/L/queues/Q` where the route gives one.
 */
export function queueNameOf(naming: Naming, route: AnyRoute, priority?: string): string {
  const { queue } = route.settings;
  const own = queue.name ?? resourceNames(naming, route.path).queueName;
  return priority === undefined ? own : (queue.priorities?.[priority]?.name ?? priorityQueueName(own, priority));
}

/** Every queue that holds tasks of a route, its own first. */
export function queueNamesOf(naming: Naming, route: AnyRoute): readonly string[] {
  const priorities = Object.keys(route.settings.queue.priorities ?? {});
  return [queueNameOf(naming, route), ...priorities.map((priority) => queueNameOf(naming, route, priority))];
}

/** The id at the end of a queue's full name. */
export function queueIdOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
