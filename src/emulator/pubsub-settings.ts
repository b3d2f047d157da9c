import { compileFilter } from "./pubsub-filter.ts";
import { assertLabels } from "./pubsub-names.ts";
import type { DeadLetterPolicy, PushConfig, SubscriptionRequest, SubscriptionResource } from "./pubsub-resources.ts";
import { CODES, invalid, RpcError } from "./status.ts";
import { fromSeconds, type TimeParts, toSeconds } from "./time.ts";

const DAY_S = 86_400;
/** Google's limits and defaults, in seconds. `google/pubsub/v1/pubsub.proto`, Subscription and RetryPolicy. */
const RETENTION = { min: 600, max: 31 * DAY_S, fallback: 7 * DAY_S };
const EXPIRATION = { min: DAY_S, fallback: 31 * DAY_S };
const BACKOFF = { min: 0, max: 600, fallbackMin: 10, fallbackMax: 600 };
const ACK_DEADLINE = { min: 10, max: 600, fallback: 10 };
const ATTEMPTS = { min: 5, max: 100, fallback: 5 };
/** The one version of the push format that there is left; the server says so in every push configuration. */
const GOOG_VERSION = { "x-goog-version": "v1" };
const NOT_EMULATED = ["bigqueryConfig", "cloudStorageConfig", "bigtableConfig", "messageTransforms"] as const;

/**
 * Checks a subscription and fills in what the server does.
 *
 * @throws RpcError INVALID_ARGUMENT; UNIMPLEMENTED for what is not emulated.
 */
export function completeSubscription(
  request: SubscriptionRequest & { readonly name: string; readonly topic: string },
): SubscriptionResource {
  const refused = NOT_EMULATED.find((field) => isSet((request as Record<string, unknown>)[field]));
  if (refused !== undefined)
    throw new RpcError(CODES.UNIMPLEMENTED, `The emulator has no ${refused} of subscriptions.`);
  assertLabels(request.labels);
  compileFilter(request.filter ?? "");
  const { deadLetterPolicy, retryPolicy, expirationPolicy, pushConfig = {}, ackDeadlineSeconds = 0 } = request;
  if (request.enableExactlyOnceDelivery === true && isPush(pushConfig))
    throw invalid("Exactly-once delivery is not supported for push subscriptions.");
  const retention = request.messageRetentionDuration;
  const seconds = ackDeadlineSeconds === 0 ? ACK_DEADLINE.fallback : ackDeadlineSeconds;
  assertWithin("ack_deadline_seconds", seconds, ACK_DEADLINE);
  return {
    ...request,
    pushConfig: completePushConfig(pushConfig),
    ackDeadlineSeconds: seconds,
    messageRetentionDuration: durationWithin("message_retention_duration", retention, RETENTION),
    expirationPolicy: completeExpiration(expirationPolicy),
    ...(deadLetterPolicy === undefined ? {} : { deadLetterPolicy: completeDeadLetterPolicy(deadLetterPolicy) }),
    ...(retryPolicy === undefined ? {} : { retryPolicy: completeRetryPolicy(retryPolicy) }),
    state: "ACTIVE",
  };
}

/** Whether a push configuration pushes; an empty one stands for pulling. */
export function isPush({ pushEndpoint = "" }: PushConfig): boolean {
  return pushEndpoint !== "";
}

/**
 * Checks the retention of a topic.
 *
 * @throws RpcError INVALID_ARGUMENT.
 */
export function assertTopicRetention(retention: TimeParts | undefined): void {
  if (retention !== undefined) durationWithin("message_retention_duration", retention, RETENTION);
}

/**
 * Checks a push configuration and fills in what the server does.
 *
 * @throws RpcError INVALID_ARGUMENT.
 */
function completePushConfig(config: PushConfig): PushConfig {
  if (!isPush(config)) {
    if (config.oidcToken !== undefined) throw invalid("An OIDC token requires a push endpoint.");
    return {};
  }
  const { pushEndpoint = "", oidcToken, attributes } = config;
  const url = URL.canParse(pushEndpoint) ? new URL(pushEndpoint) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.hostname === "" || url.hash !== "")
    throw invalid(
      `Invalid push endpoint given (endpoint=${pushEndpoint}). Refer to https://cloud.google.com/pubsub/docs/create-push-subscription#properties_of_a_push_subscription for more information.`,
    );
  if (oidcToken !== undefined && !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(oidcToken.serviceAccountEmail ?? ""))
    throw invalid(
      `Invalid service account email given (service_account_email=${oidcToken.serviceAccountEmail ?? ""}).`,
    );
  return { ...config, attributes: { ...attributes, ...GOOG_VERSION } };
}

function completeExpiration(policy: SubscriptionRequest["expirationPolicy"]): SubscriptionResource["expirationPolicy"] {
  if (policy === undefined) return { ttl: fromSeconds(EXPIRATION.fallback) };
  if (policy.ttl === undefined) return {};
  const ttl = toSeconds(policy.ttl);
  if (ttl < EXPIRATION.min) throw tooSmall("expiration_policy.ttl", `${ttl}s`, `${EXPIRATION.min}s`);
  return policy;
}

function completeDeadLetterPolicy(policy: DeadLetterPolicy): DeadLetterPolicy {
  const { maxDeliveryAttempts = 0 } = policy;
  const attempts = maxDeliveryAttempts === 0 ? ATTEMPTS.fallback : maxDeliveryAttempts;
  if (attempts < ATTEMPTS.min) throw tooSmall("max_delivery_attempts", attempts, ATTEMPTS.min);
  if (attempts > ATTEMPTS.max)
    throw invalid(
      `The value for max_delivery_attempts is too large. You passed ${attempts} in the request, but the maximum value is ${ATTEMPTS.max}.`,
    );
  return { ...policy, maxDeliveryAttempts: attempts };
}

function completeRetryPolicy(policy: NonNullable<SubscriptionRequest["retryPolicy"]>): typeof policy {
  const min = toSeconds(policy.minimumBackoff) ?? BACKOFF.fallbackMin;
  const max = toSeconds(policy.maximumBackoff) ?? BACKOFF.fallbackMax;
  assertWithin("minimum_backoff", min, BACKOFF, "s");
  assertWithin("maximum_backoff", max, BACKOFF, "s");
  if (max < min) throw tooSmall("maximum_backoff", `${max}s`, `${min}s`);
  return { minimumBackoff: fromSeconds(min), maximumBackoff: fromSeconds(max) };
}

function durationWithin(
  field: string,
  value: TimeParts | undefined,
  { fallback, ...range }: typeof RETENTION,
): TimeParts {
  const seconds = toSeconds(value) ?? fallback;
  assertWithin(field, seconds, range, "s");
  return fromSeconds(seconds);
}

/** With the texts of the service, see the bounds of retry policies in its emulator's answers. */
function assertWithin(field: string, value: number, { min, max }: { min: number; max: number }, unit = ""): void {
  if (value >= min && value <= max) return;
  throw invalid(
    `The value for ${field} is out of bounds. You passed ${value}${unit} in the request, but the value must be between ${min}${unit} and ${max}${unit}.`,
  );
}

function tooSmall(field: string, value: number | string, min: number | string): RpcError {
  return invalid(
    `The value for ${field} is too small. You passed ${value} in the request, but the minimum value is ${min}.`,
  );
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && Object.keys(value).length > 0;
}
