import type { Answer } from "./answer.ts";
import type { Case } from "./case.ts";
import { type Project, restAnswer } from "./side.ts";
import { at, REFER } from "./steps.ts";

type Call = readonly [method: string, path: string, body?: object | string];

/** Makes calls one after the other, and answers with what the last one came to. */
function calls(...list: readonly Call[]): (project: Project) => Promise<Answer> {
  return async (project) => {
    let answer: Answer;
    for (const [method, path, body] of list) {
      const named = typeof body === "object" ? JSON.stringify(body).replaceAll("/P/", `/${project.id}/`) : body;
      answer = restAnswer(await project.rest(method, path, named));
    }
    return answer;
  };
}

const TOPIC: Call = ["PUT", "/topics/orders", {}];
const GET_TOPIC: Call = ["GET", "/topics/orders"];
const SUBSCRIPTION = "/subscriptions/orders-sub";
/** With what the two fill in differently, set. */
const SET = { expirationPolicy: {}, topic: at("topics/orders") };
const subscribe = (fields: object = {}): Call => ["PUT", SUBSCRIPTION, { ...SET, ...fields }];
const patch = (subscription: object, updateMask?: string): Call => [
  "PATCH",
  SUBSCRIPTION,
  { subscription, updateMask },
];
const publish = (...messages: readonly object[]): Call => ["POST", "/topics/orders:publish", { messages }];
const notFound = (id: string) => `404 NOT_FOUND Resource not found (resource=${id}).`;
const PAYLOAD = "400 INVALID_ARGUMENT Payload isn't valid for request.";

/** Fields of a subscription. */
async function seen(project: Project, ask: (project: Project) => Promise<Answer>, ...fields: readonly string[]) {
  const answer = (await ask(project)) as Readonly<Record<string, Answer>>;
  return Object.fromEntries(fields.map((field) => [field, answer[field]]));
}

/** The REST API of resources. */
export const restResourceCases: readonly Case[] = [
  { what: "makes a topic", ask: calls(TOPIC), answer: { name: at("topics/orders") } },
  {
    what: "makes a topic without a body",
    ask: calls(["PUT", "/topics/orders"]),
    answer: { name: at("topics/orders") },
  },
  {
    what: "makes a topic once",
    ask: calls(TOPIC, TOPIC),
    answer: "409 ALREADY_EXISTS Resource already exists in the project (resource=orders).",
    words: "409 ALREADY_EXISTS Topic already exists",
  },
  {
    what: "refuses an id",
    ask: calls(["PUT", "/topics/ab", {}]),
    answer: `400 INVALID_ARGUMENT Invalid resource name given (name=${at("topics/ab")}). ${REFER}`,
    words: `400 INVALID_ARGUMENT Invalid [topics] name: (name=${at("topics/ab")})`,
  },
  { what: "reads a topic", ask: calls(TOPIC, GET_TOPIC), answer: { name: at("topics/orders") } },
  { what: "finds no topic", ask: calls(GET_TOPIC), answer: notFound("orders"), words: "404 NOT_FOUND Topic not found" },
  { what: "deletes a topic", ask: calls(TOPIC, ["DELETE", "/topics/orders"]), answer: {} },
  { what: "lists nothing", ask: calls(["GET", "/topics"]), answer: {} },
  { what: "lists topics", ask: calls(TOPIC, ["GET", "/topics"]), answer: { topics: [{ name: at("topics/orders") }] } },
  {
    what: "lists topics in pages",
    ask: async (project) => {
      await calls(TOPIC, ["PUT", "/topics/orders-b", {}])(project);
      const { body: first } = await project.rest("GET", "/topics?pageSize=1");
      const { body: last } = await project.rest("GET", `/topics?pageSize=1&pageToken=${first.nextPageToken}`);
      return [first.topics, last];
    },
    answer: [[{ name: at("topics/orders") }], { topics: [{ name: at("topics/orders-b") }] }],
  },
  {
    what: "lists subscriptions of a topic",
    ask: calls(TOPIC, subscribe(), ["GET", "/topics/orders/subscriptions"]),
    answer: { subscriptions: [at("subscriptions/orders-sub")] },
  },
  {
    what: "makes a subscription, and fills in defaults",
    ask: (project) =>
      seen(
        project,
        calls(
          TOPIC,
          subscribe({ retryPolicy: { minimumBackoff: "1.5s" }, deadLetterPolicy: { deadLetterTopic: SET.topic } }),
        ),
        "name",
        "topic",
        "ackDeadlineSeconds",
        "messageRetentionDuration",
        "expirationPolicy",
        "pushConfig",
        "retryPolicy",
        "deadLetterPolicy",
      ),
    answer: {
      name: at("subscriptions/orders-sub"),
      topic: at("topics/orders"),
      ackDeadlineSeconds: 10,
      messageRetentionDuration: "604800s",
      expirationPolicy: {},
      pushConfig: {},
      retryPolicy: { minimumBackoff: "1.500s", maximumBackoff: "600s" },
      deadLetterPolicy: { deadLetterTopic: at("topics/orders"), maxDeliveryAttempts: 5 },
    },
  },
  {
    what: "takes fields in snake case",
    ask: (project) => seen(project, calls(TOPIC, subscribe({ ack_deadline_seconds: 20 })), "ackDeadlineSeconds"),
    answer: { ackDeadlineSeconds: 20 },
  },
  ...["ackDeadlineSeconds", "ack_deadline_seconds"].map((mask) => ({
    what: `takes the mask ${mask}`,
    ask: (project: Project) =>
      seen(project, calls(TOPIC, subscribe(), patch({ ackDeadlineSeconds: 30 }, mask)), "ackDeadlineSeconds"),
    answer: { ackDeadlineSeconds: 30 },
  })),
  {
    what: "needs a mask",
    ask: calls(TOPIC, subscribe(), patch({ ackDeadlineSeconds: 30 })),
    answer:
      "400 INVALID_ARGUMENT The update_mask in the UpdateSubscriptionRequest must be set, and must contain a non-empty paths list.",
  },
  {
    what: "changes a push configuration",
    ask: calls(TOPIC, subscribe(), ["POST", `${SUBSCRIPTION}:modifyPushConfig`, { pushConfig: {} }]),
    answer: {},
  },
  {
    what: "makes no subscription before its topic",
    ask: calls(subscribe()),
    answer: notFound("orders"),
    words: "404 NOT_FOUND Subscription topic does not exist",
  },
  {
    what: "has access policies",
    ask: calls(TOPIC, ["GET", "/topics/orders:getIamPolicy"]),
    answer: { etag: "ACAB" },
    google: { answer: "501 UNIMPLEMENTED", row: "IAM policies" },
  },
];

