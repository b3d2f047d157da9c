import { request } from "node:http";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startEmulator, VirtualClock } from "../../src/emulator/index.ts";
import { loadProtos } from "../../src/emulator/protos.ts";
import { EmulatorScene, failureOf, subscriptionName, topicName, type Way } from "./emulator-scene.ts";

const topic = topicName("orders");
const name = subscriptionName("orders-sub");

let scene: EmulatorScene;

beforeAll(async () => {
  scene = await EmulatorScene.open();
});
afterEach(async () => {
  await scene.fetch("POST", "/control/faults", {});
  await scene.fetch("POST", "/control/reset");
});
afterAll(() => scene.close());

describe("either port", () => {
  it("answers gRPC and REST", async () => {
    const { port, restPort } = scene.emulator;
    expect((await scene.fetch("PUT", `/v1/${topic}`, {}, port))[0]).toBe(200);
    expect((await scene.fetch("GET", `/v1/${topic}`, undefined, restPort))[1]).toEqual({ name: topic });
    const [listed] = await scene.pubsub().getTopics();
    expect(listed.map((found) => found.name)).toEqual([topic]);
  });

  it("is told to other programs in the variables that they read", () => {
    const { env, host, port } = scene.emulator;
    expect(new Set(Object.values(env))).toEqual(new Set([`${host}:${port}`]));
    expect(Object.keys(env)).toContain("PUBSUB_EMULATOR_HOST");
  });

  it("takes a request that arrives byte by byte", async () => {
    const socket = connect(scene.emulator.port, scene.emulator.host);
    const request = `PUT /v1/${topic} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`;
    socket.setNoDelay(true);
    for (const byte of request) await new Promise((resolve) => socket.write(byte, resolve));
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 200 OK/);
  });
});

