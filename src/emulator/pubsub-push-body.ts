import type { StoredMessage, SubscriptionResource } from "./pubsub-resources.ts";

/** One push as it goes out. */
export interface PushContent {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

/** As Pub/Sub sends them. https://cloud.google.com/pubsub/docs/push */
const HEADERS = {
  "user-agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
  from: "noreply@google.com",
};
/** Header fields and their values, RFC 9110 section 5. */
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Fields that belong to the connection, which an attribute must not set. */
const RESERVED = /^(connection|content-length|host|keep-alive|te|trailer|transfer-encoding|upgrade|authorization)$/i;

/**
 * Body and headers of the push of a message, wrapped or not as the subscription wants it.
 *
 * @param attempt which delivery it is, from 1; told where there is a dead-letter policy.
 */
export function pushContent(message: StoredMessage, subscription: SubscriptionResource, attempt: number): PushContent {
  const { noWrapper } = subscription.pushConfig;
  if (noWrapper === undefined)
    return {
      headers: { ...HEADERS, "content-type": "application/json" },
      body: JSON.stringify(wrapped(message, subscription, attempt)),
    };
  const metadata = noWrapper.writeMetadata === true ? metadataOf(message, subscription.name) : {};
  return { headers: { ...metadata, ...HEADERS }, body: message.data ?? "" };
}

/** https://cloud.google.com/pubsub/docs/push#receive_push, both spellings of id and time included. */
function wrapped(message: StoredMessage, { name, deadLetterPolicy }: SubscriptionResource, attempt: number): object {
  const { attributes, data, messageId, orderingKey, publishTime } = message;
  const time = new Date(publishTime).toISOString();
  return {
    ...(deadLetterPolicy === undefined ? {} : { deliveryAttempt: attempt }),
    message: {
      ...(attributes === undefined ? {} : { attributes }),
      ...(data === undefined ? {} : { data: Buffer.from(data).toString("base64") }),
      messageId,
      message_id: messageId,
      ...(orderingKey === "" ? {} : { orderingKey }),
      publishTime: time,
      publish_time: time,
    },
    subscription: name,
  };
}

/** https://cloud.google.com/pubsub/docs/payload-unwrapping; an attribute that is no legal header is left out. */
function metadataOf(message: StoredMessage, subscription: string): Record<string, string> {
  const { attributes = {}, messageId, orderingKey, publishTime } = message;
  const legal = Object.entries(attributes).filter(
    ([name, value]) => FIELD_NAME.test(name) && FIELD_VALUE.test(value) && !RESERVED.test(name),
  );
  return {
    ...Object.fromEntries(legal.map(([name, value]) => [name.toLowerCase(), value])),
    "x-goog-pubsub-subscription-name": subscription,
    "x-goog-pubsub-message-id": messageId,
    "x-goog-pubsub-publish-time": new Date(publishTime).toISOString(),
    ...(orderingKey === "" ? {} : { "x-goog-pubsub-ordering-key": orderingKey }),
  };
}
