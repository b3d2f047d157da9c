import type { Answer } from "./answer.ts";
import type { Case } from "./case.ts";
import type { Project, Subscription } from "./side.ts";
import { at, PUSH, REFER, withTopic } from "./steps.ts";

/** Fields that the two fill in differently are looked at by cases of their own. */
const LEFT_OUT = ["name", "topic", "state", "expirationPolicy", "pushConfig", "messageRetentionDuration"];

/** Makes a subscription of such settings, and tells what it has. */
function settingsOf(fields: Subscription, ...left: readonly string[]): Case["ask"] {
  return withTopic(async (project) => {
    const made = await project.subscription(fields);
    const shown = Object.entries(made).filter(([key]) => left.includes(key) || !LEFT_OUT.includes(key));
    return Object.fromEntries(shown);
  });
}

const seconds = (count: number, nanos = 0) => ({ seconds: count, nanos });
const back = (min?: number, max?: number) => ({
  retryPolicy: {
    ...(min === undefined ? {} : { minimumBackoff: seconds(min) }),
    ...(max === undefined ? {} : { maximumBackoff: seconds(max) }),
  },
});
const backed = (minimumBackoff: string, maximumBackoff: string) => ({
  ackDeadlineSeconds: 10,
  retryPolicy: { minimumBackoff, maximumBackoff },
});
const outOfBounds = (field: string, given: string, min: string, max: string) =>
  `3 The value for ${field} is out of bounds. You passed ${given} in the request, but the value must be between ${min} and ${max}.`;
const retention = (count: number) => ({
  ask: settingsOf({ messageRetentionDuration: seconds(count) }, "messageRetentionDuration"),
  kept: { ackDeadlineSeconds: 10, messageRetentionDuration: `${count}s` },
});
const RETENTION_WORDS = "3 message_retention_duration out of bounds";

/** What the server fills in. */
export const defaultCases: readonly Case[] = [
  {
    what: "of a subscription that sets nothing",
    ask: withTopic((project) => project.subscription()),
    answer: {
      name: at("subscriptions/orders-sub"),
      topic: at("topics/orders"),
      pushConfig: {},
      ackDeadlineSeconds: 10,
      messageRetentionDuration: "604800s",
      expirationPolicy: { ttl: "2678400s" },
      state: "ACTIVE",
    },
    google: {
      answer: {
        name: at("subscriptions/orders-sub"),
        topic: at("topics/orders"),
        pushConfig: {},
        ackDeadlineSeconds: 10,
        messageRetentionDuration: "604800s",
      },
      row: "Fields that the server fills in",
    },
  },
  {
    what: "of a push configuration",
    ask: withTopic(async (project) => (await project.subscription({ pushConfig: PUSH })).pushConfig),
    answer: { ...PUSH, attributes: { "x-goog-version": "v1" } },
    google: { answer: { ...PUSH }, row: "Fields that the server fills in" },
  },
  {
    what: "of a subscription that sets everything",
    ask: withTopic((project) => {
      const oidcToken = { serviceAccountEmail: "a@b.iam.gserviceaccount.com", audience: "x" };
      return project
        .subscription({
          pushConfig: { ...PUSH, oidcToken, attributes: { "x-goog-version": "v1" } },
          ackDeadlineSeconds: 60,
          retryPolicy: {},
          deadLetterPolicy: { deadLetterTopic: project.topicName() },
          expirationPolicy: {},
          labels: { a: "b" },
          filter: "attributes:a",
          enableMessageOrdering: true,
          retainAckedMessages: true,
          messageRetentionDuration: seconds(600),
        })
        .then(({ state: _, ...fields }: Subscription & { state?: unknown }) => fields);
    }),
    answer: {
      name: at("subscriptions/orders-sub"),
      topic: at("topics/orders"),
      pushConfig: {
        ...PUSH,
        attributes: { "x-goog-version": "v1" },
        oidcToken: { serviceAccountEmail: "a@b.iam.gserviceaccount.com", audience: "x" },
      },
      ackDeadlineSeconds: 60,
      retryPolicy: { minimumBackoff: "10s", maximumBackoff: "600s" },
      deadLetterPolicy: { deadLetterTopic: at("topics/orders"), maxDeliveryAttempts: 5 },
      expirationPolicy: {},
      labels: { a: "b" },
      filter: "attributes:a",
      enableMessageOrdering: true,
      retainAckedMessages: true,
      messageRetentionDuration: "600s",
    },
  },
  { what: "of a retry policy", ask: settingsOf({ retryPolicy: {} }), answer: backed("10s", "600s") },
  { what: "of a retry policy with a minimum", ask: settingsOf(back(5)), answer: backed("5s", "600s") },
  { what: "of a retry policy with a maximum", ask: settingsOf(back(undefined, 50)), answer: backed("10s", "50s") },
];

