import type { AddressInfo } from "node:net";
import express from "express";
import Fastify from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { expressHandler } from "../../src/adapters/express.ts";
import { fastifyTasks } from "../../src/adapters/fastify.ts";
import { webHandler } from "../../src/adapters/web.ts";
import {
  type AuthFactory,
  createTasks,
  immediate,
  oidc,
  RetryAfter,
  silentLogger,
  type TaskContext,
  TaskRoute,
} from "../../src/index.ts";
import { createTestTasks, pushRequest, testIdentity } from "../../src/testing/index.ts";
import { recordLog } from "../support/log.ts";

/** What the task was told, of every run. */
let seen: object[] = [];
beforeEach(() => {
  seen = [];
});

const note = (payload: object, { taskId, messageId, attempt, scheduledFor }: TaskContext): void =>
  void seen.push({ payload, taskId, messageId, attempt, scheduledFor });
const greet = new TaskRoute({ path: "greet", payload: z.object({ name: z.string() }), run: note });
const hourly = new TaskRoute({ path: "hourly", schedule: "0 * * * *", run: note });
const routes = [greet, hourly];

/** The service's own client, as it would be in production but for its keys. */
const service = (auth: AuthFactory, env = {}) =>
  createTasks({ routes, auth, backend: immediate(), logger: silentLogger, env });

/** The status that a client answers a push with. */
async function statusOf(tasks: Parameters<typeof webHandler>[0], push: RequestInit): Promise<number> {
  const { status } = await webHandler(tasks)(new Request("https://service.example/tasks/pubsub", push));
  return status;
}

describe("a push request", () => {
  it("is let in by a client of createTestTasks, and runs the task as it says", async () => {
    const push = await pushRequest(greet, { name: "ada" }, { id: "task-1", messageId: "42", attempt: 3 });
    expect(await statusOf(createTestTasks({ routes }), push)).toBe(200);
    expect(seen).toEqual([
      { payload: { name: "ada" }, taskId: "task-1", messageId: "42", attempt: 3, scheduledFor: undefined },
    ]);
  });

  it("looks as Pub/Sub's does", async () => {
    const publishTime = new Date("2026-05-01T09:00:00Z");
    const attributes = { traceparent: "00-1-2-01" };
    const push = await pushRequest(greet, { name: "ada" }, { publishTime, attributes, id: "7", messageId: "8" });
    expect(push).toMatchObject({
      method: "POST",
      headers: { "content-type": "application/json", authorization: expect.stringMatching(/^Bearer [\w.-]+$/) },
    });
    expect(JSON.parse(push.body)).toEqual({
      deliveryAttempt: 1,
      message: {
        attributes,
        data: expect.any(String),
        messageId: "8",
        message_id: "8",
        publishTime: publishTime.toISOString(),
        publish_time: publishTime.toISOString(),
      },
      subscription: "projects/test/subscriptions/greet",
    });
    expect(JSON.parse(Buffer.from(JSON.parse(push.body).message.data, "base64").toString())).toEqual({
      task_id: "7",
      task_name: "greet",
      args: [],
      kwargs: { name: "ada" },
      enqueued_at: "2026-05-01T09:00:00.000+00:00",
    });
  });

  it("has ids of its own unless they are given", async () => {
    const pushes = await Promise.all([1, 2].map(() => pushRequest(greet, { name: "ada" })));
    const ids = pushes.map(({ body }) => JSON.parse(body).message.messageId);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^\d{16}$/);
  });

  it("may be a tick of a schedule, told by its moment", async () => {
    const scheduledFor = new Date("2026-05-01T09:00:00Z");
    expect(await statusOf(createTestTasks({ routes }), await pushRequest(hourly, {}, { scheduledFor }))).toBe(200);
    expect(seen).toMatchObject([{ scheduledFor, taskId: "scheduled-dev--app--hourly-20260501T090000Z" }]);
  });

  it("may carry what a schema refuses", async () => {
    const push = await pushRequest(greet, { name: 1 as never });
    expect(await statusOf(createTestTasks({ routes }), push)).toBe(400);
    expect(seen).toEqual([]);
  });

  it.each([
    ["expired", { token: "expired" }, /expired/],
    ["signed by somebody else", { token: "foreign" }, /signature|key/],
    ["missing", { token: "none" }, /none/],
    ["made out to another audience", { audience: "https://elsewhere.example" }, /audience/],
  ] as const)("is refused with a token that is %s", async (_name, options, reason) => {
    const { logger, lines } = recordLog();
    const tasks = createTestTasks({ routes, logger });
    expect(await statusOf(tasks, await pushRequest(greet, { name: "ada" }, options))).toBe(403);
    expect(lines).toMatchObject([
      { message: "a push was not let in", fields: { reason: expect.stringMatching(reason) } },
    ]);
    expect(seen).toEqual([]);
  });

  it("refuses options that do not exist", async () => {
    await expect(pushRequest(greet, { name: "ada" }, { attempt: 1, ...{ attemps: 1 } })).rejects.toThrow(
      "pushRequest: unknown option attemps, did you mean attempt?",
    );
    await expect(pushRequest(greet, { name: "ada" }, { attempt: 0 })).rejects.toThrow(/expected attempt to be a whole/);
  });
});

