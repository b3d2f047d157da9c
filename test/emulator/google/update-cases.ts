import type { Answer } from "./answer.ts";
import type { Case } from "./case.ts";
import type { Project, Subscription, Topic } from "./side.ts";
import { at, made, PUSH, withSubscription, withTopic } from "./steps.ts";

interface Update {
  readonly paths?: readonly string[];
  /** Settings before the update. */
  readonly from?: Subscription;
  readonly to?: Subscription;
  /** The field to look at afterwards. */
  readonly see?: keyof Subscription;
}

/** Updates a subscription, and looks at one field of the answer and of what is read afterwards. */
function updated({ paths, from = {}, to = {}, see }: Update): Case["ask"] {
  return withSubscription(async ({ subscriber, subscriptionName }) => {
    const subscription = { name: subscriptionName(), ...to };
    const mask = paths === undefined ? {} : { updateMask: { paths: [...paths] } };
    const answered = await made(subscriber.updateSubscription({ subscription, ...mask }));
    const kept = await made(subscriber.getSubscription({ subscription: subscriptionName() }));
    return see === undefined ? kept : [answered[see], kept[see]];
  }, from);
}

const SEE = "Note that field paths must be of the form 'push_config' rather than 'pushConfig'.";
const MASK = "3 Invalid update_mask provided in the UpdateSubscriptionRequest:";
const NO_MASK =
  "3 The update_mask in the UpdateSubscriptionRequest must be set, and must contain a non-empty paths list.";
const unknown = (path: string) => `${MASK} ${path} is not a known Subscription field. ${SEE}`;

interface Changed extends Update {
  readonly see: keyof Subscription;
  readonly becomes: Answer;
}

const changes = (path: string, { becomes, ...update }: Changed): Case => ({
  what: `${path} becomes ${becomes === undefined ? "nothing" : JSON.stringify(becomes)}`,
  ask: updated({ paths: [path], ...update }),
  answer: [becomes ?? null, becomes ?? null],
});

/** Updates of subscriptions. */
export const updateCases: readonly Case[] = [
  { what: "no mask", ask: updated({ to: { ackDeadlineSeconds: 20 } }), answer: NO_MASK },
  { what: "an empty mask", ask: updated({ paths: [], to: { ackDeadlineSeconds: 20 } }), answer: NO_MASK },
  ...[
    "colour",
    "ackDeadlineSeconds",
    "push_config.push_endpoint",
    "dead_letter_policy.max_delivery_attempts",
    "state",
    "*",
  ].map((path) => ({
    what: `the unknown field ${path}`,
    ask: updated({ paths: [path], to: { ackDeadlineSeconds: 20 } }),
    answer: unknown(path),
  })),
  ...["topic", "name", "enable_message_ordering", "detached"].map((path) => ({
    what: `${path}, which stays as it is`,
    ask: updated({ paths: [path], to: { topic: "x" } }),
    answer: `${MASK} the '${path}' field in the Subscription is not mutable.`,
    words: `${MASK} the ${path} field in the Subscription is not mutable.`,
  })),
  {
    what: "filter, which stays as it is",
    ask: updated({ paths: ["filter"], to: { filter: "attributes:a" } }),
    answer: `${MASK} the 'filter' field in the Subscription is not mutable.`,
    words: "3 Updating the filter field is currently unsupported in the Pub/Sub Emulator.",
  },
  {
    what: "a known field beside an unknown one changes nothing",
    ask: withSubscription(async ({ subscriber, subscriptionName }) => {
      const subscription = { name: subscriptionName(), ackDeadlineSeconds: 20 };
      const paths = ["ack_deadline_seconds", "colour"];
      const refused = await subscriber.updateSubscription({ subscription, updateMask: { paths } }).catch(() => true);
      const kept = await made(subscriber.getSubscription({ subscription: subscriptionName() }));
      return [refused, kept.ackDeadlineSeconds];
    }),
    answer: [true, 10],
  },
  {
    what: "a subscription that is not there, whatever the mask",
    ask: ({ subscriber, subscriptionName }) =>
      subscriber.updateSubscription({ subscription: { name: subscriptionName() } }),
    answer: "5 Resource not found (resource=orders-sub).",
    words: "5 Subscription not found.",
  },
  changes("ack_deadline_seconds", { to: { ackDeadlineSeconds: 20 }, see: "ackDeadlineSeconds", becomes: 20 }),
  changes("ack_deadline_seconds", { from: { ackDeadlineSeconds: 20 }, see: "ackDeadlineSeconds", becomes: 10 }),
  {
    what: "ack_deadline_seconds, out of bounds",
    ask: updated({ paths: ["ack_deadline_seconds"], to: { ackDeadlineSeconds: 601 } }),
    answer:
      "3 The value for ack_deadline_seconds is out of bounds. You passed 601 in the request, but the value must be between 10 and 600.",
    words: "3 ack_deadline_secs out of bounds",
  },
  {
    what: "a field that the mask does not name stays",
    ask: updated({ paths: ["ack_deadline_seconds"], to: { retainAckedMessages: true }, see: "retainAckedMessages" }),
    answer: [false, false],
  },
  changes("retry_policy", {
    to: { retryPolicy: { minimumBackoff: { seconds: 1 } } },
    see: "retryPolicy",
    becomes: { minimumBackoff: "1s", maximumBackoff: "600s" },
  }),
  changes("retry_policy", { from: { retryPolicy: {} }, see: "retryPolicy", becomes: undefined }),
  changes("push_config", { from: { pushConfig: PUSH }, see: "pushConfig", becomes: {} }),
  changes("message_retention_duration", {
    to: { messageRetentionDuration: { seconds: 600 } },
    see: "messageRetentionDuration",
    becomes: "600s",
  }),
  changes("message_retention_duration", {
    from: { messageRetentionDuration: { seconds: 600 } },
    see: "messageRetentionDuration",
    becomes: "604800s",
  }),
  changes("retain_acked_messages", { to: { retainAckedMessages: true }, see: "retainAckedMessages", becomes: true }),
  changes("enable_exactly_once_delivery", {
    to: { enableExactlyOnceDelivery: true },
    see: "enableExactlyOnceDelivery",
    becomes: true,
  }),
  {
    what: "dead_letter_policy gets its default",
    ask: withSubscription(async ({ subscriber, subscriptionName, topicName }) => {
      const subscription = { name: subscriptionName(), deadLetterPolicy: { deadLetterTopic: topicName() } };
      const paths = ["dead_letter_policy"];
      return (await made(subscriber.updateSubscription({ subscription, updateMask: { paths } }))).deadLetterPolicy;
    }),
    answer: { deadLetterTopic: at("topics/orders"), maxDeliveryAttempts: 5 },
  },
  {
    what: "dead_letter_policy needs a topic that is there",
    ask: withSubscription(({ subscriber, subscriptionName, topicName }) => {
      const subscription = { name: subscriptionName(), deadLetterPolicy: { deadLetterTopic: topicName("nowhere") } };
      return subscriber.updateSubscription({ subscription, updateMask: { paths: ["dead_letter_policy"] } });
    }),
    answer: "5 Resource not found (resource=nowhere).",
    words: "5 Dead letter topic not found",
  },
  {
    ...changes("labels", { to: { labels: { a: "b" } }, see: "labels", becomes: { a: "b" } }),
    google: { answer: unknown("labels"), row: "Updates of labels, expiration and topics" },
  },
  {
    ...changes("expiration_policy", { to: { expirationPolicy: {} }, see: "expirationPolicy", becomes: {} }),
    google: {
      answer: "3 Updating the expiration_policy field is currently unsupported in the Pub/Sub Emulator.",
      row: "Updates of labels, expiration and topics",
    },
  },
  {
    what: "a push configuration, by its own method",
    ask: withSubscription(async ({ subscriber, subscriptionName }) => {
      const name = { subscription: subscriptionName() };
      await subscriber.modifyPushConfig({ ...name, pushConfig: PUSH });
      const pushing = (await made(subscriber.getSubscription(name))).pushConfig?.pushEndpoint;
      await subscriber.modifyPushConfig({ ...name, pushConfig: {} });
      return [pushing, (await made(subscriber.getSubscription(name))).pushConfig];
    }),
    answer: [PUSH.pushEndpoint, {}],
  },
];

