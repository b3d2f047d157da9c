import { createRequire } from "node:module";
import { CloudSchedulerClient } from "@google-cloud/scheduler";
import { CloudTasksClient } from "@google-cloud/tasks";
import { PassThroughClient } from "google-auth-library";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EmulatorScene, failureOf, PROJECT, topicName, type Way } from "./emulator-scene.ts";
import { eventually, Worker } from "./worker.ts";

const { grpc }: { readonly grpc: typeof import("google-gax").grpc } = createRequire(
  import.meta.resolve("@google-cloud/tasks"),
)("google-gax");

const parent = `projects/${PROJECT}/locations/europe-west1`;
const queue = `${parent}/queues/mail`;
const task = `${queue}/tasks/welcome-42`;
const job = `${parent}/jobs/nightly`;

let scene: EmulatorScene;
let worker: Worker;
let close: (() => Promise<unknown>)[];

beforeEach(async () => {
  close = [];
  scene = await EmulatorScene.open();
  worker = await Worker.open();
});

afterEach(async () => {
  for (const end of close) await end();
  await scene.close();
  await worker.close();
});

function options(way: Way) {
  const { host, port, restPort } = scene.emulator;
  const common = { projectId: PROJECT, apiEndpoint: host };
  return way === "grpc"
    ? { ...common, port, sslCreds: grpc.credentials.createInsecure() }
    : { ...common, port: restPort, fallback: "rest" as const, protocol: "http", authClient: new PassThroughClient() };
}

function tasksClient(way: Way): CloudTasksClient {
  const client = new CloudTasksClient(options(way));
  close.push(() => client.close());
  return client;
}

function schedulerClient(way: Way): CloudSchedulerClient {
  const client = new CloudSchedulerClient(options(way));
  close.push(() => client.close());
  return client;
}

describe.each<Way>(["grpc", "rest"])("Google's client of Cloud Tasks, over %s", (way) => {
  it("makes, reads, changes, pauses and deletes a queue", async () => {
    const client = tasksClient(way);
    const [made] = await client.createQueue({ parent, queue: { name: queue, retryConfig: { maxAttempts: 7 } } });
    expect(made).toMatchObject({
      name: queue,
      state: "RUNNING",
      rateLimits: { maxDispatchesPerSecond: 500, maxBurstSize: 100, maxConcurrentDispatches: 1000 },
      retryConfig: { maxAttempts: 7, maxDoublings: 16, minBackoff: { nanos: 100_000_000 } },
    });
    const rateLimits = { maxConcurrentDispatches: 3 };
    const updateMask = { paths: ["rate_limits.max_concurrent_dispatches"] };
    const [changed] = await client.updateQueue({ queue: { name: queue, rateLimits }, updateMask });
    expect(changed).toMatchObject({ rateLimits: { maxDispatchesPerSecond: 500, maxConcurrentDispatches: 3 } });
    expect((await client.pauseQueue({ name: queue }))[0]).toMatchObject({ state: "PAUSED" });
    expect((await client.listQueues({ parent }))[0]).toMatchObject([{ name: queue, state: "PAUSED" }]);
    await client.deleteQueue({ name: queue });
    expect(await failureOf(client.getQueue({ name: queue }))).toContain("5 Queue does not exist.");
    expect(await failureOf(client.createQueue({ parent, queue: { name: queue } }))).toContain(
      "9 The queue cannot be created because a queue with this name existed too recently.",
    );
  });

  it("creates a task that is dispatched with its token, and not twice under one name", async () => {
    const client = tasksClient(way);
    await client.createQueue({ parent, queue: { name: queue } });
    const httpRequest = {
      url: `${worker.url}/work`,
      body: Buffer.from("hello").toString("base64"),
      headers: { "Content-Type": "text/plain" },
      oidcToken: { serviceAccountEmail: "caller@demo.iam.gserviceaccount.com" },
    };
    const scheduleTime = { seconds: scene.clock.now() / 1000 + 60 };
    const create = () => client.createTask({ parent: queue, task: { name: task, httpRequest, scheduleTime } });
    expect((await create())[0]).toMatchObject({ name: task, view: "BASIC", dispatchDeadline: { nanos: 0 } });
    expect(await failureOf(create())).toContain("6 Requested entity already exists");
    const [full] = await client.getTask({ name: task, responseView: "FULL" });
    expect(Buffer.from(full.httpRequest?.body as Uint8Array).toString()).toBe("hello");
    await scene.pass(60);
    await eventually(() => worker.arrived.length === 1);
    expect(worker.arrived[0]).toMatchObject({ body: "hello", headers: { "content-type": "text/plain" } });
    expect(worker.arrived[0]?.headers.authorization).toMatch(/^Bearer ey/);
  });

  it("lists in pages", async () => {
    const client = tasksClient(way);
    for (let n = 0; n < 5; n++) await client.createQueue({ parent, queue: { name: `${parent}/queues/q-${n}` } });
    const pages: number[] = [];
    let pageToken = "";
    do {
      const request = { parent, pageSize: 2, pageToken };
      const [queues, , page] = await client.listQueues(request, { autoPaginate: false });
      pages.push(queues.length);
      pageToken = page?.nextPageToken ?? "";
    } while (pageToken !== "");
    expect(pages).toEqual([2, 2, 1]);
  });
});

