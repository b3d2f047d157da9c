import type { Answer } from "./answer.ts";
import type { Case } from "./case.ts";
import { publish, pull, text } from "./messages.ts";
import { AT_ONCE, arrivals, bodyOf, pushTo, until, withWorker } from "./pushed.ts";
import type { Project } from "./side.ts";
import { at } from "./steps.ts";

const EMAIL = "push@demo.iam.gserviceaccount.com";

/** Statuses that a push is answered with, 102 before a failure. */
const STATUSES = [102, 200, 201, 202, 203, 204, 205, 206, 302, 400, 401, 403, 404, 409, 410, 429, 500, 503];

/**
 * Which statuses acknowledge: each is the first answer of a subscription of its own, 200 the later ones. A nack brings the
 * message again at once, so that it has come by the time a second message, and what was nacked, has arrived everywhere.
 */
async function acknowledging(project: Project): Promise<Answer> {
  return withWorker(async (worker) => {
    const perPath = new Map<string, string[]>();
    worker.reply = (index) => {
      const { path = "", body = "" } = worker.arrived[index] ?? {};
      const seen = perPath.get(path) ?? [];
      perPath.set(path, [...seen, String(Buffer.from(JSON.parse(body).message.data, "base64"))]);
      const status = seen.length > 0 ? 200 : Number(path.slice(1));
      if (status !== 102) return status;
      return (response) => {
        response.writeProcessing();
        response.writeHead(500).end();
      };
    };
    await project.topic();
    for (const status of STATUSES) {
      const pushConfig = { pushEndpoint: `${worker.url}/${status}` };
      await project.subscription({ name: project.subscriptionName(`on-${status}`), pushConfig, retryPolicy: AT_ONCE });
    }
    const seen = (status: number, which: string) =>
      (perPath.get(`/${status}`) ?? []).filter((each) => each === which).length;
    await publish(project, text("first"));
    await until(() => seen(500, "first") > 1 && seen(404, "first") > 1, "the refused message to come again");
    for (const marker of ["second", "third"]) {
      await publish(project, text(marker));
      await until(() => STATUSES.every((status) => seen(status, marker) > 0), `the ${marker} message to arrive`);
    }
    return STATUSES.filter((status) => seen(status, "first") === 1);
  });
}

