import type { Case, Difference } from "./case.ts";
import type { Project } from "./side.ts";
import { at, made, REFER, withSubscription, withTopic } from "./steps.ts";

const MISSING_TOPIC = { answer: "5 Resource not found (resource=orders).", words: "5 Topic not found" };
const MISSING = { answer: "5 Resource not found (resource=orders-sub).", words: "5 Subscription does not exist" };
const topicOf = ({ publisher, topicName }: Project) => made(publisher.getTopic({ topic: topicName() }));

/** Topics: made, read, deleted. */
export const topicCases: readonly Case[] = [
  { what: "is made", ask: (project) => project.topic(), answer: { name: at("topics/orders") } },
  {
    what: "is made with labels, a retention and regions",
    ask: (project) =>
      project.topic({
        labels: { team: "a" },
        messageRetentionDuration: { seconds: 600 },
        messageStoragePolicy: { allowedPersistenceRegions: ["europe-west2"] },
      }),
    answer: {
      name: at("topics/orders"),
      labels: { team: "a" },
      messageRetentionDuration: "600s",
      messageStoragePolicy: { allowedPersistenceRegions: ["europe-west2"] },
    },
  },
  {
    what: "is made once",
    ask: withTopic((project) => project.topic()),
    answer: "6 Resource already exists in the project (resource=orders).",
    words: "6 Topic already exists",
  },
  { what: "is read", ask: withTopic(topicOf), answer: { name: at("topics/orders") } },
  { what: "is not read before it is made", ask: topicOf, ...MISSING_TOPIC },
  {
    what: "is deleted",
    ask: withTopic(({ publisher, topicName }) => made(publisher.deleteTopic({ topic: topicName() }))),
    answer: {},
  },
  {
    what: "is not deleted before it is made",
    ask: ({ publisher, topicName }) => publisher.deleteTopic({ topic: topicName() }),
    ...MISSING_TOPIC,
  },
  {
    what: "is not there any more once it is deleted",
    ask: withTopic(async (project) => {
      await project.publisher.deleteTopic({ topic: project.topicName() });
      return topicOf(project);
    }),
    ...MISSING_TOPIC,
  },
  {
    what: "leaves its subscriptions behind when it is deleted, and gets none of them back",
    ask: withSubscription(async (project) => {
      await project.publisher.deleteTopic({ topic: project.topicName() });
      await project.topic();
      const [{ topic }] = await project.subscriber.getSubscription({ subscription: project.subscriptionName() });
      const [attached] = await project.publisher.listTopicSubscriptions({ topic: project.topicName() });
      return [topic, attached];
    }),
    answer: ["_deleted-topic_", []],
  },
  ...[599, 2_678_401].map((seconds) => ({
    what: `is not made with a retention of ${seconds} s`,
    ask: (project: Project) => project.topic({ messageRetentionDuration: { seconds } }),
    answer: `3 The value for message_retention_duration is out of bounds. You passed ${seconds}s in the request, but the value must be between 600s and 2678400s.`,
    words: "3 message_retention_duration out of bounds",
  })),
  {
    what: "is not made with a label in capitals",
    ask: (project) => project.topic({ labels: { Team: "a" } }),
    answer:
      "3 Invalid label given (key=Team, value=a). Refer to https://cloud.google.com/pubsub/docs/labels#requirements for more information.",
    google: { answer: { name: at("topics/orders"), labels: { Team: "a" } }, row: "Labels" },
  },
  {
    what: "has an access policy",
    ask: withTopic(({ publisher, topicName }) =>
      made(publisher.getIamPolicy({ resource: topicName() } as Parameters<typeof publisher.getIamPolicy>[0])),
    ),
    answer: { etag: "\u0000 \u0001" },
    google: { answer: "12 ", row: "IAM policies" },
  },
];

