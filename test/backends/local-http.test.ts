import { describe, expect, it } from "vitest";
import { type LocalHttpOptions, localHttp } from "../../src/backends/local-http.ts";
import { Busy, RetryAfter } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createIdentity } from "../../src/engine/identity.ts";
import { queueFile } from "../support/queue-file.ts";
import { refusalOf } from "../support/refusal.ts";
import { bodiesOf } from "./endpoint.ts";
import { atOnce, createPushedScene } from "./pushed-scene.ts";
import { closeScenes } from "./scene.ts";

closeScenes();

const claims = (authorization: string | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from(authorization?.split(".")[1] ?? "", "base64url").toString());

describe("a push of the local-http backend", () => {
  it("is the request that Pub/Sub sends, with a token that the push handler's own check takes", async () => {
    const { options, adopt, clock, endpoint, recorder } = await createPushedScene();
    const task = new TaskRoute({ path: "accounts.greet", run: () => {} });
    const tasks = adopt(createTasks({ ...options, namespace: "shop", routes: [task] }));
    const { id } = await tasks.enqueue(task, { name: "Zoë" });
    await recorder.outcomes(1, "done");
    const [request] = endpoint.received;
    const published = new Date(clock.now()).toISOString();
    expect(JSON.parse(request?.body ?? "")).toEqual({
      deliveryAttempt: 1,
      message: {
        data: expect.any(String),
        messageId: expect.stringMatching(/^\d{16}$/),
        message_id: expect.stringMatching(/^\d{16}$/),
        publishTime: published,
        publish_time: published,
      },
      subscription: "projects/local/subscriptions/dev--shop.tasks--accounts.greet-sub",
    });
    expect(JSON.parse(Buffer.from(bodiesOf(endpoint)[0]?.message.data ?? "", "base64").toString())).toEqual({
      task_id: id,
      task_name: "greet",
      args: [],
      kwargs: { name: "Zoë" },
      enqueued_at: published.replace("Z", "+00:00"),
    });
    expect(claims(request?.headers.authorization)).toMatchObject({
      iss: "https://accounts.google.com",
      aud: endpoint.url,
      email: tasks.runtime.backend.pushTrust?.email,
      email_verified: true,
    });
  });

  it("is let in alone: not without a token, nor with one that another key signed for the same account", async () => {
    const { options, adopt, endpoint, recorder, lines } = await createPushedScene();
    const task = new TaskRoute({ path: "x.task", run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await tasks.enqueue(task);
    await recorder.outcomes(1, "done");
    const [genuine] = endpoint.received;
    const foreign = await createIdentity({ email: tasks.runtime.backend.pushTrust?.email ?? "" });
    const token = foreign.token({ audience: endpoint.url, issuedAt: new Date() });
    const statuses: number[] = [];
    for (const authorization of [undefined, `Bearer ${token}`, genuine?.headers.authorization]) {
      const headers = authorization === undefined ? {} : { authorization };
      const response = await fetch(endpoint.url, { method: "POST", headers, body: genuine?.body ?? "" });
      statuses.push(response.status);
    }
    expect(statuses).toEqual([403, 403, 200]);
    expect(recorder.started).toHaveLength(2);
    expect(lines.filter(({ message }) => message === "a push was not let in")).toHaveLength(2);
  });

  it("is let in by the handler of an earlier client, which a hot reload has left mounted", async () => {
    const { options, adopt, endpoint, recorder } = await createPushedScene({ file: queueFile() });
    const task = new TaskRoute({ path: "x.task", run: () => {} });
    const mounted = adopt(createTasks({ ...options, routes: [task] }));
    await mounted.start();
    const renewed = createTasks({ ...options, routes: [task] });
    const { id } = await renewed.enqueue(task);
    expect(await recorder.outcomes(1, "done")).toMatchObject([{ taskId: id }]);
    await renewed.close();
    expect(endpoint.received).toHaveLength(1);
  });

  it("carries attempts that count beside deliveries that do not", async () => {
    const { options, adopt, clock, endpoint, recorder } = await createPushedScene();
    const answers = [new Busy("later", { retryAfter: 5 }), new Error("boom"), new Busy("later", { retryAfter: 7 })];
    const attempts: number[] = [];
    const task = new TaskRoute({
      path: "x.task",
      ...atOnce,
      run: (_payload, { attempt }) => {
        attempts.push(attempt);
        const answer = answers[attempts.length - 1];
        if (answer !== undefined) throw answer;
      },
    });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await tasks.enqueue(task);
    await clock.elapse(5);
    await clock.elapse(7);
    await recorder.outcomes(1, "done");
    expect(attempts).toEqual([1, 1, 2, 2]);
    expect(bodiesOf(endpoint).map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2, 3, 4]);
    expect(bodiesOf(endpoint).map(({ message }) => message.attributes?.["taskroute-carried-attempts"])).toEqual([
      undefined,
      "-1",
      "-1",
      "-2",
    ]);
  });

  it("comes anew after RetryAfter, with its attempts carried along until they are used up", async () => {
    const { options, adopt, clock, endpoint, recorder } = await createPushedScene();
    const attempts: number[] = [];
    const task = new TaskRoute({
      path: "x.task",
      maxAttempts: 3,
      run: (_payload, { attempt }) => {
        attempts.push(attempt);
        throw new RetryAfter(attempt * 100);
      },
    });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const { id } = await tasks.enqueue(task, { customer: "c-1" });
    await clock.elapse(100);
    await clock.elapse(200);
    await recorder.outcomes(1, "discarded");
    expect(attempts).toEqual([1, 2, 3]);
    expect(recorder.finished.map(({ taskId }) => taskId)).toEqual([id, id, id]);
    const pushes = bodiesOf(endpoint);
    expect(new Set(pushes.map(({ message }) => message.messageId)).size).toBe(3);
    expect(pushes.map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 1, 1]);
    expect(await tasks.deadLetters.list()).toMatchObject([
      { taskId: id, kwargs: { customer: "c-1" }, reason: "exhausted", attempts: 3 },
    ]);
  });
});