/** What a push is, what acknowledges it, and what happens when nothing does. */
export const pushCases: readonly Case[] = [
  {
    what: "carries the message",
    ask: (project) =>
      withWorker(async (worker) => {
        await pushTo(project, worker);
        const [id] = await publish(project, text("a", { attributes: { k: "v" } }));
        const [arrived] = await arrivals(worker, 1);
        const { message, ...rest } = bodyOf(arrived);
        const { messageId, message_id, publishTime, publish_time, ...fields } = message;
        const ids = messageId === id && message_id === id;
        const times = publishTime === publish_time && Date.parse(String(publishTime)) > 0;
        return [arrived?.method, arrived?.headers["content-type"], ids, times, fields, rest];
      }),
    answer: [
      "POST",
      "application/json",
      true,
      true,
      { data: "YQ==", attributes: { k: "v" } },
      { subscription: at("subscriptions/orders-sub") },
    ],
  },
  {
    what: "carries a message without data",
    ask: (project) =>
      withWorker(async (worker) => {
        await pushTo(project, worker);
        await publish(project, { attributes: { k: "v" } });
        const [arrived] = await arrivals(worker, 1);
        return Object.keys(bodyOf(arrived).message).sort();
      }),
    answer: ["attributes", "messageId", "message_id", "publishTime", "publish_time"],
    google: {
      answer: ["attributes", "data", "messageId", "message_id", "publishTime", "publish_time"],
      row: "Pushes of messages without data",
    },
  },
  {
    what: "carries the ordering key, the attempt and a token",
    ask: (project) =>
      withWorker(async (worker) => {
        await project.topic({ name: project.topicName("dead") });
        await pushTo(project, worker, {
          enableMessageOrdering: true,
          deadLetterPolicy: { deadLetterTopic: project.topicName("dead") },
          pushConfig: { oidcToken: { serviceAccountEmail: EMAIL } },
        });
        await publish(project, text("a", { orderingKey: "k" }));
        const [arrived] = await arrivals(worker, 1);
        const { message, deliveryAttempt } = bodyOf(arrived);
        return [message.orderingKey, deliveryAttempt, arrived?.headers.authorization?.split(" ")[0]];
      }),
    answer: ["k", 1, "Bearer"],
    google: { answer: [null, null, null], row: "Tokens, attempts and ordering keys of pushes" },
  },
  {
    what: "is the data alone where no wrapper is wanted",
    ask: (project) =>
      withWorker(async (worker) => {
        await pushTo(project, worker, { pushConfig: { noWrapper: { writeMetadata: true } } });
        const [id] = await publish(project, text("raw", { attributes: { "x-mine": "v" } }));
        const [arrived] = await arrivals(worker, 1);
        const metadata = (name: string) => arrived?.headers[`x-goog-pubsub-${name}`];
        return [
          arrived?.body,
          arrived?.headers["x-mine"],
          metadata("message-id") === id,
          metadata("subscription-name"),
        ];
      }),
    answer: ["raw", "v", true, at("subscriptions/orders-sub")],
  },
  {
    what: "is acknowledged by some statuses alone",
    ask: acknowledging,
    answer: [102, 200, 201, 202, 204],
    google: { answer: [102, 200, 201, 203, 204], row: "Statuses that acknowledge" },
  },
  {
    what: "comes again as the same message, after a refusal and a broken connection",
    ask: (project) =>
      withWorker(async (worker) => {
        worker.reply = (index) => (index === 0 ? 500 : index === 1 ? (response) => response.destroy() : 200);
        await pushTo(project, worker);
        await publish(project, text("a"));
        const ids = (await arrivals(worker, 3)).map((arrived) => bodyOf(arrived).message.messageId);
        return new Set(ids).size;
      }),
    answer: 1,
  },
  {
    what: "comes again when it is not answered within the ack deadline",
    ask: (project) =>
      withWorker(async (worker) => {
        worker.reply = (index) => (index === 0 ? () => {} : 200);
        await pushTo(project, worker, { ackDeadlineSeconds: 10 });
        await publish(project, text("a"));
        const [first, second] = await arrivals(worker, 2);
        return bodyOf(first).message.messageId === bodyOf(second).message.messageId;
      }),
    answer: true,
  },
  {
    what: "ends as a dead letter after as many attempts as the policy allows",
    ask: (project) =>
      withWorker(async (worker) => {
        worker.reply = () => 500;
        const deadLetterTopic = project.topicName("dead");
        await project.topic({ name: deadLetterTopic });
        await project.subscription({ name: project.subscriptionName("dead-sub"), topic: deadLetterTopic });
        await pushTo(project, worker, { deadLetterPolicy: { deadLetterTopic, maxDeliveryAttempts: 5 } });
        await publish(project, text("a", { attributes: { k: "v" } }));
        // A pull may come back empty-handed, as the service's does.
        for (;;) {
          const [letter] = await pull(project, 1, {}, "dead-sub");
          if (letter === undefined) continue;
          const { CloudPubSubDeadLetterSourceTopicPublishTime: time, ...rest } = letter.message?.attributes ?? {};
          return [worker.arrived.length, letter.message?.data, rest, Date.parse(time ?? "") > 0];
        }
      }),
    answer: [
      5,
      "a",
      {
        k: "v",
        CloudPubSubDeadLetterSourceDeliveryCount: "5",
        CloudPubSubDeadLetterSourceSubscription: "orders-sub",
        CloudPubSubDeadLetterSourceSubscriptionProject: "P",
      },
      true,
    ],
  },
];