/** What settings may be. */
export const boundCases: readonly Case[] = [
  { what: "a back-off may be 0", ask: settingsOf(back(0, 0)), answer: backed("0s", "0s") },
  { what: "a back-off may be 600 s", ask: settingsOf(back(600)), answer: backed("600s", "600s") },
  {
    what: "a back-off may have fractions",
    ask: settingsOf({ retryPolicy: { minimumBackoff: seconds(0, 5e8), maximumBackoff: seconds(12, 5e8) } }),
    answer: backed("0.5s", "12.5s"),
  },
  { what: "601 s at least", ask: settingsOf(back(601)), answer: outOfBounds("minimum_backoff", "601s", "0s", "600s") },
  {
    what: "601 s at most",
    ask: settingsOf(back(undefined, 601)),
    answer: outOfBounds("maximum_backoff", "601s", "0s", "600s"),
  },
  { what: "-1 s at least", ask: settingsOf(back(-1)), answer: outOfBounds("minimum_backoff", "-1s", "0s", "600s") },
  {
    what: "the minimum above the maximum",
    ask: settingsOf(back(70, 20)),
    answer:
      "3 The value for maximum_backoff is too small. You passed 20s in the request, but the minimum value is 70s.",
  },
  {
    what: "the maximum below the default minimum",
    ask: settingsOf(back(undefined, 5)),
    answer: "3 The value for maximum_backoff is too small. You passed 5s in the request, but the minimum value is 10s.",
  },
  { what: "a retention of 600 s", ask: retention(600).ask, answer: retention(600).kept },
  {
    what: "a retention of 31 days",
    ask: retention(2_678_400).ask,
    answer: retention(2_678_400).kept,
    google: { answer: RETENTION_WORDS, row: "Retention of a subscription" },
  },
  ...[599, 2_678_401].map((count) => ({
    what: `a retention of ${count} s`,
    ask: retention(count).ask,
    answer: outOfBounds("message_retention_duration", `${count}s`, "600s", "2678400s"),
    words: RETENTION_WORDS,
  })),
  ...[10, 600].map((ackDeadlineSeconds) => ({
    what: `an ack deadline of ${ackDeadlineSeconds} s`,
    ask: settingsOf({ ackDeadlineSeconds }),
    answer: { ackDeadlineSeconds },
  })),
  ...[-1, 601].map((ackDeadlineSeconds) => ({
    what: `an ack deadline of ${ackDeadlineSeconds} s`,
    ask: settingsOf({ ackDeadlineSeconds }),
    answer: outOfBounds("ack_deadline_seconds", String(ackDeadlineSeconds), "10", "600"),
    words: "3 ack_deadline_secs out of bounds",
  })),
  ...[5, 9].map((ackDeadlineSeconds) =>
    lax(
      "Ack deadlines below 10 s",
      { ackDeadlineSeconds },
      outOfBounds("ack_deadline_seconds", String(ackDeadlineSeconds), "10", "600"),
    ),
  ),
  lax(
    "Expiration below a day",
    { expirationPolicy: { ttl: seconds(3600) } },
    "3 The value for expiration_policy.ttl is too small. You passed 3600s in the request, but the minimum value is 86400s.",
  ),
  lax(
    "E-mails of OIDC tokens",
    { pushConfig: { ...PUSH, oidcToken: { serviceAccountEmail: "nobody" } } },
    "3 Invalid service account email given (service_account_email=nobody).",
  ),
  lax(
    "Exactly-once delivery by push",
    { pushConfig: PUSH, enableExactlyOnceDelivery: true },
    "3 Exactly-once delivery is not supported for push subscriptions.",
  ),
  lax(
    "Labels",
    { labels: { Team: "a" } },
    "3 Invalid label given (key=Team, value=a). Refer to https://cloud.google.com/pubsub/docs/labels#requirements for more information.",
  ),
  lax(
    "Filters",
    { filter: "attributes.a" },
    "3 Invalid filter given (filter=attributes.a): unexpected input before character 12.",
  ),
  ...["nowhere", "ftp://a.example/"].map((pushEndpoint) => ({
    what: `the push endpoint ${pushEndpoint}`,
    ask: settingsOf({ pushConfig: { pushEndpoint } }),
    answer: `3 Invalid push endpoint given (endpoint=${pushEndpoint}). Refer to https://cloud.google.com/pubsub/docs/create-push-subscription#properties_of_a_push_subscription for more information.`,
    words: "3 Unsupported push_endpoint",
  })),
];

