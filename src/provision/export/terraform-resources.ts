import type { DesiredResource, JobSettings, QueueSettings, SubscriptionSettings } from "../resources.ts";
import { partsOf } from "./resource-name.ts";
import { secondsText } from "./seconds-text.ts";
import { literal } from "./terraform-address.ts";
import { type Block, type Body, inOrder } from "./terraform-block.ts";
import { type References, TYPES } from "./terraform-references.ts";

/** The block of a resource. Blocks that it needs are referred to, so that Terraform makes them first. */
export function resourceBlock(resource: DesiredResource, references: References): Block {
  const { kind, name, routes } = resource;
  const { id, project } = partsOf(name);
  const body: Body = {
    "//": [...routes].sort().join(", "),
    name: literal(id),
    ...placeOf(resource, references),
    project: references.project(project),
    ...settingsOf(resource, references),
  };
  return { type: TYPES[kind], label: references.label(resource), body };
}

function map(entries: Readonly<Record<string, string>>): Body {
  return inOrder(Object.entries(entries).map(([name, value]) => [name, literal(value)]));
}

function placeOf(resource: DesiredResource, references: References): Body {
  if (resource.kind === "queue") return { location: references.location(resource) };
  if (resource.kind === "job") return { region: references.location(resource) };
  return {};
}

function settingsOf({ kind, settings }: DesiredResource, references: References): Body {
  switch (kind) {
    case "topic":
      return { labels: map(settings.labels) };
    case "subscription":
      return subscription(settings, references);
    case "queue":
      return queue(settings);
    case "job":
      return job(settings, references);
  }
}

function oidcToken(token: { serviceAccountEmail: string; audience: string }, references: References): Body {
  return {
    service_account_email: references.account(token.serviceAccountEmail),
    audience: references.url(token.audience),
  };
}

function subscription(settings: SubscriptionSettings, references: References): Body {
  const { pushConfig, retryPolicy, deadLetterPolicy, messageRetentionDuration: retention } = settings;
  return {
    topic: references.attribute(settings.topic, "id"),
    // A block without an endpoint would be refused; none at all is a subscription that is pulled from.
    push_config:
      pushConfig.pushEndpoint === ""
        ? undefined
        : {
            push_endpoint: references.url(pushConfig.pushEndpoint),
            oidc_token: pushConfig.oidcToken && oidcToken(pushConfig.oidcToken, references),
          },
    ack_deadline_seconds: settings.ackDeadlineSeconds,
    retry_policy: retryPolicy && {
      minimum_backoff: secondsText(retryPolicy.minimumBackoff),
      maximum_backoff: secondsText(retryPolicy.maximumBackoff),
    },
    dead_letter_policy: deadLetterPolicy && {
      dead_letter_topic: references.attribute(deadLetterPolicy.deadLetterTopic, "id"),
      max_delivery_attempts: deadLetterPolicy.maxDeliveryAttempts,
    },
    // An empty ttl is never.
    expiration_policy: { ttl: "" },
    message_retention_duration: retention === undefined ? undefined : secondsText(retention),
    enable_message_ordering: settings.enableMessageOrdering,
    labels: map(settings.labels),
  };
}

function queue({ rateLimits, retryConfig, stackdriverLoggingConfig }: QueueSettings): Body {
  return {
    rate_limits: rateLimits && {
      max_dispatches_per_second: rateLimits.maxDispatchesPerSecond,
      max_concurrent_dispatches: rateLimits.maxConcurrentDispatches,
    },
    retry_config: {
      max_attempts: retryConfig.maxAttempts,
      min_backoff: secondsText(retryConfig.minBackoff),
      max_backoff: secondsText(retryConfig.maxBackoff),
      max_doublings: retryConfig.maxDoublings,
      max_retry_duration: secondsText(retryConfig.maxRetryDuration),
    },
    stackdriver_logging_config: stackdriverLoggingConfig && { sampling_ratio: stackdriverLoggingConfig.samplingRatio },
  };
}

function job(settings: JobSettings, references: References): Body {
  const { retryConfig } = settings;
  return {
    description: literal(settings.description),
    schedule: literal(settings.schedule),
    time_zone: literal(settings.timeZone),
    paused: settings.state === "PAUSED",
    ...target(settings, references),
    retry_config: {
      retry_count: retryConfig.retryCount,
      min_backoff_duration: secondsText(retryConfig.minBackoffDuration),
      max_backoff_duration: secondsText(retryConfig.maxBackoffDuration),
      max_doublings: retryConfig.maxDoublings,
    },
  };
}

/** The provider takes bodies in base64. */
function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function target(settings: JobSettings, references: References): Body {
  if ("pubsubTarget" in settings) {
    const { topicName, data } = settings.pubsubTarget;
    return { pubsub_target: { topic_name: references.attribute(topicName, "id"), data: base64(data) } };
  }
  const { uri, httpMethod, headers, body, oidcToken: token } = settings.httpTarget;
  return {
    attempt_deadline: secondsText(settings.attemptDeadline),
    http_target: {
      uri: references.url(uri),
      http_method: httpMethod,
      headers: map(headers),
      body: base64(body),
      oidc_token: oidcToken(token, references),
    },
  };
}
