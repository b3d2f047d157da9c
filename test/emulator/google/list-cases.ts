import type { Case } from "./case.ts";
import type { Project } from "./side.ts";
import { at, withTopic } from "./steps.ts";

/** As the generated clients answer a list without auto-pagination. */
type Listed<T> = readonly [T[], unknown, { readonly nextPageToken?: string | null }];

type Lister = (project: Project, page: { pageSize: number; pageToken: string }) => Promise<readonly [string[], string]>;

const ONE_PAGE = { autoPaginate: false } as const;
const page = ([names, , { nextPageToken }]: Listed<string>) => [names, nextPageToken ?? ""] as const;
const named = ([resources, request, answer]: Listed<{ name?: string | null }>): Listed<string> => [
  resources.map(({ name }) => name ?? ""),
  request,
  answer,
];

const topics: Lister = async ({ publisher, name }, request) =>
  page(named((await publisher.listTopics({ project: name, ...request }, ONE_PAGE)) as Listed<{ name?: string }>));
const subscriptions: Lister = async ({ subscriber, name }, request) => {
  const listed = await subscriber.listSubscriptions({ project: name, ...request }, ONE_PAGE);
  return page(named(listed as Listed<{ name?: string }>));
};
const ofTopic: Lister = async ({ publisher, topicName }, request) =>
  page((await publisher.listTopicSubscriptions({ topic: topicName(), ...request }, ONE_PAGE)) as Listed<string>);

const IDS = ["b-1", "a-1", "c-1", "a-2", "a-10"];
/** As both order them: by name. */
const ORDERED = ["a-1", "a-10", "a-2", "b-1", "c-1"];

const makeTopics = async (project: Project) => {
  for (const id of IDS) await project.topic({ name: project.topicName(id) });
};
const makeSubscriptions = withTopic(async (project) => {
  for (const id of IDS) await project.subscription({ name: project.subscriptionName(id) });
});

/** Ids on each page of a whole list. */
async function pages(project: Project, list: Lister, pageSize: number): Promise<string[]> {
  const all: string[] = [];
  for (let pageToken = ""; all.length === 0 || pageToken !== ""; ) {
    const [names, next] = await list(project, { pageSize, pageToken });
    all.push(names.map((name) => name.slice(name.lastIndexOf("/") + 1)).join(" "));
    pageToken = next;
  }
  return all;
}

function inPages(size: number): readonly string[] {
  const count = size === 0 ? 1 : Math.ceil(ORDERED.length / size);
  return Array.from({ length: count }, (_, index) =>
    ORDERED.slice(index * size, size === 0 ? undefined : (index + 1) * size).join(" "),
  );
}

/** Lists, and their pages. */
export const listCases: readonly Case[] = [
  {
    what: "is empty where nothing was made",
    ask: async (project) => [
      await pages(project, topics, 10),
      await pages(project, subscriptions, 10),
      (await project.subscriber.listSnapshots({ project: project.name }))[0],
    ],
    answer: [[""], [""], []],
  },
  {
    what: "holds names in full",
    ask: withTopic((project) => topics(project, { pageSize: 0, pageToken: "" })),
    answer: [[at("topics/orders")], ""],
  },
  ...[0, 1, 2, 3, 4, 5, 6, 1001].map((size) => ({
    what: `of topics, ${size} a page`,
    ask: async (project: Project) => {
      await makeTopics(project);
      return pages(project, topics, size);
    },
    answer: inPages(size),
  })),
  ...[0, 2, 5].flatMap((size) => [
    {
      what: `of subscriptions, ${size} a page`,
      ask: async (project: Project) => {
        await makeSubscriptions(project);
        return pages(project, subscriptions, size);
      },
      answer: inPages(size),
    },
    {
      what: `of a topic's subscriptions, ${size} a page`,
      ask: async (project: Project) => {
        await makeSubscriptions(project);
        return pages(project, ofTopic, size);
      },
      answer: inPages(size),
    },
  ]),
  {
    what: "goes on after what was deleted meanwhile",
    ask: async (project) => {
      await makeTopics(project);
      const [, pageToken] = await topics(project, { pageSize: 2, pageToken: "" });
      await project.publisher.deleteTopic({ topic: project.topicName("a-2") });
      return (await topics(project, { pageSize: 10, pageToken }))[0];
    },
    answer: ["b-1", "c-1"].map((id) => at(`topics/${id}`)),
  },
  {
    what: "of less than no topics",
    ask: (project) => topics(project, { pageSize: -1, pageToken: "" }),
    answer: "3 The page size must be greater than or equal to 0.",
    google: { answer: [[], ""], row: "Page sizes and tokens" },
  },
  {
    what: "from a token that is none",
    ask: (project) => topics(project, { pageSize: 2, pageToken: "none" }),
    answer: "3 You have passed an invalid page token to the request.",
    google: { answer: [[], ""], row: "Page sizes and tokens" },
  },
  {
    what: "of the subscriptions of a topic that is not there",
    ask: (project) => ofTopic(project, { pageSize: 2, pageToken: "" }),
    answer: "5 Resource not found (resource=orders).",
    google: { answer: [[], ""], row: "Subscriptions of a missing topic" },
  },
];