/** A setting that production refuses, and Google's emulator takes. */
function lax(row: string, fields: Subscription, answer: string): Case {
  const [field = ""] = Object.keys(fields);
  const ask = withTopic(async (project: Project) => (await project.subscription(fields))[field as keyof Subscription]);
  const kept = (JSON.parse(JSON.stringify(fields)) as Record<string, Answer>)[field];
  const taken = field === "expirationPolicy" ? { ttl: "3600s" } : kept;
  return { what: `${row}: ${JSON.stringify(fields)}`, ask, answer, google: { answer: taken, row } };
}

const attempts = (maxDeliveryAttempts: number, id?: string): Case["ask"] =>
  withTopic(async (project) => {
    const deadLetterPolicy = { deadLetterTopic: project.topicName(id), maxDeliveryAttempts };
    return (await project.subscription({ deadLetterPolicy })).deadLetterPolicy;
  });
const spent = (maxDeliveryAttempts: number) => ({ deadLetterTopic: at("topics/orders"), maxDeliveryAttempts });
const unfit = (deadLetterTopic: string) => ({
  what: `a topic called ${JSON.stringify(deadLetterTopic)}`,
  ask: withTopic((project: Project) => project.subscription({ deadLetterPolicy: { deadLetterTopic } })),
  answer: `3 Invalid resource name given (dead_letter_topic=${deadLetterTopic}). ${REFER}`,
  google: { answer: "5 Dead letter topic not found", row: "Names of dead-letter topics" },
});

/** What dead-letter policies may be. */
export const deadLetterCases: readonly Case[] = [
  ...[5, 100].map((count) => ({ what: `${count} attempts`, ask: attempts(count), answer: spent(count) })),
  { what: "0 attempts, which are the default", ask: attempts(0), answer: spent(5) },
  ...[
    { count: 4, than: "too small", bound: "minimum value is 5" },
    { count: 101, than: "too large", bound: "maximum value is 100" },
  ].map(({ count, than, bound }) => {
    const text = `The value for max_delivery_attempts is ${than}. You passed ${count} in the request, but the ${bound}.`;
    const google = { answer: `11 ${text}`, row: "Attempts before a dead letter, out of range" };
    return { what: `${count} attempts`, ask: attempts(count), answer: `3 ${text}`, google };
  }),
  {
    what: "a topic that is not there",
    ask: attempts(5, "nowhere"),
    answer: "5 Resource not found (resource=nowhere).",
    words: "5 Dead letter topic not found",
  },
  unfit(""),
  unfit("orders"),
];