describe("REST", () => {
  it("takes names of fields in both spellings, in bodies, masks and parameters", async () => {
    await scene.fetch("PUT", `/v1/${topic}`, {});
    const [status, made] = await scene.fetch("PUT", `/v1/${name}`, { topic, ack_deadline_seconds: "20" });
    expect([status, made.ackDeadlineSeconds]).toEqual([200, 20]);
    const subscription = { labels: { a: "b" }, ackDeadlineSeconds: 30 };
    const patch = (updateMask: string) => scene.fetch("PATCH", `/v1/${name}`, { subscription, updateMask });
    expect((await patch("ackDeadlineSeconds"))[1]).toMatchObject({ ackDeadlineSeconds: 30 });
    expect((await patch("labels,ack_deadline_seconds"))[1]).toMatchObject({ labels: { a: "b" } });
    await scene.fetch("PUT", `/v1/${topicName("second")}`);
    for (const parameter of ["pageSize=1", "page_size=1"]) {
      const [, page] = await scene.fetch("GET", `/v1/projects/demo/topics?${parameter}&$alt=json;enum-encoding=int`);
      expect(page.topics).toHaveLength(1);
    }
  });

  it("writes enums as numbers where that is asked for, and times and lengths as text", async () => {
    await scene.fetch("PUT", `/v1/${topic}`);
    await scene.fetch("PUT", `/v1/${name}`, { topic, messageRetentionDuration: "600.5s" });
    const [, plain] = await scene.fetch("GET", `/v1/${name}`);
    expect(plain).toEqual({
      name,
      topic,
      pushConfig: {},
      ackDeadlineSeconds: 10,
      messageRetentionDuration: "600.500s",
      expirationPolicy: { ttl: "2678400s" },
      state: "ACTIVE",
    });
    const [, numeric] = await scene.fetch("GET", `/v1/${name}?%24alt=json%3Benum-encoding%3Dint`);
    expect(numeric.state).toBe(1);
    await scene.fetch("POST", `/v1/${topic}:publish`, { messages: [{ data: "aGk=", attributes: { a: "b" } }] });
    const [, { receivedMessages }] = await scene.fetch("POST", `/v1/${name}:pull`, { maxMessages: 1 });
    expect(receivedMessages[0].message).toEqual({
      data: "aGk=",
      attributes: { a: "b" },
      messageId: expect.stringMatching(/^\d{16}$/),
      publishTime: new Date(scene.clock.now()).toISOString().replace(".000Z", "Z"),
    });
  });

  it.each<[verb: string, path: string, body: unknown, status: number, message: string]>([
    ["GET", "/v1/projects/demo/nothing", undefined, 404, "Method not found: GET /v1/projects/demo/nothing"],
    ["PUT", `/v1/${topic}`, { foo: 1 }, 400, 'Invalid JSON payload received. Unknown name "foo": Cannot find field.'],
    [
      "POST",
      `/v1/${topic}:publish`,
      { messages: [{ dat: "" }] },
      400,
      "Invalid JSON payload received. Unknown name \"dat\" at 'messages[0]': Cannot find field.",
    ],
    ["PUT", `/v1/${topic}`, { labels: { a: 1 } }, 400, "Invalid value at 'labels' (TYPE_STRING), 1"],
    ["PUT", `/v1/${name}`, { ackDeadlineSeconds: 1.5 }, 400, "Invalid value at 'ackDeadlineSeconds' (TYPE_INT32), 1.5"],
    [
      "PUT",
      `/v1/${name}`,
      { messageRetentionDuration: "10" },
      400,
      "Invalid value at 'messageRetentionDuration' (type.googleapis.com/google.protobuf.Duration), Field 'messageRetentionDuration', Illegal duration format; duration must end with 's'",
    ],
    [
      "GET",
      "/v1/projects/demo/topics?foo=1",
      undefined,
      400,
      "Invalid JSON payload received. Unknown name \"foo\": Cannot bind query parameter. Field 'foo' could not be found in request message.",
    ],
    ["PUT", `/v1/${topic}`, [], 400, 'Invalid JSON payload received. Unknown name "": Root element must be a message.'],
    ["GET", `/v1/${topic}`, undefined, 404, "Resource not found (resource=orders)."],
  ])("answers %s %s with %j as Google's front end does", async (verb, path, body, code, message) => {
    const [status, json] = await scene.fetch(verb, path, body as object);
    expect([status, json]).toMatchObject([code, { error: { code, message } }]);
    expect(json.error.status).toBe(code === 404 ? "NOT_FOUND" : "INVALID_ARGUMENT");
  });

  it.each(["//", "/v1/projects/demo/topics/%E0%A4%A", "/v1/%"])("refuses the URL %s", async (path) => {
    const { host, restPort } = scene.emulator;
    const status = await new Promise((resolve, reject) => {
      const outgoing = request({ host, port: restPort, path, method: "PUT" }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      outgoing.on("error", reject);
      outgoing.end();
    });
    expect(status).toBe(400);
  });

  it("refuses a body that is longer than any call, and keeps none of it", async () => {
    const { host, restPort } = scene.emulator;
    const body = new Uint8Array(65 * 1024 * 1024).fill(32);
    const response = await fetch(`http://${host}:${restPort}/v1/${topic}`, { method: "PUT", body });
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { error: { message: expect.stringContaining("payload size exceeds") } },
    ]);
  });

  it("refuses a body that is no JSON", async () => {
    const { host, restPort } = scene.emulator;
    const response = await fetch(`http://${host}:${restPort}/v1/${topic}`, { method: "PUT", body: "{" });
    expect(response.status).toBe(400);
  });
});

describe("the control API", () => {
  it("tells what there is, and forgets it", async () => {
    await scene.fetch("PUT", `/v1/${topic}`);
    const [, state] = await scene.fetch("GET", "/control/state");
    expect(state).toMatchObject({ virtual: true, services: { "google.pubsub.v1.Publisher": { topics: 1 } } });
    const [, after] = await scene.fetch("POST", "/control/reset");
    expect(after.services["google.pubsub.v1.Publisher"]).toEqual({ topics: 0 });
    expect((await scene.fetch("GET", `/v1/${topic}`))[0]).toBe(404);
  });

  it("moves a virtual clock, forward only, and no other", async () => {
    const now = scene.clock.now();
    expect((await scene.fetch("POST", "/control/clock", { advance: 90.5 }))[1].now).toBe(
      new Date(now + 90_500).toISOString(),
    );
    const to = new Date(now + 100_000).toISOString();
    expect((await scene.fetch("POST", "/control/clock", { to }))[1]).toEqual({ now: to });
    for (const body of [{ advance: -1 }, { to: new Date(now).toISOString() }, {}, { advance: "x" }])
      expect((await scene.fetch("POST", "/control/clock", body))[0]).toBe(400);
    const real = await startEmulator();
    try {
      const url = `http://${real.host}:${real.restPort}/control/clock`;
      const response = await fetch(url, { method: "POST", body: '{"advance":1}' });
      expect(await response.json()).toMatchObject({ error: { status: "FAILED_PRECONDITION" } });
    } finally {
      await real.close();
    }
  });

  it.each<Way>(["grpc", "rest"])("makes calls over %s fail", async (way) => {
    const { publisher } = scene.clients(way);
    expect(await scene.fetch("POST", "/control/faults", { unavailableRate: 1 })).toEqual([200, { unavailableRate: 1 }]);
    const call = publisher.createTopic({ name: topic }, { retry: null, timeout: 5000 } as object);
    expect(await failureOf(call)).toMatch(/^(14|4) /);
    await scene.fetch("POST", "/control/faults", {});
    expect((await scene.fetch("GET", `/v1/${topic}`))[0]).toBe(404);
  });

  it("refuses faults that it does not know, and paths", async () => {
    for (const body of [{ failureRat: 1 }, { failureRate: 2 }, { unavailableRate: -1 }])
      expect((await scene.fetch("POST", "/control/faults", body))[0]).toBe(400);
    expect((await scene.fetch("POST", "/control/nothing"))[0]).toBe(404);
  });
});

