import type { PubsubMessage, StoredMessage } from "./pubsub-resources.ts";
import { invalid } from "./status.ts";

/** https://cloud.google.com/pubsub/quotas#resource_limits */
const MOST_MESSAGES = 1000;
const LARGEST_REQUEST = 10_000_000;
const LARGEST_DATA = 10_000_000;
const MOST_ATTRIBUTES = 100;
const LONGEST_KEY = 256;
const LONGEST_VALUE = 1024;
const LONGEST_ORDERING_KEY = 1024;
/** Bytes that a message takes beyond what it holds, at least: two tags with their lengths. */
const MESSAGE_OVERHEAD = 4;

/**
 * Checks the messages of a call of Publish.
 *
 * @throws RpcError INVALID_ARGUMENT: none of them is published.
 */
export function assertPublishable(messages: readonly PubsubMessage[]): void {
  assertMost("message_count", messages.length, MOST_MESSAGES);
  if (messages.length === 0)
    throw invalid("The value for message_count is too small. You passed 0 in the request, but the minimum value is 1.");
  let total = 0;
  for (const message of messages) total += sizeOf(message) + MESSAGE_OVERHEAD;
  assertMost("request_size", total, LARGEST_REQUEST);
}

/** A message as subscriptions keep it. */
export function storedMessage(
  { attributes, data, orderingKey = "" }: PubsubMessage,
  messageId: string,
  publishTime: number,
): StoredMessage {
  const isEmpty = attributes === undefined || Object.keys(attributes).length === 0;
  return {
    messageId,
    publishTime,
    data: data === undefined || data.length === 0 ? undefined : data,
    attributes: isEmpty ? undefined : attributes,
    orderingKey,
  };
}

/** Bytes of a message, roughly as protobuf writes it. */
function sizeOf({ data, attributes, orderingKey = "" }: PubsubMessage): number {
  const entries = attributes === undefined ? [] : Object.entries(attributes);
  const length = data?.length ?? 0;
  if (length === 0 && entries.length === 0)
    throw invalid(
      "One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.",
    );
  assertMost("message_size", length, LARGEST_DATA);
  assertMost("attribute_count", entries.length, MOST_ATTRIBUTES);
  let size = length + Buffer.byteLength(orderingKey);
  for (const [key, value] of entries) size += attributeSize(key, value);
  assertMost("ordering_key_size", Buffer.byteLength(orderingKey), LONGEST_ORDERING_KEY);
  return size;
}

function attributeSize(key: string, value: string): number {
  const keySize = Buffer.byteLength(key);
  const valueSize = Buffer.byteLength(value);
  if (keySize === 0) throw invalid("Attribute keys must be non-empty and must not begin with 'goog'.");
  if (key.startsWith("goog")) throw invalid(`Attribute keys must not begin with 'goog' (key=${key}).`);
  assertMost("attribute_key_size", keySize, LONGEST_KEY);
  assertMost("attribute_value_size", valueSize, LONGEST_VALUE);
  return keySize + valueSize + MESSAGE_OVERHEAD;
}

function assertMost(field: string, value: number, most: number): void {
  if (value <= most) return;
  throw invalid(
    `The value for ${field} is too large. You passed ${value} in the request, but the maximum value is ${most}.`,
  );
}
