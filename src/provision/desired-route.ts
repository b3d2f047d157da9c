import type { Config } from "../core/config.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { encodeScheduledEnvelope } from "../core/envelope.ts";
import { resourceNames } from "../core/names.ts";
import { describeJob, ownerLabels } from "./marker.ts";
import type { DesiredJob, DesiredSubscription, DesiredTopic, JobTarget } from "./resources.ts";

/** What the resources of one route are made from; everything is known to be there. */
export interface RouteScope {
  readonly config: Config;
  readonly projectId: string;
  /** Where the services push to, as whom, and to which audience. */
  readonly pushEndpoint: string;
  readonly serviceAccount: string;
  readonly audience: string;
  readonly route: AnyRoute;
  /** Whether its kill switch is off. */
  readonly switchedOff: boolean;
}

/** Seconds for which dead letters are kept: the longest that Pub/Sub keeps a message. */
const DEAD_LETTER_RETENTION_S = 31 * 86_400;
/** The longest that Google's own emulator takes. */
const EMULATED_RETENTION_S = 7 * 86_400;
/** Seconds that whoever looks through dead letters has before others may. */
const DEAD_LETTER_ACK_DEADLINE_S = 60;

/** Limits of `deadLetterPolicy.maxDeliveryAttempts`. */
const FEWEST_DELIVERIES = 5;
const MOST_DELIVERIES = 100;
/** Pub/Sub counts busy and refused deliveries as well, so its own limit is far beyond that of the route. */
const DELIVERIES_PER_ATTEMPT = 5;

/** Limits of Cloud Scheduler. */
const MOST_RETRIES = 5;
const SHORTEST_RETRY_S = 5;
const SHORTEST_DEADLINE_S = 15;
const LONGEST_DEADLINE_S = 1800;

/**
 * A publish that failed is tried again after 5, 10 and 20 seconds: within the minute in which a message is known for its
 * tick.
 */
const PUBLISH_RETRIES = { retryCount: 3, minBackoffDuration: 5, maxBackoffDuration: 20, maxDoublings: 5 } as const;

/** Whether Pub/Sub is emulated by what may be Google's own emulator: ours is named by `TASKS_EMULATOR_HOST`. */
export function isGooglesEmulator({ emulators }: Config): boolean {
  return emulators.pubsub !== undefined && emulators.keys === undefined;
}

/** The deliveries after which Pub/Sub itself gives a message up. */
function maxDeliveryAttempts(maxAttempts: number): number {
  return Math.min(MOST_DELIVERIES, Math.max(FEWEST_DELIVERIES, DELIVERIES_PER_ATTEMPT * maxAttempts));
}

interface PubsubNames {
  readonly topic: string;
  readonly subscription: string;
  readonly deadTopic: string;
  readonly deadSubscription: string;
}

function pubsubNames({ config, projectId, route }: RouteScope): PubsubNames {
  const names = resourceNames(config, route.path);
  return {
    topic: `projects/${projectId}/topics/${names.topicName}`,
    subscription: `projects/${projectId}/subscriptions/${names.subscriptionName}`,
    deadTopic: `projects/${projectId}/topics/${names.deadLetterTopicName}`,
    deadSubscription: `projects/${projectId}/subscriptions/${names.deadLetterSubscriptionName}`,
  };
}

/** Where a route's dead letters go, and the subscription without which they would be lost. */
export function deadLetterResources(scope: RouteScope, forwarded: boolean): [DesiredTopic, DesiredSubscription] {
  const { deadTopic, deadSubscription } = pubsubNames(scope);
  const routes = [scope.route.path];
  const labels = ownerLabels(scope.config);
  return [
    {
      kind: "topic",
      name: deadTopic,
      routes,
      dependsOn: [],
      ...(forwarded ? { agentRole: "roles/pubsub.publisher" as const } : {}),
      settings: { labels },
    },
    {
      kind: "subscription",
      name: deadSubscription,
      routes,
      dependsOn: [deadTopic],
      settings: {
        topic: deadTopic,
        pushConfig: { pushEndpoint: "" },
        ackDeadlineSeconds: DEAD_LETTER_ACK_DEADLINE_S,
        expirationPolicy: { ttl: "never" },
        messageRetentionDuration: isGooglesEmulator(scope.config) ? EMULATED_RETENTION_S : DEAD_LETTER_RETENTION_S,
        enableMessageOrdering: false,
        filter: "",
        detached: false,
        labels,
      },
    },
  ];
}

