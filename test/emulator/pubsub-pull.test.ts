import type { Message, Subscription } from "@google-cloud/pubsub";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Clients, EmulatorScene, failureOf, subscriptionName, topicName, type Way } from "./emulator-scene.ts";
import { eventually } from "./worker.ts";

const topic = topicName("orders");
const name = subscriptionName("orders-sub");

let scene: EmulatorScene;
let clients: Clients;

beforeEach(async () => {
  scene = await EmulatorScene.open();
  clients = scene.clients("grpc");
  await clients.publisher.createTopic({ name: topic });
});

afterEach(() => scene.close());

async function subscribe(settings: object = {}): Promise<void> {
  await clients.subscriber.createSubscription({ name, topic, ...settings });
}

async function publish(...messages: (string | readonly [key: string, text: string])[]): Promise<void> {
  const list = messages.map((message) =>
    typeof message === "string"
      ? { data: Buffer.from(message) }
      : { data: Buffer.from(message[1]), orderingKey: message[0] },
  );
  await clients.publisher.publish({ topic, messages: list });
}

interface Pulled {
  readonly ackId: string;
  readonly text: string;
  readonly attempt: number;
}

/** Takes what there is, at once. */
async function pull(maxMessages = 100, { subscriber } = clients): Promise<Pulled[]> {
  const [{ receivedMessages }] = await subscriber.pull({ subscription: name, maxMessages, returnImmediately: true });
  return (receivedMessages ?? []).map(({ ackId, message, deliveryAttempt }) => ({
    ackId: ackId ?? "",
    text: String(message?.data),
    attempt: deliveryAttempt ?? 0,
  }));
}

async function pullTexts(maxMessages?: number): Promise<string[]> {
  return (await pull(maxMessages)).map(({ text }) => text);
}

function acknowledge(...messages: readonly Pulled[]): Promise<unknown> {
  return clients.subscriber.acknowledge({ subscription: name, ackIds: messages.map(({ ackId }) => ackId) });
}

function modify(seconds: number, ...messages: readonly Pulled[]): Promise<unknown> {
  const ackIds = messages.map(({ ackId }) => ackId);
  return clients.subscriber.modifyAckDeadline({ subscription: name, ackIds, ackDeadlineSeconds: seconds });
}

describe.each<Way>(["grpc", "rest"])("pulling over %s", (way) => {
  it("gives out each message once until its deadline has passed, and never again once it is acknowledged", async () => {
    clients = scene.clients(way);
    await subscribe({ ackDeadlineSeconds: 20 });
    await publish("one", "two", "three");
    const [one] = await pull(1);
    expect(one).toMatchObject({ text: "one", attempt: 0 });
    expect(await pullTexts()).toEqual(["two", "three"]);
    await acknowledge(one as Pulled);
    await scene.pass(19.9);
    expect(await pull()).toEqual([]);
    await scene.pass(0.1);
    const rest = await pull();
    expect(rest.map(({ text }) => text).toSorted()).toEqual(["three", "two"]);
    await acknowledge(...rest);
    await scene.pass(600);
    expect(await pull()).toEqual([]);
  });

  it("waits for a message when there is none", async () => {
    clients = scene.clients(way);
    await subscribe();
    const waiting = clients.subscriber.pull({ subscription: name, maxMessages: 10 });
    await publish("late");
    const [{ receivedMessages }] = await waiting;
    expect(receivedMessages?.map(({ message }) => String(message?.data))).toEqual(["late"]);
  });

  it.each<[what: string, act: () => Promise<unknown>, failure: string]>([
    [
      "no number of messages",
      () => clients.subscriber.pull({ subscription: name, maxMessages: 0 }),
      "3 The value for max_messages is too small. You passed 0 in the request, but the minimum value is 1.",
    ],
    [
      "an id that is none",
      () => clients.subscriber.acknowledge({ subscription: name, ackIds: ["none"] }),
      "3 You have passed an invalid ack ID to the service (ack_id=none).",
    ],
    ["no ids", () => clients.subscriber.acknowledge({ subscription: name }), "3 No ack ids specified."],
    [
      "a long deadline",
      () => modify(601, { ackId: "x", text: "", attempt: 0 }),
      "3 The value for ack_deadline_seconds is out of bounds. You passed 601 in the request, but the value must be between 0 and 600.",
    ],
    [
      "a subscription that is not there",
      () => clients.subscriber.pull({ subscription: subscriptionName("nowhere"), maxMessages: 1 }),
      "5 Resource not found (resource=nowhere).",
    ],
  ])("refuses %s", async (_, act, failure) => {
    clients = scene.clients(way);
    await subscribe();
    expect(await failureOf(act())).toBe(failure);
  });
});