const topicMask = (path: string) =>
  `3 Invalid update_mask provided in the UpdateTopicRequest: ${path} is not a known Topic field. Note that field paths must be of the form 'schema_settings' rather than 'schemaSetings'.`;

function updatedTopic(fields: Topic, paths?: readonly string[]) {
  return ({ publisher, topicName }: Project): Promise<unknown> => {
    const topic = { name: topicName(), ...fields };
    return made(
      publisher.updateTopic({ topic, ...(paths === undefined ? {} : { updateMask: { paths: [...paths] } }) }),
    );
  };
}

/** Updates of topics. */
export const topicUpdateCases: readonly Case[] = [
  {
    what: "no mask",
    ask: withTopic(updatedTopic({ labels: { a: "b" } })),
    answer: "3 The update_mask in the UpdateTopicRequest must be set, and must contain a non-empty paths list.",
  },
  ...["colour", "name"].map((path) => ({
    what: `the unknown field ${path}`,
    ask: withTopic(updatedTopic({}, [path])),
    answer: topicMask(path),
  })),
  {
    what: "a topic that is not there",
    ask: updatedTopic({ labels: { a: "b" } }, ["labels"]),
    answer: "5 Resource not found (resource=orders).",
    words: "5 Topic not found.",
  },
  {
    what: "message_retention_duration",
    ask: withTopic(updatedTopic({ messageRetentionDuration: { seconds: 600 } }, ["message_retention_duration"])),
    answer: { name: at("topics/orders"), messageRetentionDuration: "600s" },
  },
  ...[
    { path: "labels", fields: { labels: { a: "b" } } },
    {
      path: "message_storage_policy",
      fields: { messageStoragePolicy: { allowedPersistenceRegions: ["europe-west2"] } },
    },
  ].map(({ path, fields }) => ({
    what: path,
    ask: withTopic(updatedTopic(fields, [path])),
    answer: { name: at("topics/orders"), ...fields },
    google: { answer: topicMask(path), row: "Updates of labels, expiration and topics" },
  })),
];
