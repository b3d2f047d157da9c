import { OAuth2Client } from "google-auth-library";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Clients, EmulatorScene, subscriptionName, topicName } from "./emulator-scene.ts";
import { eventually, Worker } from "./worker.ts";

const topic = topicName("orders");
const dead = topicName("orders-dead");
const name = subscriptionName("orders-sub");
const deadName = subscriptionName("orders-dead-sub");

let scene: EmulatorScene;
let clients: Clients;
let worker: Worker;

beforeEach(async () => {
  scene = await EmulatorScene.open();
  worker = await Worker.open();
  clients = scene.clients("grpc");
  await clients.publisher.createTopic({ name: topic });
});

afterEach(async () => {
  await scene.close();
  await worker.close();
});

async function subscribe(settings: object = {}, pushConfig: object = {}): Promise<void> {
  const push = { pushEndpoint: `${worker.url}/push`, ...pushConfig };
  await clients.subscriber.createSubscription({ name, topic, ...settings, pushConfig: push });
}

async function publish(...messages: (string | object)[]): Promise<string[]> {
  const list = messages.map((message) => (typeof message === "string" ? { data: Buffer.from(message) } : message));
  const [{ messageIds }] = await clients.publisher.publish({ topic, messages: list });
  return messageIds ?? [];
}

/** Waits for pushes, lets their answers arrive, and gives the bodies out. */
async function pushed(
  count: number,
): Promise<{ readonly [key: string]: unknown; readonly message: { data: string } }[]> {
  await eventually(() => worker.arrived.length >= count, `${count} pushes to arrive`);
  return worker.arrived.map(({ body }) => JSON.parse(body));
}

/** What was pushed so far, as text. */
function texts(): string[] {
  return worker.arrived.map(({ body }) => Buffer.from(JSON.parse(body).message.data, "base64").toString());
}

/** Waits until every push has been answered, and so many messages are not acknowledged. */
async function settled(left = 0): Promise<void> {
  await answered();
  const [, { services }] = await scene.fetch("GET", "/control/state");
  expect(services["google.pubsub.v1.Subscriber"].subscriptions[name]).toEqual({ unacked: left });
}

async function answered(): Promise<void> {
  await eventually(() => scene.answered === worker.arrived.length, "every push to be answered");
}

/** Lets seconds pass until so many pushes have arrived in all, each of them being answered before more time passes. */
async function passUntil(count: number, step: number, most: number): Promise<number> {
  for (let passed = 0; passed <= most; passed += step) {
    await answered();
    if (worker.arrived.length >= count) return passed;
    await scene.pass(step);
    await begun();
  }
  throw new Error(`expected ${count} pushes within ${most} s, got ${worker.arrived.length}`);
}

/** Lets the pushes arrive that have begun. */
async function begun(): Promise<void> {
  await eventually(() => scene.begun === worker.arrived.length, "every push to arrive");
}

