import type { Answer } from "./answer.ts";
import type { Case } from "./case.ts";
import { type PulledMessage, publish, pull, text, textsOf } from "./messages.ts";
import type { Project } from "./side.ts";
import { made, PUSH, withSubscription, withTopic } from "./steps.ts";

const MISSING = { answer: "5 Resource not found (resource=orders-sub).", words: "5 Subscription does not exist" };

/** Pulls one message that was just published, and goes on with it. */
function withMessage(go: (project: Project, message: PulledMessage) => Promise<unknown>): Case["ask"] {
  return withSubscription(async (project) => {
    await publish(project, text("a"));
    const [message] = await pull(project);
    if (message === undefined) throw new Error("expected a message");
    return go(project, message);
  });
}

const acknowledge = ({ subscriber, subscriptionName }: Project, ...ackIds: string[]) =>
  made(subscriber.acknowledge({ subscription: subscriptionName(), ackIds }));
const extend = ({ subscriber, subscriptionName }: Project, ackDeadlineSeconds: number, ...ackIds: string[]) =>
  made(subscriber.modifyAckDeadline({ subscription: subscriptionName(), ackDeadlineSeconds, ackIds }));
const UNKNOWN_ID = {
  answer: "3 You have passed an invalid ack ID to the service (ack_id=nonsense).",
  words: "3 Invalid ack id (ack_id=nonsense)",
};
const outOfBounds = (seconds: number) =>
  `3 The value for ack_deadline_seconds is out of bounds. You passed ${seconds} in the request, but the value must be between 0 and 600.`;
const keyed = (...texts: readonly string[]) => texts.map((each) => text(each, { orderingKey: "k" }));