describe("the keys", () => {
  it("are published in both shapes, and where OpenID Connect looks for them", async () => {
    const [, certificates] = await scene.fetch("GET", "/oauth2/v1/certs");
    const [, { keys }] = await scene.fetch("GET", "/oauth2/v3/certs");
    expect(Object.keys(certificates)).toEqual([keys[0].kid]);
    const [, configuration] = await scene.fetch("GET", "/.well-known/openid-configuration");
    const { host, restPort } = scene.emulator;
    expect(configuration).toMatchObject({
      issuer: "https://accounts.google.com",
      jwks_uri: `http://${host}:${restPort}/oauth2/v3/certs`,
    });
  });
});

describe("a project", () => {
  it("has a number, which it is asked for as Cloud Resource Manager is", async () => {
    const [, { name: numbered }] = await scene.fetch("GET", "/v3/projects/demo");
    expect(numbered).toMatch(/^projects\/\d{12}$/);
    expect((await scene.fetch("GET", "/v1/projects/demo"))[1]).toMatchObject({
      projectNumber: numbered.replace("projects/", ""),
      projectId: "demo",
    });
  });

  it("that is not among those that exist is not found", async () => {
    const small = await EmulatorScene.open({ projects: { demo: "42" } });
    try {
      const { publisher } = small.clients("grpc");
      await publisher.createTopic({ name: topic });
      expect(await failureOf(publisher.createTopic({ name: "projects/other/topics/orders" }))).toMatch(
        /^5 Requested project not found or user does not have access to it \(project=other\)/,
      );
      expect(await failureOf(publisher.listTopics({ project: "projects/other" }))).toMatch(/^5 Requested project/);
      expect((await small.fetch("GET", "/v3/projects/demo"))[1]).toMatchObject({ name: "projects/42" });
      expect((await small.fetch("GET", "/v3/projects/other"))[0]).toBe(403);
    } finally {
      await small.close();
    }
  });
});

describe("closing", () => {
  it("ends what is open, lets the ports go, and can be done twice", async () => {
    const closing = await EmulatorScene.open();
    const { publisher, subscriber } = closing.clients("grpc");
    await publisher.createTopic({ name: topic });
    await subscriber.createSubscription({ name, topic });
    const waiting = failureOf(subscriber.pull({ subscription: name, maxMessages: 1 }, { retry: null } as object));
    await closing.emulator.close();
    await closing.emulator.close();
    expect(await waiting).not.toBe("");
    const again = await startEmulator({ port: closing.emulator.port, clock: new VirtualClock() });
    await again.close();
    await closing.close();
  });
});

describe("the protos", () => {
  it("come with Google's client packages, all of which are installed here", () => {
    const protos = loadProtos();
    expect(protos.installed).toEqual(["@google-cloud/pubsub", "@google-cloud/tasks", "@google-cloud/scheduler"]);
    for (const service of [
      "google.pubsub.v1.Publisher",
      "google.pubsub.v1.Subscriber",
      "google.cloud.tasks.v2.CloudTasks",
      "google.cloud.scheduler.v1.CloudScheduler",
      "google.iam.v1.IAMPolicy",
    ])
      expect(protos.service(service), service).toBeDefined();
    expect(protos.service("google.pubsub.v1.Nothing")).toBeUndefined();
  });
});