describe("closing the local-http backend", () => {
  it("waits for the answer to what has just run", async () => {
    const { options, adopt, endpoint, recorder, lines, clock } = await createPushedScene();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const task = new TaskRoute({
      path: "x.task",
      run: async () => {
        started.resolve();
        await release.promise;
      },
    });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await tasks.enqueue(task);
    await started.promise;
    const closing = tasks.close();
    release.resolve();
    await closing;
    expect(recorder.finished).toMatchObject([{ outcome: { type: "done" } }]);
    expect(lines).toEqual([]);
    expect([endpoint.received.length, clock.pending]).toEqual([1, 0]);
  });

  it("cuts what is not answered within a second, and says how many tasks were left", async () => {
    const { options, adopt, clock, endpoint, lines } = await createPushedScene();
    const task = new TaskRoute({ path: "x.task", run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const hanging = Promise.withResolvers<void>();
    endpoint.interceptions.push(() => hanging.resolve());
    await tasks.enqueue(task);
    await tasks.enqueue(task, {}, { delay: 60 });
    await hanging.promise;
    const closing = tasks.close();
    await clock.elapse(1);
    await closing;
    expect(lines).toMatchObject([{ level: "warn", fields: { waiting: 2 } }]);
    expect(clock.pending).toBe(0);
  });
});

describe("the address that the local-http backend posts to", () => {
  const audience = (env: Record<string, string>, options?: LocalHttpOptions): string | undefined =>
    createTasks({ routes: [], backend: localHttp(options), env }).runtime.backend.pushTrust?.audience;

  it.each([
    [{}, "http://127.0.0.1:8080/tasks/pubsub"],
    [{ PORT: "3000" }, "http://127.0.0.1:3000/tasks/pubsub"],
    [{ PORT: "3000", TASKS_PUSH_PATH: "/push" }, "http://127.0.0.1:3000/push"],
    [{ PORT: "3000", TASKS_PUSH_URL: "http://worker.internal/tasks" }, "http://worker.internal/tasks"],
  ])("is by the environment %o: %s", (env, url) => {
    expect(audience(env)).toBe(url);
  });

  it("is the one that was passed, if one was", () => {
    expect(audience({ PORT: "3000" }, { url: "https://localhost:8443/push" })).toBe("https://localhost:8443/push");
  });

  it.each(["localhost:8080", "ftp://localhost/tasks", ""])("cannot be %j", (url) => {
    expect(refusalOf(() => audience({}, { url }), "INVALID_OPTION")).toContain("expected url to be an http(s) URL");
  });
});