/** Pulling, and acknowledging. */
export const pullCases: readonly Case[] = [
  {
    what: "hands a message out as it was published",
    ask: withSubscription(async (project) => {
      const [id] = await publish(project, text("a", { attributes: { k: "v" }, orderingKey: "o" }));
      const [{ message, deliveryAttempt } = {}] = await pull(project);
      const { messageId, publishTime, data, ...rest } = message ?? {};
      return [
        messageId === id,
        Math.abs(Number(publishTime?.seconds) * 1000 - Date.now()) < 60_000,
        data,
        rest,
        deliveryAttempt,
      ];
    }),
    answer: [true, true, "a", { attributes: { k: "v" }, orderingKey: "o" }, 0],
  },
  {
    what: "only has what was published after the subscription was made",
    ask: withTopic(async (project) => {
      await publish(project, text("old"));
      await project.subscription();
      await publish(project, text("new"));
      return textsOf(await pull(project));
    }),
    answer: ["new"],
  },
  {
    what: "keeps what a topic had when that is deleted",
    ask: withSubscription(async (project) => {
      await publish(project, text("kept"));
      await project.publisher.deleteTopic({ topic: project.topicName() });
      return textsOf(await pull(project));
    }),
    answer: ["kept"],
  },
  {
    what: "hands out so many messages at most",
    ask: withSubscription(async (project) => {
      await publish(project, text("a"), text("b"), text("c"));
      return [textsOf(await pull(project, 2)), textsOf(await pull(project, 2))];
    }),
    answer: [["a", "b"], ["c"]],
  },
  {
    what: "counts deliveries where there is a dead-letter policy",
    ask: withTopic(async (project) => {
      await project.topic({ name: project.topicName("dead") });
      await project.subscription({ deadLetterPolicy: { deadLetterTopic: project.topicName("dead") } });
      await publish(project, text("a"));
      const counts: Answer[] = [];
      while (counts.length < 3) {
        const [message] = await pull(project);
        counts.push(message?.deliveryAttempt);
        await extend(project, 0, message?.ackId ?? "");
      }
      return counts;
    }),
    answer: [1, 2, 3],
  },
  {
    what: "filters",
    ask: withTopic(async (project) => {
      await project.subscription({ filter: 'attributes.kind = "a"' });
      await publish(project, text("b", { attributes: { kind: "b" } }), text("a", { attributes: { kind: "a" } }));
      return textsOf(await pull(project));
    }),
    answer: ["a"],
    google: { answer: ["b", "a"], row: "Filters" },
  },
  {
    what: "keeps the order of a key, and holds it up until the first is acknowledged",
    ask: withSubscription(
      async (project) => {
        await publish(project, ...keyed("a", "b", "c"));
        const [first] = await pull(project, 1);
        const held = textsOf(await pull(project, 10, { returnImmediately: true }));
        await acknowledge(project, first?.ackId ?? "");
        return [held, textsOf(await pull(project))];
      },
      { enableMessageOrdering: true },
    ),
    answer: [[], ["b", "c"]],
  },
  {
    what: "is over once acknowledged, twice if need be",
    ask: withMessage(async (project, { ackId }) => [
      await acknowledge(project, ackId ?? ""),
      await acknowledge(project, ackId ?? ""),
      await pull(project, 1, { returnImmediately: true }),
    ]),
    answer: [{}, {}, []],
  },
  {
    what: "begins anew once given back",
    ask: withMessage(async (project, { ackId }) => [
      await extend(project, 0, ackId ?? ""),
      textsOf(await pull(project)),
    ]),
    answer: [{}, ["a"]],
  },
  { what: "needs the subscription", ask: (project) => pull(project), ...MISSING },
  {
    what: "needs a number of messages",
    ask: withSubscription((project) => pull(project, 0)),
    answer: "3 The value for max_messages is too small. You passed 0 in the request, but the minimum value is 1.",
    words: "3 No max_messages specified",
  },
  {
    what: "is not for push subscriptions",
    ask: withSubscription((project) => pull(project, 1, { returnImmediately: true }), { pushConfig: PUSH }),
    answer: "9 This method is not supported for push subscriptions.",
    google: { answer: [], row: "Pulling from a push subscription" },
  },
  {
    what: "is acknowledged with an id",
    ask: withSubscription((project) => acknowledge(project)),
    answer: "3 No ack ids specified.",
  },
  {
    what: "is acknowledged with an id that was given out",
    ask: withSubscription((project) => acknowledge(project, "nonsense")),
    ...UNKNOWN_ID,
  },
  { what: "is acknowledged to a subscription", ask: (project) => acknowledge(project, "nonsense"), ...MISSING },
  {
    what: "is acknowledged to the subscription that it is of",
    ask: withMessage(async (project, { ackId }) => {
      const subscription = project.subscriptionName("other");
      await project.subscription({ name: subscription });
      const call = made(project.subscriber.acknowledge({ subscription, ackIds: [ackId ?? ""] }));
      return call.catch(({ code }: { readonly code: number }) => code);
    }),
    // "You have passed a subscription that does not belong to the given ack ID (resource=…)", as the service was recorded:
    // https://github.com/GoogleCloudPlatform/ruby-docs-samples/pull/688
    answer: 3,
  },
  {
    what: "is given more time with an id",
    ask: withSubscription((project) => extend(project, 10)),
    answer: "3 No ack ids specified.",
    words: "3 No ack ids specified",
  },
  {
    what: "is given more time with an id that was given out",
    ask: withSubscription((project) => extend(project, 10, "nonsense")),
    ...UNKNOWN_ID,
  },
  { what: "is given more time on a subscription", ask: (project) => extend(project, 10, "nonsense"), ...MISSING },
  { what: "is given 5 s", ask: withMessage((project, { ackId }) => extend(project, 5, ackId ?? "")), answer: {} },
  {
    what: "is not given less than none",
    ask: withMessage((project, { ackId }) => extend(project, -1, ackId ?? "")),
    answer: outOfBounds(-1),
    words: "3 Ack deadline cannot be negative",
  },
  {
    what: "is not given 601 s",
    ask: withMessage((project, { ackId }) => extend(project, 601, ackId ?? "")),
    answer: outOfBounds(601),
    google: { answer: {}, row: "Extending an ack deadline beyond 600 s" },
  },
  {
    what: "is over for what was published before a time that is sought",
    ask: withSubscription(async (project) => {
      await publish(project, text("a"));
      const time = { seconds: Math.floor(Date.now() / 1000) + 3600 };
      const sought = await made(project.subscriber.seek({ subscription: project.subscriptionName(), time }));
      return [sought, await pull(project, 1, { returnImmediately: true })];
    }),
    answer: [{}, []],
  },
  {
    what: "is sought by something",
    ask: withSubscription(({ subscriber, subscriptionName }) => subscriber.seek({ subscription: subscriptionName() })),
    answer: "3 No target was specified in the SeekRequest. Must specify either a time or a snapshot",
  },
];
