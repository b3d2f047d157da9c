import type { Entry, Lease } from "./pubsub-entry.ts";
import type { StoredMessage } from "./pubsub-resources.ts";
import { isPush } from "./pubsub-settings.ts";
import type { Subscription } from "./pubsub-subscription.ts";
import { CODES, invalid, RpcError } from "./status.ts";
import { fromMillis } from "./time.ts";

const LONGEST_DEADLINE_S = 600;

/** A `google.pubsub.v1.PubsubMessage` as it is handed out. */
function pubsubMessage({ attributes, data, messageId, orderingKey, publishTime }: StoredMessage): object {
  return {
    ...(data === undefined ? {} : { data }),
    ...(attributes === undefined ? {} : { attributes }),
    messageId,
    publishTime: fromMillis(publishTime),
    ...(orderingKey === "" ? {} : { orderingKey }),
  };
}

/** A `google.pubsub.v1.ReceivedMessage`; it tells which delivery it is where there is a dead-letter policy. */
export function receivedMessage(subscription: Subscription, entry: Entry): object {
  const { deadLetterPolicy } = subscription.resource;
  return {
    ackId: subscription.ackId(entry),
    message: pubsubMessage(entry.message),
    ...(deadLetterPolicy === undefined ? {} : { deliveryAttempt: entry.failures + 1 }),
  };
}

/**
 * Refuses to hand out messages of a subscription that pushes them, or has none any more.
 *
 * @throws RpcError FAILED_PRECONDITION.
 */
export function assertPulls({ resource }: Subscription): void {
  if (resource.detached === true)
    throw new RpcError(CODES.FAILED_PRECONDITION, "The subscription is detached from its topic.");
  if (isPush(resource.pushConfig))
    throw new RpcError(CODES.FAILED_PRECONDITION, "This method is not supported for push subscriptions.");
}

/**
 * Acknowledges deliveries. One that has lapsed still counts, as long as the message is there: except with exactly-once
 * delivery, where the caller is told which were too late.
 *
 * @throws RpcError INVALID_ARGUMENT for ids that are none; FAILED_PRECONDITION.
 */
export function acknowledge(subscription: Subscription, ackIds: readonly string[]): void {
  apply(subscription, ackIds, (entry) => subscription.backlog.settle(entry));
}

/**
 * Sets how long the receiver has from now on for deliveries; 0 gives them back.
 *
 * @throws RpcError INVALID_ARGUMENT; FAILED_PRECONDITION.
 */
export function modifyDeadline(subscription: Subscription, ackIds: readonly string[], seconds: number): void {
  assertDeadline(seconds);
  apply(subscription, ackIds, (entry, lease) => {
    if (lease !== undefined) subscription.backlog.extend(entry, seconds);
  });
}

/** @throws RpcError INVALID_ARGUMENT. */
export function assertDeadline(seconds: number, min = 0, field = "ack_deadline_seconds"): void {
  if (seconds >= min && seconds <= LONGEST_DEADLINE_S) return;
  throw invalid(
    `The value for ${field} is out of bounds. You passed ${seconds} in the request, but the value must be between ${min} and ${LONGEST_DEADLINE_S}.`,
  );
}

function apply(
  subscription: Subscription,
  ackIds: readonly string[],
  action: (entry: Entry, lease: Lease | undefined) => void,
): void {
  const deliveries = ackIds.map((ackId) => ({ ackId, ...readAckId(ackId, subscription.name) }));
  const late: string[] = [];
  for (const { ackId, messageId, delivery } of deliveries) {
    const entry = subscription.backlog.entry(messageId);
    const lease = entry?.lease?.delivery === delivery ? entry.lease : undefined;
    if (lease === undefined) late.push(ackId);
    const isOnce = subscription.resource.enableExactlyOnceDelivery === true;
    if (entry !== undefined && (lease !== undefined || !isOnce)) action(entry, lease);
  }
  if (late.length > 0 && subscription.resource.enableExactlyOnceDelivery === true) throw tooLate(late);
}

function readAckId(ackId: string, subscription: string): { readonly messageId: string; readonly delivery: number } {
  const [, owner, messageId = "", delivery] =
    /^(.+):(\d+):(\d+)$/.exec(Buffer.from(ackId, "base64url").toString()) ?? [];
  if (owner === undefined) throw invalid(`You have passed an invalid ack ID to the service (ack_id=${ackId}).`);
  if (owner !== subscription)
    throw invalid(
      `You have passed a subscription that does not belong to the given ack ID (resource=${subscription}).`,
    );
  return { messageId, delivery: Number(delivery) };
}

/** https://cloud.google.com/pubsub/docs/exactly-once-delivery#permanent_failures */
function tooLate(ackIds: readonly string[]): RpcError {
  const metadata = Object.fromEntries(ackIds.map((ackId) => [ackId, "PERMANENT_FAILURE_INVALID_ACK_ID"]));
  return new RpcError(
    CODES.FAILED_PRECONDITION,
    "Some acknowledgement ids in the request were invalid. This could be because the acknowledgement ids have expired or the acknowledgement ids were malformed.",
    [
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        reason: "EXACTLY_ONCE_ACKID_FAILURE",
        domain: "pubsub.googleapis.com",
        metadata,
      },
    ],
  );
}
