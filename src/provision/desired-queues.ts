import type { Config } from "../core/config.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { queueAttempts } from "../core/headroom.ts";
import { deferralQueueName, priorityQueueName, resourceNames } from "../core/names.ts";
import type { Problems } from "../core/problems.ts";
import { queueNamesOf } from "../core/queue-name.ts";
import type { PriorityOptions, QueueOptions, Via } from "../core/route-options.ts";
import type { DesiredQueue, ForeignQueue, QueueSettings } from "./resources.ts";

/** Seconds for which a queue retries at least: it gives a task up only when its attempts are used up *and* these are over. */
const RETRY_DURATION_S = 7 * 86_400;

/** Cloud Tasks' own default, in seconds; less is not known to be taken. */
const SHORTEST_BACKOFF_S = 0.1;

/** Publishes from the deferral queue fail only while Pub/Sub does, so they are spaced closer than a task's own retries. */
const DEFERRAL_SETTINGS: QueueSettings = {
  retryConfig: { maxAttempts: 100, minBackoff: 1, maxBackoff: 300, maxRetryDuration: RETRY_DURATION_S },
};

/** Full name of a queue that is given by its id or its full name. */
export function queueNameOf(config: Pick<Config, "queueLocation">, projectId: string, queue: string): string {
  return queue.includes("/") ? queue : `projects/${projectId}/locations/${config.queueLocation}/queues/${queue}`;
}

/** Leaves out what is `undefined`; nothing at all when that is everything. */
function given<T extends object>(settings: { readonly [K in keyof T]: T[K] | undefined }): T | undefined {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as T);
}

function settingsOf(route: AnyRoute, queue: Omit<QueueOptions, "priorities">, own: PriorityOptions): QueueSettings {
  const { settings } = route;
  const minBackoff = Math.max(SHORTEST_BACKOFF_S, own.minRetryDelay ?? settings.minRetryDelay);
  const rateLimits = given({
    maxDispatchesPerSecond: queue.ratePerSecond,
    maxConcurrentDispatches: queue.maxConcurrent,
  });
  const logging = given({ samplingRatio: queue.logSampling });
  return {
    ...(rateLimits === undefined ? {} : { rateLimits }),
    retryConfig: {
      maxAttempts: queueAttempts(route),
      minBackoff,
      maxBackoff: Math.max(minBackoff, own.maxRetryDelay ?? settings.maxRetryDelay),
      ...(queue.maxDoublings === undefined ? {} : { maxDoublings: queue.maxDoublings }),
      maxRetryDuration: queue.maxRetryDuration ?? RETRY_DURATION_S,
    },
    ...(logging === undefined ? {} : { stackdriverLoggingConfig: logging }),
  };
}

/** The managed queues of a route: its own, and one for each priority. */
export function queuesOfRoute(config: Config, projectId: string, route: AnyRoute): readonly DesiredQueue[] {
  const { priorities = {}, ...own } = route.settings.queue;
  const base = own.name ?? resourceNames(config, route.path).queueName;
  const queue = (name: string, literal: boolean, settings: QueueSettings): DesiredQueue => ({
    kind: "queue",
    name: queueNameOf(config, projectId, name),
    routes: [route.path],
    dependsOn: [],
    literal,
    settings,
  });
  const queues = (own.managed ?? true) ? [queue(base, own.name !== undefined, settingsOf(route, own, {}))] : [];
  for (const [priority, options] of Object.entries(priorities)) {
    if (!(options.managed ?? own.managed ?? true)) continue;
    const name = options.name ?? priorityQueueName(base, priority);
    const literal = (options.name ?? own.name) !== undefined;
    queues.push(queue(name, literal, settingsOf(route, { ...own, ...options }, options)));
  }
  return queues;
}

/** The queue in which messages of Pub/Sub wait, when there is one and it is ours to make: a full name is somebody else's. */
export function deferralQueue(
  config: Config,
  projectId: string,
  routes: readonly AnyRoute[],
): DesiredQueue | undefined {
  const { deferralQueue: chosen } = config;
  if (chosen === undefined || routes.length === 0 || (chosen !== true && chosen.includes("/"))) return undefined;
  return {
    kind: "queue",
    name: queueNameOf(config, projectId, chosen === true ? deferralQueueName(config) : chosen),
    routes: routes.map(({ path }) => path),
    dependsOn: [],
    literal: chosen !== true,
    settings: DEFERRAL_SETTINGS,
  };
}

/** The queues that routes use and that somebody else makes: those of routes that say so, and a deferral queue by its full name. */
export function foreignQueues(
  config: Config,
  projectId: string,
  routes: readonly AnyRoute[],
  viaOf: (route: AnyRoute) => Via,
): readonly ForeignQueue[] {
  const users = new Map<string, string[]>();
  const use = (queue: string, { path }: AnyRoute) => {
    const name = queueNameOf(config, projectId, queue);
    users.set(name, [...(users.get(name) ?? []), path]);
  };
  for (const route of routes) {
    if (viaOf(route) === "cloud-tasks") {
      const ours = new Set(queuesOfRoute(config, projectId, route).map(({ name }) => name));
      for (const queue of queueNamesOf(config, route))
        if (!ours.has(queueNameOf(config, projectId, queue))) use(queue, route);
    } else if (typeof config.deferralQueue === "string" && config.deferralQueue.includes("/")) {
      use(config.deferralQueue, route);
    }
  }
  return [...users].map(([name, paths]) => ({ name, routes: paths }));
}

/**
 * One queue for each name. Routes may share one, but then they have to agree on it: a queue's settings hold for all of its
 * tasks.
 */
export function mergeQueues(queues: readonly DesiredQueue[], problems: Problems): readonly DesiredQueue[] {
  const merged = new Map<string, DesiredQueue>();
  for (const queue of queues) {
    const known = merged.get(queue.name);
    if (known === undefined) {
      merged.set(queue.name, queue);
      continue;
    }
    const differing = differences(known.settings, queue.settings);
    if (differing.length > 0)
      problems.add(
        `queue ${queue.name.slice(queue.name.lastIndexOf("/") + 1)}: expected one setting from all routes that share it, got different ${differing.join(", ")} from "${known.routes[0]}" and "${queue.routes[0]}"; give both the same, or set managed: false and look after the queue yourself`,
      );
    const routes = [...new Set([...known.routes, ...queue.routes])];
    merged.set(queue.name, { ...known, routes, literal: known.literal || queue.literal });
  }
  return [...merged.values()];
}

function differences(one: QueueSettings, other: QueueSettings): readonly string[] {
  const flat = (settings: QueueSettings): Record<string, unknown> => ({
    ...settings.rateLimits,
    ...settings.retryConfig,
    ...settings.stackdriverLoggingConfig,
  });
  const [first, second] = [flat(one), flat(other)];
  return [...new Set([...Object.keys(first), ...Object.keys(second)])].filter((name) => first[name] !== second[name]);
}