describe("a wrapped push", () => {
  it("has the body and the headers of the service", async () => {
    await subscribe();
    const [id] = await publish({ data: Buffer.from("hello"), attributes: { key: "value" }, orderingKey: "k" });
    const [body] = await pushed(1);
    expect(body).toEqual({
      message: {
        attributes: { key: "value" },
        data: "aGVsbG8=",
        messageId: id,
        message_id: id,
        orderingKey: "k",
        publishTime: "2026-01-01T00:00:00.000Z",
        publish_time: "2026-01-01T00:00:00.000Z",
      },
      subscription: name,
    });
    expect(worker.arrived[0]).toMatchObject({
      method: "POST",
      path: "/push",
      headers: {
        "content-type": "application/json",
        "user-agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
        from: "noreply@google.com",
      },
    });
    expect(worker.arrived[0]?.headers.authorization).toBeUndefined();
  });

  it("tells the attempt where there is a dead-letter policy, and leaves absent data out", async () => {
    await clients.publisher.createTopic({ name: dead });
    await subscribe({ deadLetterPolicy: { deadLetterTopic: dead } });
    worker.reply = (index) => (index === 0 ? 500 : 200);
    await publish({ attributes: { only: "this" } });
    await passUntil(2, 0.1, 1);
    const bodies = await pushed(2);
    expect(bodies.map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2]);
    expect(bodies[0]?.message).not.toHaveProperty("data");
  });

  it("carries a token that the emulator's certificates vouch for, for the audience that is asked for or the endpoint", async () => {
    const email = "push@demo.iam.gserviceaccount.com";
    await subscribe({}, { oidcToken: { serviceAccountEmail: email } });
    await publish("one");
    await pushed(1);
    const config = { pushEndpoint: `${worker.url}/push`, oidcToken: { serviceAccountEmail: email, audience: "mine" } };
    await clients.subscriber.modifyPushConfig({ subscription: name, pushConfig: config });
    await publish("two");
    await pushed(2);
    const [, certificates] = await scene.fetch("GET", "/oauth2/v1/certs");
    const verifier = new OAuth2Client();
    const audiences = [`${worker.url}/push`, "mine"];
    for (const [index, audience] of audiences.entries()) {
      const token = worker.arrived[index]?.headers.authorization?.replace("Bearer ", "") ?? "";
      const {
        exp = 0,
        iat = 0,
        ...claims
      } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
      expect(claims).toMatchObject({ aud: audience, email, email_verified: true, iss: "https://accounts.google.com" });
      expect(exp - iat).toBe(3600);
      const issuers = ["https://accounts.google.com"];
      const ticket = await verifier.verifySignedJwtWithCertsAsync(token, certificates, audience, issuers);
      expect(ticket.getPayload()?.email).toBe(email);
    }
  });
});

describe("an unwrapped push", () => {
  it("is the data alone", async () => {
    await subscribe({}, { noWrapper: {} });
    await publish({ data: Buffer.from("raw"), attributes: { "X-Mine": "a" } });
    await eventually(() => worker.arrived.length === 1);
    expect(worker.arrived[0]?.body).toBe("raw");
    expect(Object.keys(worker.arrived[0]?.headers ?? {})).not.toContain("x-mine");
    expect(Object.keys(worker.arrived[0]?.headers ?? {}).filter((key) => key.startsWith("x-goog"))).toEqual([]);
  });

  it("tells of itself in headers where metadata is asked for", async () => {
    await subscribe({}, { noWrapper: { writeMetadata: true } });
    const attributes = { "X-Mine": "a", "Content-Type": "text/x", "not a header": "b", Host: "evil" };
    const [id] = await publish({ data: Buffer.from("raw"), attributes, orderingKey: "k" });
    await eventually(() => worker.arrived.length === 1);
    expect(worker.arrived[0]?.headers).toMatchObject({
      "x-mine": "a",
      "content-type": "text/x",
      "x-goog-pubsub-message-id": id,
      "x-goog-pubsub-publish-time": "2026-01-01T00:00:00.000Z",
      "x-goog-pubsub-subscription-name": name,
      "x-goog-pubsub-ordering-key": "k",
      host: new URL(worker.url).host,
    });
  });
});

describe("an answer", () => {
  it.each([200, 201, 202, 204])("of %d acknowledges", async (status) => {
    worker.reply = () => status;
    await subscribe();
    await publish("one");
    await pushed(1);
    await settled();
    await scene.pass(700);
    expect(worker.arrived).toHaveLength(1);
  });

  it("of 102 acknowledges, whatever follows", async () => {
    worker.reply = () => (response) => {
      response.writeProcessing();
      response.writeHead(500).end();
    };
    await subscribe();
    await publish("one");
    await pushed(1);
    await settled();
    await scene.pass(700);
    expect(worker.arrived).toHaveLength(1);
  });

  it.each([203, 206, 302, 400, 403, 404, 410, 429, 500, 503])("of %d brings the message again", async (status) => {
    worker.reply = (index) => (index === 0 ? status : 200);
    await subscribe();
    await publish("one");
    await passUntil(2, 0.1, 1);
    await settled();
    expect(worker.arrived.map(({ path }) => path)).toEqual(["/push", "/push"]);
  });

  it("that does not come within the ack deadline brings the message again, and so does a broken connection", async () => {
    worker.reply = (index) => (index === 0 ? () => {} : index === 1 ? (response) => response.destroy() : 200);
    await subscribe({ ackDeadlineSeconds: 20 });
    await publish("one");
    await pushed(1);
    await scene.pass(19);
    expect(worker.arrived).toHaveLength(1);
    await scene.pass(1);
    await passUntil(3, 0.1, 2);
    await settled();
  });
});