describe("the identity of tests", () => {
  it("is let in by the service's own client that names it", async () => {
    expect(await statusOf(service(testIdentity.oidc()), await pushRequest(greet, { name: "ada" }))).toBe(200);
    const audience = "https://service.example/tasks/pubsub";
    const ours = oidc({ audience, serviceAccounts: [testIdentity.email], keys: testIdentity });
    expect(await statusOf(service(ours), await pushRequest(greet, { name: "ada" }, { audience }))).toBe(200);
    expect(await statusOf(service(ours), await pushRequest(greet, { name: "ada" }))).toBe(403);
  });

  it("is let in by nobody else", async () => {
    const certificates = async () => ({});
    const other = oidc({
      audience: testIdentity.audience,
      serviceAccounts: [testIdentity.email],
      keys: { certificates },
    });
    expect(await statusOf(service(other), await pushRequest(greet, { name: "ada" }))).toBe(403);
  });

  it("is refused in production, when the handler is built", () => {
    const tasks = createTasks({
      routes,
      auth: testIdentity.oidc(),
      backend: immediate({ allowInProduction: true }),
      logger: silentLogger,
      env: { NODE_ENV: "production" },
      namespace: "shop",
    });
    expect(() => webHandler(tasks)).toThrow(/oidc keys: expected Google's own signing keys in production/);
  });
});

describe("an endpoint over HTTP", () => {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  it("of Express is tested by fetch", async () => {
    const app = express();
    app.post("/tasks/pubsub", expressHandler(createTestTasks({ routes })));
    const server = app.listen(0, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
    closing.push(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tasks/pubsub`;
    expect((await fetch(url, await pushRequest(greet, { name: "ada" }))).status).toBe(200);
    expect((await fetch(url, await pushRequest(greet, { name: "ada" }, { token: "none" }))).status).toBe(403);
    expect(seen).toMatchObject([{ payload: { name: "ada" } }]);
  });

  it("of Fastify is tested by inject", async () => {
    const fastify = Fastify();
    closing.push(() => fastify.close());
    await fastify.register(fastifyTasks, { tasks: createTestTasks({ routes }), path: "/tasks/pubsub" });
    const answer = await fastify.inject({ url: "/tasks/pubsub", ...(await pushRequest(greet, { name: "ada" })) });
    expect([answer.statusCode, seen.length]).toEqual([200, 1]);
  });

  it("takes what fails back into the kit: a task that asks to be created anew waits there", async () => {
    const later = new TaskRoute({
      path: "later",
      run: () => {
        throw new RetryAfter(30);
      },
    });
    const tasks = createTestTasks({ routes: [later] });
    expect(await statusOf(tasks, await pushRequest(later, {}, { id: "task-1" }))).toBe(200);
    expect(tasks.pending).toMatchObject([{ taskId: "task-1", attempt: 2, due: new Date("2026-01-01T00:00:30Z") }]);
    expect(tasks.enqueued).toEqual([]);
  });
});