describe.each<Way>(["grpc", "rest"])("Google's client of Cloud Scheduler, over %s", (way) => {
  it("makes, changes, pauses, lists and deletes a job", async () => {
    const client = schedulerClient(way);
    const httpTarget = { uri: `${worker.url}/run`, httpMethod: "POST" as const };
    const [made] = await client.createJob({ parent, job: { name: job, schedule: "*/5 * * * *", httpTarget } });
    expect(made).toMatchObject({ name: job, state: "ENABLED", timeZone: "UTC", httpTarget: { httpMethod: "POST" } });
    expect(
      await failureOf(client.createJob({ parent, job: { name: job, schedule: "* * * * *", httpTarget } })),
    ).toContain(`6 Job ${job} already exists.`);
    await client.pauseJob({ name: job });
    const update = { job: { name: job, description: "hello" }, updateMask: { paths: ["description"] } };
    expect((await client.updateJob(update))[0]).toMatchObject({ description: "hello", state: "PAUSED" });
    expect((await client.resumeJob({ name: job }))[0]).toMatchObject({ state: "ENABLED" });
    await scene.pass(300);
    await eventually(() => worker.arrived.length === 1);
    expect(worker.arrived[0]?.headers["x-cloudscheduler-jobname"]).toBe("nightly");
    expect((await client.listJobs({ parent }))[0]).toMatchObject([{ name: job }]);
    await client.deleteJob({ name: job });
    expect(await failureOf(client.getJob({ name: job }))).toContain("5 Job not found.");
  });

  it("publishes to Pub/Sub", async () => {
    const { publisher, subscriber } = scene.clients(way);
    const topic = topicName("reports");
    const subscription = `projects/${PROJECT}/subscriptions/reports-sub`;
    await publisher.createTopic({ name: topic });
    await subscriber.createSubscription({ name: subscription, topic });
    const pubsubTarget = { topicName: topic, data: Buffer.from("go").toString("base64") };
    const client = schedulerClient(way);
    await client.createJob({ parent, job: { name: job, schedule: "0 * * * *", pubsubTarget } });
    await client.runJob({ name: job });
    const [{ receivedMessages }] = await subscriber.pull({ subscription, maxMessages: 5 });
    expect(receivedMessages).toHaveLength(1);
    expect(Buffer.from(receivedMessages?.[0]?.message?.data as Uint8Array).toString()).toBe("go");
    expect(receivedMessages?.[0]?.message?.attributes ?? {}).toEqual({});
  });
});

describe("a task that publishes through Pub/Sub's REST API, with an OAuth token", () => {
  it("arrives as a message once its delay is over", async () => {
    const { publisher, subscriber } = scene.clients("grpc");
    const topic = topicName("delayed");
    const subscription = `projects/${PROJECT}/subscriptions/delayed-sub`;
    await publisher.createTopic({ name: topic });
    await subscriber.createSubscription({ name: subscription, topic });
    const client = tasksClient("grpc");
    await client.createQueue({ parent, queue: { name: queue } });
    const { host, restPort } = scene.emulator;
    const body = JSON.stringify({
      messages: [{ data: Buffer.from("later").toString("base64"), attributes: { a: "b" } }],
    });
    await client.createTask({
      parent: queue,
      task: {
        scheduleTime: { seconds: scene.clock.now() / 1000 + 3600 },
        httpRequest: {
          url: `http://${host}:${restPort}/v1/${topic}:publish`,
          headers: { "Content-Type": "application/json" },
          body: Buffer.from(body).toString("base64"),
          oauthToken: { serviceAccountEmail: "caller@demo.iam.gserviceaccount.com" },
        },
      },
    });
    await scene.pass(3600);
    const listed = async () => (await client.listTasks({ parent: queue }))[0].length;
    while ((await listed()) > 0) await new Promise((resolve) => setImmediate(resolve));
    const [{ receivedMessages }] = await subscriber.pull({ subscription, maxMessages: 5 });
    expect(receivedMessages).toMatchObject([{ message: { attributes: { a: "b" } } }]);
  });
});