describe("a message that was pulled", () => {
  it("is held longer, or given back, by its deadline", async () => {
    await subscribe();
    await publish("one", "two");
    const [one, two] = (await pull()) as [Pulled, Pulled];
    await modify(60, one);
    await modify(0, two);
    expect(await pullTexts()).toEqual(["two"]);
    await scene.pass(59);
    expect(await pullTexts()).toEqual(["two"]);
    await scene.pass(1);
    expect(await pullTexts()).toEqual(["one"]);
  });

  it("can still be acknowledged when it is late, except with exactly-once delivery", async () => {
    await subscribe();
    await publish("one");
    const late = await pull();
    await scene.pass(11);
    await acknowledge(...late);
    expect(await pull()).toEqual([]);
    await clients.subscriber.updateSubscription({
      subscription: { name, enableExactlyOnceDelivery: true },
      updateMask: { paths: ["enable_exactly_once_delivery"] },
    });
    await publish("two");
    const tooLate = await pull();
    await scene.pass(11);
    expect(await failureOf(acknowledge(...tooLate))).toMatch(/^9 Some acknowledgement ids in the request were invalid/);
    expect(await pullTexts()).toEqual(["two"]);
  });

  it("comes again after the back-off of the retry policy, and goes to the dead letters in the end", async () => {
    const dead = topicName("dead");
    await clients.publisher.createTopic({ name: dead });
    await subscribe({
      retryPolicy: { minimumBackoff: { seconds: 10 }, maximumBackoff: { seconds: 30 } },
      deadLetterPolicy: { deadLetterTopic: dead, maxDeliveryAttempts: 5 },
    });
    await publish("poison");
    const waits = [0, 10, 20, 30, 30];
    for (const [index, wait] of waits.entries()) {
      await scene.pass(Math.max(0, wait - 0.1));
      if (wait > 0) expect(await pull()).toEqual([]);
      await scene.pass(wait > 0 ? 0.1 : 0);
      const pulled = await pull();
      expect(pulled).toMatchObject([{ text: "poison", attempt: index + 1 }]);
      await modify(0, ...pulled);
    }
    await scene.pass(600);
    expect(await pull()).toEqual([]);
  });

  it("is gone when it has been kept for as long as the subscription keeps messages", async () => {
    await subscribe({ messageRetentionDuration: { seconds: 600 } });
    await publish("old");
    await scene.pass(500);
    await publish("new");
    await scene.pass(200);
    expect(await pullTexts()).toEqual(["new"]);
  });

  it("is there again after a seek to a time before it, if acknowledged messages are kept", async () => {
    await subscribe({ retainAckedMessages: true });
    await publish("one");
    await scene.pass(60);
    await publish("two");
    await acknowledge(...(await pull()));
    const seconds = scene.clock.now() / 1000;
    await clients.subscriber.seek({ subscription: name, time: { seconds: seconds - 30 } });
    expect(await pullTexts()).toEqual(["two"]);
    await clients.subscriber.seek({ subscription: name, time: { seconds: seconds + 1 } });
    await scene.pass(60);
    expect(await pull()).toEqual([]);
    expect(await failureOf(clients.subscriber.seek({ subscription: name }))).toBe(
      "3 No target was specified in the SeekRequest. Must specify either a time or a snapshot",
    );
  });

  it("is not handed out by a subscription that pushes, or is detached", async () => {
    await subscribe();
    await publish("one");
    await clients.publisher.detachSubscription({ subscription: name });
    expect(await failureOf(pull())).toBe("9 The subscription is detached from its topic.");
    expect((await clients.publisher.listTopicSubscriptions({ topic }))[0]).toEqual([]);
    const pushes = subscriptionName("pushes");
    const pushConfig = { pushEndpoint: "http://127.0.0.1:1/" };
    await clients.subscriber.createSubscription({ name: pushes, topic, pushConfig });
    expect(await failureOf(clients.subscriber.pull({ subscription: pushes, maxMessages: 1 }))).toBe(
      "9 This method is not supported for push subscriptions.",
    );
  });
});

