import type { Case } from "./case.ts";
import { publish, text } from "./messages.ts";
import type { Project } from "./side.ts";
import { withTopic } from "./steps.ts";

const EMPTY = {
  answer:
    "3 One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.",
  words: "3 Some messages are empty",
};
const tooLarge = (field: string, given: number, most: number) =>
  `3 The value for ${field} is too large. You passed ${given} in the request, but the maximum value is ${most}.`;
const published = (...messages: Parameters<typeof publish>[1][]) =>
  withTopic(async (project: Project) => (await publish(project, ...messages)).length);
const attributes = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"]));
const LARGE = { row: "Sizes of messages and attributes", answer: 1 };

/** Publishing. */
export const publishCases: readonly Case[] = [
  {
    what: "gives ids out, in order",
    ask: withTopic(async (project) => {
      const ids = await publish(project, text("a"), text("b"), text("c"));
      const numbers = ids.map(Number);
      return [
        ids.every((id) => /^\d+$/.test(id)),
        new Set(ids).size,
        numbers.toSorted((a, b) => a - b).join() === ids.join(),
      ];
    }),
    answer: [true, 3, true],
  },
  { what: "takes attributes without data", ask: published({ attributes: { a: "" } }), answer: 1 },
  { what: "refuses a message of nothing", ask: published({}), ...EMPTY },
  { what: "refuses a message of an ordering key", ask: published({ orderingKey: "k" }), ...EMPTY },
  { what: "refuses all for one", ask: published(text("a"), {}), ...EMPTY },
  {
    what: "refuses no messages",
    ask: published(),
    answer: "3 The value for message_count is too small. You passed 0 in the request, but the minimum value is 1.",
    words: "3 No messages to publish",
  },
  { what: "takes 1,000 messages", ask: published(...Array.from({ length: 1000 }, () => text("a"))), answer: 1000 },
  {
    what: "refuses 1,001 messages",
    ask: published(...Array.from({ length: 1001 }, () => text("a"))),
    answer: tooLarge("message_count", 1001, 1000),
    words: "3 Too many messages to publish",
  },
  { what: "takes 100 attributes", ask: published({ attributes: attributes(100) }), answer: 1 },
  {
    what: "refuses 101 attributes",
    ask: published({ attributes: attributes(101) }),
    answer: tooLarge("attribute_count", 101, 100),
    google: LARGE,
  },
  {
    what: "takes the longest attribute",
    ask: published({ attributes: { ["k".repeat(256)]: "v".repeat(1024) } }),
    answer: 1,
  },
  {
    what: "refuses a longer key",
    ask: published({ attributes: { ["k".repeat(257)]: "v" } }),
    answer: tooLarge("attribute_key_size", 257, 256),
    google: LARGE,
  },
  {
    what: "refuses a longer value",
    ask: published({ attributes: { k: "v".repeat(1025) } }),
    answer: tooLarge("attribute_value_size", 1025, 1024),
    google: LARGE,
  },
  {
    what: "refuses more than 10 MB",
    ask: published({ data: Buffer.alloc(10_000_001) }),
    answer: tooLarge("message_size", 10_000_001, 10_000_000),
    google: LARGE,
  },
  {
    what: "refuses keys that begin with goog",
    ask: published(text("a", { attributes: { googclient: "b" } })),
    answer: "3 Attribute keys must not begin with 'goog' (key=googclient).",
    google: { answer: 1, row: "Keys of attributes" },
  },
  {
    what: "needs the topic",
    ask: (project) => publish(project, text("a")),
    answer: "5 Resource not found (resource=orders).",
    words: "5 Topic not found",
  },
];