/** Subscriptions: made, read, deleted. */
export const subscriptionCases: readonly Case[] = [
  {
    what: "is made once, whatever the settings",
    ask: withSubscription((project) => project.subscription({ ackDeadlineSeconds: 600 })),
    answer: "6 Resource already exists in the project (resource=orders-sub).",
    words: "6 Subscription already exists",
  },
  {
    what: "is not made before its topic",
    ask: (project) => project.subscription(),
    answer: "5 Resource not found (resource=orders).",
    words: "5 Subscription topic does not exist",
  },
  {
    what: "that is there already is not asked for its topic",
    ask: withSubscription((project) => project.subscription({ topic: project.topicName("nowhere") })),
    answer: "6 Resource already exists in the project (resource=orders-sub).",
    words: "6 Subscription already exists",
  },
  ...["", "orders"].map((topic) => ({
    what: `is not made for a topic called ${JSON.stringify(topic)}`,
    ask: (project: Project) => project.subscription({ topic }),
    answer: `3 Invalid resource name given (topic=${topic}). ${REFER}`,
    words: `3 Invalid [topics] name: (name=${topic})`,
  })),
  {
    what: "takes from a topic of another project",
    ask: withTopic(async (project) => {
      const { topic } = await project.subscription({ name: `projects/${project.id}-b/subscriptions/orders-sub` });
      return topic;
    }),
    answer: at("topics/orders"),
  },
  {
    what: "is not read before it is made",
    ask: ({ subscriber, subscriptionName }) => subscriber.getSubscription({ subscription: subscriptionName() }),
    ...MISSING,
  },
  {
    what: "is deleted",
    ask: withSubscription(({ subscriber, subscriptionName }) =>
      made(subscriber.deleteSubscription({ subscription: subscriptionName() })),
    ),
    answer: {},
  },
  {
    what: "is not deleted before it is made",
    ask: ({ subscriber, subscriptionName }) => subscriber.deleteSubscription({ subscription: subscriptionName() }),
    ...MISSING,
  },
  {
    what: "is not changed from pulling to pushing before it is made",
    ask: ({ subscriber, subscriptionName }) => subscriber.modifyPushConfig({ subscription: subscriptionName() }),
    ...MISSING,
  },
  {
    what: "is kept as it is in a snapshot",
    ask: withSubscription(async ({ name, subscriber, subscriptionName }) => {
      const snapshot = { name: `${name}/snapshots/first`, subscription: subscriptionName() };
      return (await made(subscriber.createSnapshot(snapshot))).topic;
    }),
    answer: at("topics/orders"),
    ours: {
      answer: "12 Method google.pubsub.v1.Subscriber/CreateSnapshot is unimplemented",
      row: "Pub/Sub: snapshots",
    },
  },
  {
    what: "is taken off its topic",
    ask: withSubscription(async (project) => {
      await project.publisher.detachSubscription({ subscription: project.subscriptionName() });
      const [{ topic, detached }] = await project.subscriber.getSubscription({
        subscription: project.subscriptionName(),
      });
      return [topic, detached];
    }),
    answer: [at("topics/orders"), true],
    google: {
      answer: "12 Method google.pubsub.v1.Publisher/DetachSubscription is unimplemented",
      row: "`DetachSubscription`",
    },
  },
];

/** Ids, whether they may be had. */
const IDS: readonly (readonly [id: string, valid: boolean])[] = [
  ["abc", true],
  ["A9_", true],
  ["a~b+c%d.e-f_g", true],
  ["gooseberry", true],
  ["Google-x", true],
  ["a".repeat(255), true],
  ["", false],
  ["ab", false],
  ["1abc", false],
  ["goog", false],
  ["google", false],
  ["a b", false],
  ["a/b", false],
  ["umläut", false],
  ["a".repeat(256), false],
];

/** Names as wholes. */
const NAMES = ["orders", "topics/orders", "projects/P/topic/orders", "projects/P/topics/orders/x"];

const NO_PROJECT: Difference = { answer: { name: "projects//topics/orders" }, row: "Names without a project" };

/** Names of topics and subscriptions. */
export const nameCases: readonly Case[] = [
  ...IDS.flatMap(([id, valid]) => {
    const shown = id.length > 20 ? `${id.slice(0, 3)}… of ${id.length} characters` : JSON.stringify(id);
    const verb = valid ? "is" : "is not";
    const outcome = (kind: string) => {
      const name = at(`${kind}/${id}`);
      if (valid) return { answer: name };
      return {
        answer: `3 Invalid resource name given (name=${name}). ${REFER}`,
        words: `3 Invalid [${kind}] name: (name=${name})`,
      };
    };
    const ofTopic = async (project: Project) => (await project.topic({ name: project.topicName(id) })).name;
    const ofSubscription = withTopic(
      async (project) => (await project.subscription({ name: project.subscriptionName(id) })).name,
    );
    return [
      { what: `${shown} ${verb} the id of a topic`, ask: ofTopic, ...outcome("topics") },
      { what: `${shown} ${verb} the id of a subscription`, ask: ofSubscription, ...outcome("subscriptions") },
    ];
  }),
  ...NAMES.map((name) => ({
    what: `${name} is not the name of a topic`,
    ask: (project: Project) => project.topic({ name: name.replace("P", project.id) }),
    answer: `3 Invalid resource name given (name=${name}). ${REFER}`,
    words: `3 Invalid [topics] name: (name=${name})`,
  })),
  {
    what: "projects//topics/orders is not the name of a topic",
    ask: (project) => project.topic({ name: "projects//topics/orders" }),
    answer: `3 Invalid resource name given (name=projects//topics/orders). ${REFER}`,
    google: NO_PROJECT,
  },
];
