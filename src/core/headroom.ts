import type { AnyRoute } from "./declaration.ts";
import type { Delivery, Dispatch } from "./delivery.ts";
import type { Naming } from "./names.ts";
import { queueIdOf, queueNamesOf } from "./queue-name.ts";

/**
 * Dispatches that a queue allows beyond the attempts of its route: Cloud Tasks counts every answer, and some of ours, such
 * as 429, are no attempts.
 */
const HEADROOM = 5;

/** What a queue allows whose `maxAttempts` nobody has set. https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues#retryconfig */
const DEFAULT_QUEUE_ATTEMPTS = 100;

/** Dispatches at the end that are not used to run a task, so that one is left when the first of them is cut short. */
const RESERVED = 2;

/** `maxAttempts` of the queue of a route; of a queue of several routes, the most of theirs. */
export function queueAttempts({ settings }: AnyRoute): number {
  return settings.maxAttempts + HEADROOM;
}

/** The first dispatch that is not used to run a task; of a queue that is not ours we know no more than the default. */
function firstReserved(route: AnyRoute): number {
  return Math.min(queueAttempts(route), DEFAULT_QUEUE_ATTEMPTS) - RESERVED + 1;
}

/**
 * Whether the queue may soon delete the task, whatever it is answered: it has no dead letters. Then it is created anew, or
 * parked, rather than run.
 */
export function isLate({ dispatch }: Pick<Delivery, "dispatch">, route: AnyRoute): boolean {
  return dispatch !== undefined && dispatch.count >= firstReserved(route);
}

/** The same of a message that names no route of ours: its queue may, else the service's default counts. */
export function isLateAtAnyRoute(dispatch: Dispatch, routes: readonly AnyRoute[], naming: () => Naming): boolean {
  if (!mayBeLate(dispatch)) return false;
  const limits = routes.filter((route) => holdsTasksOf(dispatch, route, naming())).map(firstReserved);
  return dispatch.count >= Math.min(DEFAULT_QUEUE_ATTEMPTS - RESERVED + 1, ...limits);
}

/** Whether it may be late for a route of the fewest attempts: all that can be told before a message is read. */
export function mayBeLate({ count }: Dispatch): boolean {
  return count >= 1 + HEADROOM - RESERVED + 1;
}

/** Whether a message stands in a queue of this route. Only ids travel with a message, so two of one id look alike. */
export function holdsTasksOf({ queue }: Dispatch, route: AnyRoute, naming: Naming): boolean {
  return queue !== undefined && queueNamesOf(naming, route).some((name) => queueIdOf(name) === queue);
}

/**
 * Whether a task of Cloud Tasks arrives though its attempts are used up: its process was killed in the last one, or its
 * dead letter could not be kept. Elsewhere the count is not good enough to say: Pub/Sub's takes in every nack.
 */
export function isSpent({ transport, attempt }: Delivery, { settings }: AnyRoute): boolean {
  return transport === "cloud-tasks" && attempt > settings.maxAttempts;
}
