import type { v1 } from "@google-cloud/pubsub";
import type { Project } from "./side.ts";

type PublishRequest = Parameters<v1.PublisherClient["publish"]>[0];
/** A message, as Google's clients publish it. */
export type Message = NonNullable<NonNullable<PublishRequest["messages"]>[number]>;

/** A message as it is pulled. */
export interface PulledMessage {
  readonly ackId?: string | null;
  readonly message?: Message | null;
  readonly deliveryAttempt?: number | null;
}

/** A message of a text. */
export function text(data: string, fields: Message = {}): Message {
  return { data: Buffer.from(data), ...fields };
}

/** Publishes messages, and resolves to their ids. */
export async function publish({ publisher, topicName }: Project, ...messages: Message[]): Promise<readonly string[]> {
  const [{ messageIds }] = await publisher.publish({ topic: topicName(), messages });
  return messageIds ?? [];
}

/** Pulls so many messages at most. */
export async function pull(
  { subscriber, subscriptionName }: Project,
  maxMessages = 10,
  options: { readonly returnImmediately?: boolean } = {},
  id?: string,
): Promise<readonly PulledMessage[]> {
  const [{ receivedMessages }] = await subscriber.pull({ subscription: subscriptionName(id), maxMessages, ...options });
  return receivedMessages ?? [];
}

/** The data of messages, as text. */
export function textsOf(messages: readonly PulledMessage[]): readonly string[] {
  return messages.map(({ message }) => String(message?.data));
}