describe("a nack", () => {
  it("is followed by the back-off of the retry policy, exponential between its bounds", async () => {
    worker.reply = () => 500;
    await subscribe({ retryPolicy: { minimumBackoff: { seconds: 10 }, maximumBackoff: { seconds: 60 } } });
    await publish("one");
    await pushed(1);
    const waits: number[] = [];
    for (let count = 2; count <= 6; count++) waits.push(await passUntil(count, 1, 100));
    expect(waits.map((wait) => Math.round(wait / 10) * 10)).toEqual([10, 20, 40, 60, 60]);
  });

  it("without a policy is followed by the push back-off alone", async () => {
    worker.reply = (index) => (index < 4 ? 500 : 200);
    await subscribe();
    await publish("one");
    expect(await passUntil(5, 0.1, 5)).toBeLessThan(3);
  });

  it("does not hold up other messages", async () => {
    worker.reply = (index) => (index === 0 ? 500 : 200);
    await subscribe({ retryPolicy: { minimumBackoff: { seconds: 100 } } });
    await publish("one", "two", "three");
    await pushed(3);
    expect(texts()).toEqual(["one", "two", "three"]);
    await settled(1);
  });

  it("holds up the later messages of its ordering key, and of no other", async () => {
    worker.reply = (index) => (index === 0 ? 500 : 200);
    await subscribe({ enableMessageOrdering: true, retryPolicy: { minimumBackoff: { seconds: 10 } } });
    const of = (orderingKey: string, text: string) => ({ data: Buffer.from(text), orderingKey });
    await publish(of("a", "a1"), of("a", "a2"), of("b", "b1"), of("a", "a3"), of("b", "b2"));
    await pushed(3);
    await settled(3);
    expect(texts()).toEqual(["a1", "b1", "b2"]);
    await passUntil(6, 1, 20);
    await settled();
    expect(texts().slice(3)).toEqual(["a1", "a2", "a3"]);
  });

  it("by chance comes again too: a lost acknowledgement after the ack deadline, a duplicate at once", async () => {
    await subscribe({ ackDeadlineSeconds: 20 });
    await scene.fetch("POST", "/control/faults", { dropRate: 1 });
    await publish("one");
    await pushed(1);
    await scene.fetch("POST", "/control/faults", {});
    await passUntil(2, 1, 30);
    await settled();
    await scene.fetch("POST", "/control/faults", { duplicateRate: 1 });
    await publish("two");
    await pushed(4);
    await settled();
  });
});