/** The REST API of messages, and what is no call of it. */
export const restMessageCases: readonly Case[] = [
  {
    what: "publishes, pulls and acknowledges",
    ask: async (project) => {
      await calls(TOPIC, subscribe())(project);
      const messages = [{ data: "YQ==", attributes: { k: "v" } }];
      const published = await project.rest("POST", "/topics/orders:publish", { messages });
      const pulled = await project.rest("POST", `${SUBSCRIPTION}:pull`, { maxMessages: 10 });
      const [{ ackId, message }] = pulled.body.receivedMessages;
      const { messageId, publishTime, ...rest } = message;
      const acknowledged = await project.rest("POST", `${SUBSCRIPTION}:acknowledge`, { ackIds: [ackId] });
      const again = { maxMessages: 1, returnImmediately: true };
      const empty = await project.rest("POST", `${SUBSCRIPTION}:pull`, again);
      const ids = published.body.messageIds;
      return [ids.length, ids[0] === messageId, typeof ackId, Date.parse(publishTime) > 0, rest, acknowledged, empty];
    },
    answer: [
      1,
      true,
      "string",
      true,
      { data: "YQ==", attributes: { k: "v" } },
      { status: 200, body: {} },
      { status: 200, body: {} },
    ],
  },
  {
    what: "takes URL-safe base64",
    ask: async (project) => {
      await calls(TOPIC, subscribe(), publish({ data: "_-8" }))(project);
      const { body } = await project.rest("POST", `${SUBSCRIPTION}:pull`, { maxMessages: 1 });
      return body.receivedMessages[0].message.data;
    },
    answer: "/+8=",
  },
  {
    what: "refuses what is no base64",
    ask: calls(TOPIC, publish({ data: "!" })),
    answer: `400 INVALID_ARGUMENT Invalid value at 'messages[0].data' (TYPE_BYTES), "!"`,
    words: PAYLOAD,
  },
  {
    what: "refuses an empty message",
    ask: calls(TOPIC, publish({})),
    answer:
      "400 INVALID_ARGUMENT One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.",
    words: "400 INVALID_ARGUMENT Some messages are empty",
  },
  {
    what: "refuses an unknown field",
    ask: calls(TOPIC, subscribe({ colour: 1 })),
    answer: `400 INVALID_ARGUMENT Invalid JSON payload received. Unknown name "colour": Cannot find field.`,
    words: PAYLOAD,
  },
  {
    what: "refuses a text for a number",
    ask: calls(TOPIC, subscribe({ ackDeadlineSeconds: "x" })),
    answer: `400 INVALID_ARGUMENT Invalid value at 'ackDeadlineSeconds' (TYPE_INT32), "x"`,
    words: PAYLOAD,
  },
  {
    what: "refuses a duration without a unit",
    ask: calls(TOPIC, subscribe({ messageRetentionDuration: "600" })),
    answer:
      "400 INVALID_ARGUMENT Invalid value at 'messageRetentionDuration' (type.googleapis.com/google.protobuf.Duration), Field 'messageRetentionDuration', Illegal duration format; duration must end with 's'",
    words: PAYLOAD,
  },
  {
    what: "refuses broken JSON",
    ask: calls(["PUT", "/topics/orders", "{"]),
    answer: "400 INVALID_ARGUMENT Invalid JSON payload received. Unexpected token.",
    words: PAYLOAD,
  },
  {
    what: "refuses an unknown query parameter",
    ask: calls(["GET", "/topics?colour=x"]),
    answer: `400 INVALID_ARGUMENT Invalid JSON payload received. Unknown name "colour": Cannot bind query parameter. Field 'colour' could not be found in request message.`,
    google: { answer: {}, row: "Query parameters" },
  },
  ...(
    [
      ["GET", "/nothing"],
      ["POST", "/topics/orders"],
      ["POST", "/topics/orders:paint"],
    ] as const
  ).map(([method, path]) => ({
    what: `has no ${method} ${path}`,
    ask: calls([method, path]),
    answer: `404 NOT_FOUND Method not found: ${method} /v1/projects/P${path}`,
    words: "404 Not Found",
  })),
];