describe("ordered messages", () => {
  beforeEach(() => subscribe({ enableMessageOrdering: true }));

  it("come in order within their key, and a redelivery brings the later ones of the key with it", async () => {
    await publish(["a", "a1"], ["a", "a2"], ["b", "b1"], ["a", "a3"]);
    const pulled = await pull();
    const of = (key: string, list = pulled) => list.map(({ text }) => text).filter((text) => text.startsWith(key));
    expect([of("a"), of("b")]).toEqual([["a1", "a2", "a3"], ["b1"]]);
    await acknowledge(...pulled.filter(({ text }) => text === "a1" || text === "b1"));
    await modify(0, ...pulled.filter(({ text }) => text === "a2"));
    expect(of("a", await pull())).toEqual(["a2", "a3"]);
  });

  it("of one key are not given to another receiver while some are out", async () => {
    await publish(["a", "a1"], ["a", "a2"], ["b", "b1"]);
    const [first] = await pull(1);
    expect(first?.text).toBe("a1");
    expect(await pullTexts()).toEqual(["b1"]);
    await acknowledge(first as Pulled);
    expect(await pullTexts()).toEqual(["a2"]);
  });
});

describe("Google's high-level client", () => {
  function receive(subscription: Subscription): Message[] {
    const received: Message[] = [];
    subscription.on("message", (message: Message) => received.push(message));
    return received;
  }

  it("publishes, and receives what it acknowledges or gives back", async () => {
    const pubsub = scene.pubsub();
    await subscribe();
    const subscription = pubsub.subscription("orders-sub");
    const received = receive(subscription);
    const id = await pubsub.topic("orders").publishMessage({ data: Buffer.from("one"), attributes: { a: "b" } });
    await eventually(() => received.length === 1);
    const [message] = received as [Message];
    expect([message.id, String(message.data), message.attributes]).toEqual([id, "one", { a: "b" }]);
    message.nack();
    await eventually(() => received.length === 2);
    received[1]?.ack();
    await subscription.close();
    await scene.pass(600);
    expect(await pull()).toEqual([]);
  });

  it("receives a thousand messages of several keys, each key in order", async () => {
    const pubsub = scene.pubsub();
    await subscribe({ enableMessageOrdering: true });
    const subscription = pubsub.subscription("orders-sub");
    const received: Record<string, number[]> = {};
    let count = 0;
    subscription.on("message", (message: Message) => {
      count += 1;
      const key = message.orderingKey ?? "";
      received[key] = [...(received[key] ?? []), Number(message.data)];
      message.ack();
    });
    const sender = pubsub.topic("orders", { messageOrdering: true });
    const publishing = Array.from({ length: 1000 }, (_, index) =>
      sender.publishMessage({ data: Buffer.from(String(index)), orderingKey: `key-${index % 7}` }),
    );
    await Promise.all(publishing);
    await eventually(() => count >= 1000, "every message to arrive");
    await subscription.close();
    for (const numbers of Object.values(received)) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(Object.values(received).flat()).toHaveLength(1000);
  });

  it("holds no more messages than its flow control allows", async () => {
    const pubsub = scene.pubsub();
    await subscribe();
    await publish(...Array.from({ length: 50 }, (_, index) => String(index)));
    const subscription = pubsub.subscription("orders-sub", {
      flowControl: { maxMessages: 5 },
      streamingOptions: { maxStreams: 1 },
    });
    const received = receive(subscription);
    await eventually(() => received.length === 5);
    const [, { services }] = await scene.fetch("GET", "/control/state");
    expect(services["google.pubsub.v1.Subscriber"].subscriptions[name]).toEqual({ unacked: 50 });
    let acked = 0;
    await eventually(() => {
      for (; acked < received.length; acked++) received[acked]?.ack();
      return received.length === 50;
    });
    await subscription.close();
  });

  it("acknowledges exactly once", async () => {
    const pubsub = scene.pubsub();
    await subscribe({ enableExactlyOnceDelivery: true });
    const subscription = pubsub.subscription("orders-sub");
    const received = receive(subscription);
    await publish("one");
    await eventually(() => received.length === 1);
    expect(await received[0]?.ackWithResponse()).toBe("SUCCESS");
    await subscription.close();
  });

  it("is told when its subscription is not there, or goes", async () => {
    const pubsub = scene.pubsub();
    const nowhere = pubsub.subscription("nowhere");
    const error = new Promise<Error & { code: number }>((resolve) => nowhere.on("error", resolve));
    nowhere.on("message", () => {});
    expect((await error).code).toBe(5);
    await subscribe();
    const subscription = pubsub.subscription("orders-sub");
    const gone = new Promise<Error & { code: number }>((resolve) => subscription.on("error", resolve));
    const received = receive(subscription);
    await publish("one");
    await eventually(() => received.length === 1);
    await clients.subscriber.deleteSubscription({ subscription: name });
    expect((await gone).code).toBe(5);
  });
});

