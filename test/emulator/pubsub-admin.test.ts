import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  type Clients,
  EmulatorScene,
  failureOf,
  iamRequest,
  subscriptionName,
  topicName,
  type Way,
} from "./emulator-scene.ts";

const REFER = "Refer to https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information.";
const topic = topicName("orders");
const name = subscriptionName("orders-sub");

describe.each<Way>(["grpc", "rest"])("topics and subscriptions, over %s", (way) => {
  let scene: EmulatorScene;
  let clients: Clients;

  beforeAll(async () => {
    scene = await EmulatorScene.open();
    clients = scene.clients(way);
  });
  afterEach(() => scene.fetch("POST", "/control/reset"));
  afterAll(() => scene.close());

  it("are made, read, listed and deleted", async () => {
    const { publisher, subscriber } = clients;
    const [made] = await publisher.createTopic({ name: topic, labels: { team: "a" } });
    expect(made).toMatchObject({ name: topic, labels: { team: "a" } });
    expect((await publisher.getTopic({ topic }))[0]).toMatchObject({ name: topic, labels: { team: "a" } });
    await subscriber.createSubscription({ name, topic });
    expect((await publisher.listTopics({ project: "projects/demo" }))[0]).toHaveLength(1);
    expect((await publisher.listTopicSubscriptions({ topic }))[0]).toEqual([name]);
    expect((await subscriber.listSubscriptions({ project: "projects/demo" }))[0]).toHaveLength(1);
    expect((await subscriber.listSubscriptions({ project: "projects/other" }))[0]).toEqual([]);
    await subscriber.deleteSubscription({ subscription: name });
    await publisher.deleteTopic({ topic });
    expect(await failureOf(publisher.getTopic({ topic }))).toBe("5 Resource not found (resource=orders).");
    expect(await failureOf(subscriber.getSubscription({ subscription: name }))).toBe(
      "5 Resource not found (resource=orders-sub).",
    );
  });

  it("are made once", async () => {
    const { publisher, subscriber } = clients;
    await publisher.createTopic({ name: topic });
    await subscriber.createSubscription({ name, topic });
    expect(await failureOf(publisher.createTopic({ name: topic }))).toBe(
      "6 Resource already exists in the project (resource=orders).",
    );
    expect(await failureOf(subscriber.createSubscription({ name, topic }))).toBe(
      "6 Resource already exists in the project (resource=orders-sub).",
    );
  });

  it("get what the server fills in", async () => {
    await clients.publisher.createTopic({ name: topic });
    const [made] = await clients.subscriber.createSubscription({
      name,
      topic,
      pushConfig: { pushEndpoint: "http://127.0.0.1:1/push" },
      retryPolicy: {},
      deadLetterPolicy: { deadLetterTopic: topic },
    });
    expect(made).toMatchObject({
      topic,
      ackDeadlineSeconds: 10,
      pushConfig: { pushEndpoint: "http://127.0.0.1:1/push", attributes: { "x-goog-version": "v1" } },
      retryPolicy: { minimumBackoff: { seconds: "10" }, maximumBackoff: { seconds: "600" } },
      deadLetterPolicy: { deadLetterTopic: topic, maxDeliveryAttempts: 5 },
      messageRetentionDuration: { seconds: "604800" },
      expirationPolicy: { ttl: { seconds: "2678400" } },
      state: "ACTIVE",
    });
  });

  it("tell a policy without a time to live from none at all", async () => {
    await clients.publisher.createTopic({ name: topic });
    const [made] = await clients.subscriber.createSubscription({ name, topic, expirationPolicy: {} });
    expect(made.expirationPolicy?.ttl ?? undefined).toBeUndefined();
    expect(made.expirationPolicy).not.toBeNull();
  });

  it("are listed in pages", async () => {
    const ids = Array.from({ length: 7 }, (_, index) => topicName(`topic-${index}`));
    for (const id of ids.toReversed()) await clients.publisher.createTopic({ name: id });
    const request = { project: "projects/demo", pageSize: 3 };
    expect((await clients.publisher.listTopics(request))[0].map((made) => made.name)).toEqual(ids);
    const [first, , answer] = await clients.publisher.listTopics(request, { autoPaginate: false });
    expect(first).toHaveLength(3);
    const next = { ...request, pageToken: answer.nextPageToken ?? "" };
    const [second] = await clients.publisher.listTopics(next, { autoPaginate: false });
    expect(second.map((made) => made.name)).toEqual(ids.slice(3, 6));
    expect(
      await failureOf(clients.publisher.listTopics({ ...request, pageToken: "none" }, { autoPaginate: false })),
    ).toBe("3 You have passed an invalid page token to the request.");
  });

  it.each(["ab", "1abc", "google", "a b", "a".repeat(256), "umläut"])("refuse the id %s", async (id) => {
    const refused = topicName(id);
    expect(await failureOf(clients.publisher.createTopic({ name: refused }))).toBe(
      `3 Invalid resource name given (name=${refused}). ${REFER}`,
    );
  });

  it.each<[what: string, settings: object, failure: string]>([
    [
      "a short ack deadline",
      { ackDeadlineSeconds: 5 },
      "3 The value for ack_deadline_seconds is out of bounds. You passed 5 in the request, but the value must be between 10 and 600.",
    ],
    [
      "a long back-off",
      { retryPolicy: { minimumBackoff: { seconds: 700 } } },
      "3 The value for minimum_backoff is out of bounds. You passed 700s in the request, but the value must be between 0s and 600s.",
    ],
    [
      "back-offs the wrong way round",
      { retryPolicy: { minimumBackoff: { seconds: 70 }, maximumBackoff: { seconds: 20 } } },
      "3 The value for maximum_backoff is too small. You passed 20s in the request, but the minimum value is 70s.",
    ],
    [
      "a short retention",
      { messageRetentionDuration: { seconds: 5 } },
      "3 The value for message_retention_duration is out of bounds. You passed 5s in the request, but the value must be between 600s and 2678400s.",
    ],
    [
      "few attempts",
      { deadLetterPolicy: { deadLetterTopic: topic, maxDeliveryAttempts: 4 } },
      "3 The value for max_delivery_attempts is too small. You passed 4 in the request, but the minimum value is 5.",
    ],
    [
      "many attempts",
      { deadLetterPolicy: { deadLetterTopic: topic, maxDeliveryAttempts: 101 } },
      "3 The value for max_delivery_attempts is too large. You passed 101 in the request, but the maximum value is 100.",
    ],
    [
      "a dead-letter topic that is not there",
      { deadLetterPolicy: { deadLetterTopic: topicName("nowhere") } },
      "5 Resource not found (resource=nowhere).",
    ],
    ["no dead-letter topic", { deadLetterPolicy: {} }, `3 Invalid resource name given (dead_letter_topic=). ${REFER}`],
    [
      "an hour to live",
      { expirationPolicy: { ttl: { seconds: 3600 } } },
      "3 The value for expiration_policy.ttl is too small. You passed 3600s in the request, but the minimum value is 86400s.",
    ],
    [
      "an endpoint that is no URL",
      { pushConfig: { pushEndpoint: "nowhere" } },
      "3 Invalid push endpoint given (endpoint=nowhere). Refer to https://cloud.google.com/pubsub/docs/create-push-subscription#properties_of_a_push_subscription for more information.",
    ],
    [
      "an account that is no e-mail",
      { pushConfig: { pushEndpoint: "http://127.0.0.1:1/", oidcToken: { serviceAccountEmail: "nobody" } } },
      "3 Invalid service account email given (service_account_email=nobody).",
    ],
    [
      "exactly-once delivery by push",
      { enableExactlyOnceDelivery: true, pushConfig: { pushEndpoint: "http://127.0.0.1:1/" } },
      "3 Exactly-once delivery is not supported for push subscriptions.",
    ],
    [
      "a label in capitals",
      { labels: { Team: "a" } },
      "3 Invalid label given (key=Team, value=a). Refer to https://cloud.google.com/pubsub/docs/labels#requirements for more information.",
    ],
    [
      "a filter that is none",
      { filter: "attributes.a" },
      "3 Invalid filter given (filter=attributes.a): unexpected input before character 12.",
    ],
  ])("refuse %s", async (_, settings, failure) => {
    await clients.publisher.createTopic({ name: topic });
    expect(await failureOf(clients.subscriber.createSubscription({ name, topic, ...settings }))).toBe(failure);
    expect(await failureOf(clients.subscriber.getSubscription({ subscription: name }))).toMatch(/^5 /);
  });

  it("change in the fields that a mask names, and in no other", async () => {
    await clients.publisher.createTopic({ name: topic });
    await clients.subscriber.createSubscription({ name, topic, ackDeadlineSeconds: 20, labels: { a: "b" } });
    const [changed] = await clients.subscriber.updateSubscription({
      subscription: { name, ackDeadlineSeconds: 30, labels: { c: "d" }, retryPolicy: {} },
      updateMask: { paths: ["ack_deadline_seconds", "retry_policy"] },
    });
    expect(changed).toMatchObject({
      ackDeadlineSeconds: 30,
      labels: { a: "b" },
      retryPolicy: { minimumBackoff: { seconds: "10" }, maximumBackoff: { seconds: "600" } },
    });
    const [cleared] = await clients.subscriber.updateSubscription({
      subscription: { name },
      updateMask: { paths: ["labels", "retry_policy", "ack_deadline_seconds"] },
    });
    expect(cleared).toMatchObject({ ackDeadlineSeconds: 10, labels: {}, retryPolicy: null });
  });

  const refusal = "3 Invalid update_mask provided in the UpdateSubscriptionRequest:";
  it.each<[paths: string[], failure: string]>([
    [[], "3 The update_mask in the UpdateSubscriptionRequest must be set, and must contain a non-empty paths list."],
    [["topic"], `${refusal} the 'topic' field in the Subscription is not mutable.`],
    [["labels", "filter"], `${refusal} the 'filter' field in the Subscription is not mutable.`],
    [["enable_message_ordering"], `${refusal} the 'enable_message_ordering' field in the Subscription is not mutable.`],
    [
      ["dead_letter_policy.max_delivery_attempts"],
      `${refusal} dead_letter_policy.max_delivery_attempts is not a known Subscription field. Note that field paths must be of the form 'push_config' rather than 'pushConfig'.`,
    ],
    [
      ["colour"],
      `${refusal} colour is not a known Subscription field. Note that field paths must be of the form 'push_config' rather than 'pushConfig'.`,
    ],
  ])("refuse the mask %j, and change nothing", async (paths, failure) => {
    await clients.publisher.createTopic({ name: topic });
    const [before] = await clients.subscriber.createSubscription({ name, topic, filter: "attributes:a" });
    const update = { subscription: { name, labels: { a: "b" }, filter: "attributes:a" }, updateMask: { paths } };
    expect(await failureOf(clients.subscriber.updateSubscription(update))).toBe(failure);
    expect((await clients.subscriber.getSubscription({ subscription: name }))[0]).toEqual(before);
  });

  it("outlive one another: a subscription stays when its topic goes, and is not taken up by the next of that name", async () => {
    const { publisher, subscriber } = clients;
    await publisher.createTopic({ name: topic });
    await subscriber.createSubscription({ name, topic });
    await publisher.publish({ topic, messages: [{ data: Buffer.from("kept") }] });
    await publisher.deleteTopic({ topic });
    await publisher.createTopic({ name: topic });
    await publisher.publish({ topic, messages: [{ data: Buffer.from("not for it") }] });
    expect((await subscriber.getSubscription({ subscription: name }))[0].topic).toBe("_deleted-topic_");
    const [{ receivedMessages }] = await subscriber.pull({ subscription: name, maxMessages: 10 });
    expect(receivedMessages?.map(({ message }) => String(message?.data))).toEqual(["kept"]);
  });

  it("have IAM policies, whose etags guard against racing writers", async () => {
    await clients.publisher.createTopic({ name: topic });
    const [unset] = await clients.publisher.getIamPolicy(iamRequest({ resource: topic }));
    expect(Buffer.from(unset.etag as Uint8Array).toString("base64")).toBe("ACAB");
    const bindings = [{ role: "roles/pubsub.publisher", members: ["serviceAccount:a@demo.iam.gserviceaccount.com"] }];
    const [set] = await clients.publisher.setIamPolicy(
      iamRequest({
        resource: topic,
        policy: { bindings, etag: unset.etag ?? "" },
      }),
    );
    expect(set).toMatchObject({ version: 1, bindings });
    expect((await clients.publisher.getIamPolicy(iamRequest({ resource: topic })))[0].etag).toEqual(set.etag);
    const stale = { resource: topic, policy: { bindings: [], etag: unset.etag ?? "" } };
    expect(await failureOf(clients.publisher.setIamPolicy(iamRequest(stale)))).toMatch(
      /^10 There were concurrent policy changes/,
    );
    const [tested] = await clients.publisher.testIamPermissions(
      iamRequest({
        resource: topic,
        permissions: ["pubsub.topics.publish"],
      }),
    );
    expect(tested.permissions).toEqual(["pubsub.topics.publish"]);
    expect(await failureOf(clients.publisher.getIamPolicy(iamRequest({ resource: topicName("nowhere") })))).toBe(
      "5 Resource not found (resource=nowhere).",
    );
  });

  it("have no snapshots", async () => {
    expect((await clients.subscriber.listSnapshots({ project: "projects/demo" }))[0]).toEqual([]);
    const request = { name: "projects/demo/snapshots/first", subscription: name };
    expect(await failureOf(clients.subscriber.createSnapshot(request))).toMatch(/^12 /);
  });
});
