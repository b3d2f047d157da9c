import { CARRIED_ATTEMPTS } from "../core/delivery.ts";
import { encodeEnvelope, encodeScheduledEnvelope } from "../core/envelope.ts";
import type { Message } from "./message.ts";

/**
 * The body of a Pub/Sub push request for a message, in the wrapped form.
 * https://cloud.google.com/pubsub/docs/push#receive_push
 *
 * @param subscription full name, `projects/P/subscriptions/S`.
 */
export function pushBody(message: Message, subscription: string): string {
  const { task, messageId } = message;
  const time = new Date(message.publishTime).toISOString();
  const envelope =
    message.scheduledFor === undefined
      ? encodeEnvelope({
          id: task.id,
          name: task.route.name,
          payloadJson: task.payloadJson,
          enqueuedAt: task.enqueuedAt,
        })
      : encodeScheduledEnvelope(task.route.name, task.payloadJson);
  return JSON.stringify({
    deliveryAttempt: message.delivery,
    message: {
      ...carriedAttributes(message),
      data: Buffer.from(envelope).toString("base64"),
      messageId,
      message_id: messageId,
      ...(task.orderingKey === undefined ? {} : { orderingKey: task.orderingKey }),
      publishTime: time,
      publish_time: time,
    },
    subscription,
  });
}

/**
 * Pub/Sub's count takes in deliveries that were merely sent back; the difference to the attempts that count travels as
 * an attribute, as it does for a task that is created anew.
 */
function carriedAttributes(message: Message): { readonly attributes?: Readonly<Record<string, string>> } {
  const carried = message.attempt - message.delivery;
  return carried === 0 ? {} : { attributes: { [CARRIED_ATTEMPTS]: String(carried) } };
}
