import type { DesiredResource, JobSettings, QueueSettings, SubscriptionSettings } from "../resources.ts";
import { partsOf } from "./resource-name.ts";
import { secondsText } from "./seconds-text.ts";
import type { Flags } from "./shell.ts";

/**
 * Flags of gcloud 528 that say what a resource should be, each checked against `gcloud … --help`. What the desired state
 * leaves out has no flag: an update then leaves it as it is, and a creation to the service.
 */
export interface ResourceFlags {
  /** Words before the verb, e.g. `pubsub topics`. */
  readonly group: readonly string[];
  /** Words after the verb: which of the commands that make or change it. */
  readonly target: readonly string[];
  /** Where it is. */
  readonly place: Flags;
  readonly create: Flags;
  readonly update: Flags;
}

/** The flags of a resource. */
export function flagsOf(resource: DesiredResource): ResourceFlags {
  const place = { location: partsOf(resource.name).location };
  switch (resource.kind) {
    case "topic": {
      const labels = pairs(resource.settings.labels);
      const group = ["pubsub", "topics"];
      return { group, target: [], place, create: { labels }, update: { "update-labels": labels } };
    }
    case "subscription":
      return { group: ["pubsub", "subscriptions"], target: [], place, ...subscription(resource.settings) };
    case "queue": {
      const flags = queue(resource.settings);
      return { group: ["tasks", "queues"], target: [], place, create: flags, update: flags };
    }
    case "job":
      return { group: ["scheduler", "jobs"], place, ...job(resource.settings) };
  }
}

/** Neither labels nor our headers hold a comma, which would part the pairs, or begin with `^`, which would change that. */
function pairs(entries: Readonly<Record<string, string>>): string {
  return Object.entries(entries)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
}

function duration(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : secondsText(seconds);
}

function subscription(settings: SubscriptionSettings): Pick<ResourceFlags, "create" | "update"> {
  const { pushConfig, retryPolicy, deadLetterPolicy, labels } = settings;
  const pushed = pushConfig.pushEndpoint !== "";
  const both: Flags = {
    "ack-deadline": settings.ackDeadlineSeconds,
    "push-auth-service-account": pushConfig.oidcToken?.serviceAccountEmail,
    "push-auth-token-audience": pushConfig.oidcToken?.audience,
    "min-retry-delay": duration(retryPolicy?.minimumBackoff),
    "max-retry-delay": duration(retryPolicy?.maximumBackoff),
    "dead-letter-topic": deadLetterPolicy?.deadLetterTopic,
    "max-delivery-attempts": deadLetterPolicy?.maxDeliveryAttempts,
    "expiration-period": settings.expirationPolicy.ttl,
    "message-retention-duration": duration(settings.messageRetentionDuration),
  };
  return {
    create: {
      topic: settings.topic,
      "enable-message-ordering": settings.enableMessageOrdering,
      "push-endpoint": pushed ? pushConfig.pushEndpoint : undefined,
      ...both,
      labels: pairs(labels),
    },
    // An empty endpoint makes a subscription one that is pulled from. Topic and ordering cannot be changed.
    update: { "push-endpoint": pushConfig.pushEndpoint, ...both, "update-labels": pairs(labels) },
  };
}

function queue({ rateLimits, retryConfig, stackdriverLoggingConfig }: QueueSettings): Flags {
  return {
    "max-dispatches-per-second": rateLimits?.maxDispatchesPerSecond,
    "max-concurrent-dispatches": rateLimits?.maxConcurrentDispatches,
    "max-attempts": retryConfig.maxAttempts,
    "min-backoff": duration(retryConfig.minBackoff),
    "max-backoff": duration(retryConfig.maxBackoff),
    "max-doublings": retryConfig.maxDoublings,
    "max-retry-duration": duration(retryConfig.maxRetryDuration),
    "log-sampling-ratio": stackdriverLoggingConfig?.samplingRatio,
  };
}

function job(settings: JobSettings): Pick<ResourceFlags, "target" | "create" | "update"> {
  const { retryConfig } = settings;
  const both: Flags = {
    description: settings.description,
    schedule: settings.schedule,
    "time-zone": settings.timeZone,
    "max-retry-attempts": retryConfig.retryCount,
    "min-backoff": duration(retryConfig.minBackoffDuration),
    "max-backoff": duration(retryConfig.maxBackoffDuration),
    "max-doublings": retryConfig.maxDoublings,
  };
  if ("pubsubTarget" in settings) {
    const { topicName, data } = settings.pubsubTarget;
    const flags = { ...both, topic: topicName, "message-body": data };
    return { target: ["pubsub"], create: flags, update: flags };
  }
  const { uri, httpMethod, headers, body, oidcToken } = settings.httpTarget;
  const flags: Flags = {
    ...both,
    uri,
    "http-method": httpMethod.toLowerCase(),
    "message-body": body,
    "oidc-service-account-email": oidcToken.serviceAccountEmail,
    "oidc-token-audience": oidcToken.audience,
    "attempt-deadline": duration(settings.attemptDeadline),
  };
  return {
    target: ["http"],
    create: { ...flags, headers: pairs(headers) },
    update: { ...flags, "update-headers": pairs(headers) },
  };
}
