import type { HeaderLookup } from "../core/auth.ts";
import { CARRIED_ATTEMPTS } from "../core/delivery.ts";
import { isObject } from "../core/envelope.ts";
import { TasksError } from "../core/errors.ts";
import { carriedAttempts, type TransportMessage } from "./transport.ts";

const NO_ATTRIBUTES: Readonly<Record<string, string>> = Object.freeze({});

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Whether parsed JSON is a wrapped Pub/Sub push body. An envelope has no `message`. */
export function isWrapped(
  body: unknown,
): body is { readonly message: Record<string, unknown>; readonly deliveryAttempt?: unknown } {
  return isObject(body) && isObject(body.message) && body.task_name === undefined;
}

function attributesOf(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return NO_ATTRIBUTES;
  if (isObject(value) && Object.values(value).every((item) => typeof item === "string"))
    return value as Record<string, string>;
  throw new TasksError("MALFORMED_MESSAGE", "message attributes: expected an object of texts, got something else");
}

/**
 * A wrapped push: `messageId` and `publishTime` come in two spellings, `deliveryAttempt` only with a dead-letter policy.
 * https://cloud.google.com/pubsub/docs/push#receive_push
 */
export function wrappedMessage({
  message,
  deliveryAttempt,
}: {
  readonly message: Record<string, unknown>;
  readonly deliveryAttempt?: unknown;
}): TransportMessage {
  const messageId = message.messageId ?? message.message_id;
  if (typeof messageId !== "string" || messageId === "") {
    throw new TasksError("MALFORMED_MESSAGE", "message: expected messageId to be a text, got something else");
  }
  const attributes = attributesOf(message.attributes);
  const deliveries =
    Number.isInteger(deliveryAttempt) && (deliveryAttempt as number) > 0 ? (deliveryAttempt as number) : 1;
  return {
    transport: "pubsub",
    messageId,
    attempt: Math.max(1, deliveries + carriedAttempts(attributes[CARRIED_ATTEMPTS])),
    scheduledFor: undefined,
    publishTime: textOf(message.publishTime ?? message.publish_time),
    orderingKey: textOf(message.orderingKey) || undefined,
    attributes,
  };
}

/**
 * An unwrapped push, where the body is the data. With `writeMetadata` the id and time are headers, and each attribute is a
 * header of its own. https://cloud.google.com/pubsub/docs/payload-unwrapping
 */
export function unwrappedMessage(header: HeaderLookup): TransportMessage | undefined {
  const messageId = header("x-goog-pubsub-message-id");
  if (messageId === undefined) return undefined;
  return {
    transport: "pubsub",
    messageId,
    attempt: Math.max(1, 1 + carriedAttempts(header(CARRIED_ATTEMPTS))),
    scheduledFor: undefined,
    publishTime: header("x-goog-pubsub-publish-time"),
    orderingKey: header("x-goog-pubsub-ordering-key") || undefined,
    attributes: NO_ATTRIBUTES,
  };
}