describe("publishing", () => {
  const refused: [what: string, messages: object[], failure: string][] = [
    [
      "nothing",
      [],
      "The value for message_count is too small. You passed 0 in the request, but the minimum value is 1.",
    ],
    [
      "an empty message",
      [{ data: Buffer.from("a") }, {}],
      "One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.",
    ],
    [
      "1001 messages",
      Array.from({ length: 1001 }, () => ({ data: Buffer.from("a") })),
      "The value for message_count is too large. You passed 1001 in the request, but the maximum value is 1000.",
    ],
    [
      "101 attributes",
      [{ attributes: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`a${index}`, ""])) }],
      "The value for attribute_count is too large. You passed 101 in the request, but the maximum value is 100.",
    ],
    [
      "a long attribute key",
      [{ attributes: { ["k".repeat(257)]: "" } }],
      "The value for attribute_key_size is too large. You passed 257 in the request, but the maximum value is 256.",
    ],
    [
      "a long attribute value",
      [{ attributes: { k: "v".repeat(1025) } }],
      "The value for attribute_value_size is too large. You passed 1025 in the request, but the maximum value is 1024.",
    ],
    [
      "data of more than 10 MB",
      [{ data: Buffer.alloc(10_000_001) }],
      "The value for message_size is too large. You passed 10000001 in the request, but the maximum value is 10000000.",
    ],
    [
      "a request of more than 10 MB",
      [{ data: Buffer.alloc(6_000_000) }, { data: Buffer.alloc(6_000_000) }],
      "The value for request_size is too large. You passed 12000008 in the request, but the maximum value is 10000000.",
    ],
  ];

  it.each(refused)("refuses %s, all of the request", async (_, messages, failure) => {
    await subscribe();
    expect(await failureOf(clients.publisher.publish({ topic, messages }))).toBe(`3 ${failure}`);
    expect(await pull()).toEqual([]);
  });

  it("gives out ids that grow", async () => {
    const ids: bigint[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const [{ messageIds }] = await clients.publisher.publish({
        topic,
        messages: [{ data: Buffer.from("a") }, { data: Buffer.from("b") }],
      });
      ids.push(...(messageIds ?? []).map(BigInt));
    }
    expect(ids).toEqual(ids.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(new Set(ids).size).toBe(6);
    expect(String(ids[0])).toHaveLength(16);
  });

  it("needs a topic", async () => {
    const request = { topic: topicName("nowhere"), messages: [{ data: Buffer.from("a") }] };
    expect(await failureOf(clients.publisher.publish(request))).toBe("5 Resource not found (resource=nowhere).");
  });
});