/** The topic of a route over Pub/Sub, and the subscription that pushes from it. */
export function messageResources(scope: RouteScope): [DesiredTopic, DesiredSubscription] {
  const { route, pushEndpoint, serviceAccount, audience, config } = scope;
  const { settings, path } = route;
  const { topic, subscription, deadTopic } = pubsubNames(scope);
  const labels = ownerLabels(config);
  return [
    { kind: "topic", name: topic, routes: [path], dependsOn: [], settings: { labels } },
    {
      kind: "subscription",
      name: subscription,
      routes: [path],
      dependsOn: [topic, deadTopic],
      agentRole: "roles/pubsub.subscriber",
      settings: {
        topic,
        pushConfig: { pushEndpoint, oidcToken: { serviceAccountEmail: serviceAccount, audience } },
        ackDeadlineSeconds: settings.ackDeadline,
        retryPolicy: { minimumBackoff: settings.minRetryDelay, maximumBackoff: settings.maxRetryDelay },
        deadLetterPolicy: {
          deadLetterTopic: deadTopic,
          maxDeliveryAttempts: maxDeliveryAttempts(settings.maxAttempts),
        },
        expirationPolicy: { ttl: "never" },
        enableMessageOrdering: settings.ordered,
        filter: "",
        detached: false,
        labels,
      },
    },
  ];
}

function targetOf(scope: RouteScope, published: boolean): JobTarget & Pick<DesiredJob["settings"], "retryConfig"> {
  const { route, pushEndpoint, serviceAccount, audience } = scope;
  const { settings, name } = route;
  const body = encodeScheduledEnvelope(name, JSON.stringify(settings.schedulePayload));
  if (published)
    return { pubsubTarget: { topicName: pubsubNames(scope).topic, data: body }, retryConfig: PUBLISH_RETRIES };
  const minBackoffDuration = Math.max(SHORTEST_RETRY_S, settings.minRetryDelay);
  return {
    httpTarget: {
      uri: pushEndpoint,
      httpMethod: "POST",
      headers: { "Content-Type": "application/json" },
      body,
      oidcToken: { serviceAccountEmail: serviceAccount, audience },
    },
    attemptDeadline: Math.min(LONGEST_DEADLINE_S, Math.max(SHORTEST_DEADLINE_S, settings.ackDeadline)),
    retryConfig: {
      retryCount: Math.min(MOST_RETRIES, settings.maxAttempts - 1),
      minBackoffDuration,
      maxBackoffDuration: Math.max(minBackoffDuration, settings.maxRetryDelay),
      maxDoublings: 5,
    },
  };
}

/** The scheduler job of a scheduled route: it publishes to the route's topic, or posts to the push handler. */
export function jobResource(scope: RouteScope, schedule: string, published: boolean): DesiredJob {
  const { config, projectId, route, switchedOff } = scope;
  const { schedulerJobName } = resourceNames(config, route.path);
  return {
    kind: "job",
    name: `projects/${projectId}/locations/${config.schedulerLocation}/jobs/${schedulerJobName}`,
    routes: [route.path],
    dependsOn: published ? [pubsubNames(scope).topic] : [],
    settings: {
      ...targetOf(scope, published),
      description: describeJob(`Enqueues ${route.path}.`, { ...config, generation: undefined, switchedOff }),
      schedule,
      timeZone: route.settings.scheduleTimezone,
      state: switchedOff ? "PAUSED" : "ENABLED",
    },
  };
}