describe("dead letters", () => {
  const grant = (resource: string, role: string, agent: string) =>
    scene.fetch("POST", `/v1/${resource}:setIamPolicy`, { policy: { bindings: [{ role, members: [agent] }] } });

  async function makeDeadLetters(): Promise<void> {
    await clients.publisher.createTopic({ name: dead });
    await clients.subscriber.createSubscription({ name: deadName, topic: dead });
    await subscribe({ deadLetterPolicy: { deadLetterTopic: dead, maxDeliveryAttempts: 5 } });
  }

  async function pullDead(): Promise<{ data: string; attributes: Record<string, string> }[]> {
    const [{ receivedMessages }] = await clients.subscriber.pull({
      subscription: deadName,
      maxMessages: 10,
      returnImmediately: true,
    });
    return (receivedMessages ?? []).map(({ message }) => ({
      data: String(message?.data),
      attributes: message?.attributes ?? {},
    }));
  }

  it("are forwarded after as many attempts as the policy allows, and say where they come from", async () => {
    worker.reply = () => 500;
    await makeDeadLetters();
    await publish({ data: Buffer.from("poison"), attributes: { key: "value" } });
    await passUntil(5, 0.5, 60);
    await settled();
    await scene.pass(700);
    expect(worker.arrived).toHaveLength(5);
    expect(await pullDead()).toEqual([
      {
        data: "poison",
        attributes: {
          key: "value",
          CloudPubSubDeadLetterSourceDeliveryCount: "5",
          CloudPubSubDeadLetterSourceSubscription: "orders-sub",
          CloudPubSubDeadLetterSourceSubscriptionProject: "demo",
          CloudPubSubDeadLetterSourceTopicPublishTime: "2026-01-01T00:00:00.000+00:00",
        },
      },
    ]);
  });

  const grants: (readonly [resource: string, role: string])[] = [
    [dead, "roles/pubsub.publisher"],
    [name, "roles/pubsub.subscriber"],
  ];
  it.each([
    [grants[0], grants[1]],
    [grants[1], grants[0]],
  ] as [(typeof grants)[0], (typeof grants)[0]][])(
    "wait for both grants of the service agent, %s first",
    async (first, second) => {
      await scene.close();
      scene = await EmulatorScene.open({ iam: "strict", projects: { demo: "123456" } });
      clients = scene.clients("grpc");
      await clients.publisher.createTopic({ name: topic });
      worker.reply = () => 500;
      await makeDeadLetters();
      const agent = "serviceAccount:service-123456@gcp-sa-pubsub.iam.gserviceaccount.com";
      await grant(second[0], second[1], agent.replace("123456", "654321"));
      await publish("poison");
      await passUntil(7, 0.5, 120);
      expect(await pullDead()).toEqual([]);
      await grant(first[0], first[1], agent);
      await passUntil(8, 1, 120);
      expect(await pullDead()).toEqual([]);
      await grant(second[0], second[1], agent);
      await passUntil(9, 1, 120);
      await settled();
      expect((await pullDead()).map(({ data }) => data)).toEqual(["poison"]);
    },
  );
});

describe("a push subscription", () => {
  it("only gets what passes its filter and was published after it was made", async () => {
    await publish({ data: Buffer.from("early"), attributes: { kind: "a" } });
    await subscribe({ filter: 'attributes.kind = "a"' });
    await publish({ data: Buffer.from("no"), attributes: { kind: "b" } });
    await publish({ data: Buffer.from("yes"), attributes: { kind: "a" } });
    await pushed(1);
    await settled();
    expect(texts()).toEqual(["yes"]);
  });

  it("becomes one that is pulled from, and one again that pushes, without losing a message", async () => {
    worker.reply = () => 500;
    await subscribe({ retryPolicy: { minimumBackoff: { seconds: 100 } } });
    await publish("one", "two");
    await pushed(2);
    await answered();
    await clients.subscriber.modifyPushConfig({ subscription: name, pushConfig: {} });
    const pull = { subscription: name, maxMessages: 10 };
    const [{ receivedMessages }] = await clients.subscriber.pull(pull);
    expect(receivedMessages?.length).toBeGreaterThan(0);
    worker.reply = () => 200;
    const pushConfig = { pushEndpoint: `${worker.url}/push` };
    await clients.subscriber.modifyPushConfig({ subscription: name, pushConfig });
    await passUntil(4, 5, 300);
    await settled();
    expect(new Set(texts())).toEqual(new Set(["one", "two"]));
  });

  it("stops when it is deleted", async () => {
    worker.reply = () => 500;
    await subscribe();
    await publish("one");
    await pushed(1);
    await clients.subscriber.deleteSubscription({ subscription: name });
    const { length } = worker.arrived;
    await scene.pass(700);
    expect(worker.arrived.length).toBe(length);
  });

  it("expires when nothing is done with it for as long as its policy says", async () => {
    await subscribe();
    await clients.subscriber.createSubscription({ name: deadName, topic, expirationPolicy: {} });
    await scene.pass(30 * 86_400);
    await publish("used");
    await pushed(1);
    await settled();
    await scene.pass(30 * 86_400);
    expect((await clients.publisher.listTopicSubscriptions({ topic }))[0]).toHaveLength(2);
    await scene.pass(2 * 86_400);
    expect((await clients.publisher.listTopicSubscriptions({ topic }))[0]).toEqual([deadName]);
  });
});
