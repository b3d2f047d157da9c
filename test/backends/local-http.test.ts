import { describe, expect, it } from "vitest";
import { type LocalHttpOptions, localHttp } from "../../src/backends/local-http.ts";
import { Busy, RetryAfter } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createIdentity } from "../../src/engine/identity.ts";
import { refusalOf } from "../support/refusal.ts";
import { Endpoint, type Interception } from "./endpoint.ts";
import { closeScenes, createScene } from "./scene.ts";

closeScenes();

/** A client whose tasks are pushed to its own push handler on a real server. */
async function scene(options: Omit<LocalHttpOptions, "url"> = {}) {
  const endpoint = await Endpoint.open();
  const backend = localHttp({ ...options, url: endpoint.url });
  const opened = createScene({
    backend,
    serve: (tasks) => endpoint.serve(tasks),
    close: () => endpoint.stop(),
  });
  return { ...opened, endpoint };
}

/** Failures are retried at once, so that no time needs to pass for them. */
const atOnce = { minRetryDelay: 0, maxRetryDelay: 0 };

interface PushBody {
  readonly deliveryAttempt: number;
  readonly message: { readonly data: string; readonly attributes?: Record<string, string>; readonly messageId: string };
}

const bodies = (endpoint: Endpoint): PushBody[] => endpoint.received.map(({ body }) => JSON.parse(body));
const claims = (authorization: string | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from(authorization?.split(".")[1] ?? "", "base64url").toString());

describe("a push of the local-http backend", () => {
  it("is the request that Pub/Sub sends, with a token that the push handler's own check takes", async () => {
    const { options, adopt, clock, endpoint, recorder } = await scene();
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
    expect(JSON.parse(Buffer.from(bodies(endpoint)[0]?.message.data ?? "", "base64").toString())).toEqual({
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
    const { options, adopt, endpoint, recorder, lines } = await scene();
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

  it("carries attempts that count beside deliveries that do not", async () => {
    const { options, adopt, clock, endpoint, recorder } = await scene();
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
    expect(bodies(endpoint).map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2, 3, 4]);
    expect(bodies(endpoint).map(({ message }) => message.attributes?.["taskroute-carried-attempts"])).toEqual([
      undefined,
      "-1",
      "-1",
      "-2",
    ]);
  });

  it("comes anew after RetryAfter, with its attempts carried along until they are used up", async () => {
    const { options, adopt, clock, endpoint, recorder } = await scene();
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
    const pushes = bodies(endpoint);
    expect(new Set(pushes.map(({ message }) => message.messageId)).size).toBe(3);
    expect(pushes.map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 1, 1]);
    expect(await tasks.deadLetters.list()).toMatchObject([
      { taskId: id, kwargs: { customer: "c-1" }, reason: "exhausted", attempts: 3 },
    ]);
  });
});

describe("an endpoint of the local-http backend", () => {
  /** Enqueues a task that meets these answers first, and tells the attempts that its body then saw. */
  async function attemptsAfter(...interceptions: Interception[]): Promise<number[]> {
    const { options, adopt, endpoint, recorder } = await scene();
    const task = new TaskRoute({ path: "x.task", ...atOnce, run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    endpoint.interceptions.push(...interceptions);
    await tasks.enqueue(task);
    await recorder.outcomes(1, "done");
    expect(endpoint.interceptions).toEqual([]);
    return recorder.started.map(({ attempt }) => attempt);
  }

  it.each<[how: string, intercept: Interception, attempt: number]>([
    ["answers 404, a nack", (response) => response.writeHead(404).end(), 2],
    ["answers 500", (response) => response.writeHead(500).end(), 2],
    ["answers 400, since a later deployment may know the task", (response) => response.writeHead(400).end(), 1],
    ["cuts the connection", (response) => response.destroy(), 2],
    [
      "cuts the connection while it answers",
      (response) => {
        response.writeHead(200, { "content-length": 10 });
        response.write("half");
        response.flushHeaders();
        setImmediate(() => response.destroy());
      },
      2,
    ],
  ])("gets a task again that it %s", async (_, intercept, attempt) => {
    expect(await attemptsAfter(intercept)).toEqual([attempt]);
  });

  it.each([102, 200, 201, 202, 204])(
    "has taken a task that it answers with %i, and does not get it again",
    async (status) => {
      const { options, adopt, endpoint, recorder, lines } = await scene();
      const task = new TaskRoute({ path: "x.task", ...atOnce, run: () => {} });
      const tasks = adopt(createTasks({ ...options, routes: [task] }));
      endpoint.interceptions.push((response) => {
        if (status === 102) response.writeProcessing();
        response.writeHead(status === 102 ? 500 : status).end();
      });
      await tasks.enqueue(task, {}, { id: "first" });
      await tasks.enqueue(task, {}, { id: "second" });
      await recorder.outcomes(1, "done");
      await tasks.close();
      expect(recorder.started.map(({ taskId }) => taskId)).toEqual(["second"]);
      expect(endpoint.received).toHaveLength(2);
      expect(lines).toEqual([]);
    },
  );

  it("gets a task again that it does not answer within the ack deadline", async () => {
    const { options, adopt, clock, endpoint, recorder } = await scene();
    const task = new TaskRoute({ path: "x.task", ...atOnce, ackDeadline: 10, run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const hanging = Promise.withResolvers<void>();
    endpoint.interceptions.push(() => hanging.resolve());
    await tasks.enqueue(task);
    await hanging.promise;
    await clock.advance(10_000);
    const [done] = await recorder.outcomes(1, "done");
    expect(done).toMatchObject({ attempt: 2 });
    expect(bodies(endpoint).map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2]);
  });

  it("may be down when a task is enqueued, which costs no attempt", async () => {
    const { options, adopt, clock, endpoint, recorder } = await scene();
    const task = new TaskRoute({ path: "x.task", run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await endpoint.stop();
    await tasks.enqueue(task);
    await clock.elapse(0.1);
    await clock.elapse(0.2);
    await endpoint.resume();
    await clock.elapse(0.4);
    const [done] = await recorder.outcomes(1);
    expect(done).toMatchObject({ attempt: 1, outcome: { type: "done" } });
    expect(bodies(endpoint)[0]?.message.attributes).toEqual({ "taskroute-carried-attempts": "-3" });
  });

  it("gets no more pushes at once than the backend and the route allow", async () => {
    const { options, adopt, recorder } = await scene({ maxInFlight: 3 });
    let [running, most, mostOfSingle] = [0, 0, 0];
    const run = async (single: boolean): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      if (single) mostOfSingle = Math.max(mostOfSingle, 1 + singles++);
      await new Promise(setImmediate);
      running -= 1;
      if (single) singles -= 1;
    };
    let singles = 0;
    const plain = new TaskRoute({ path: "x.plain", run: () => run(false) });
    const single = new TaskRoute({ path: "x.single", maxConcurrency: 1, run: () => run(true) });
    const tasks = adopt(createTasks({ ...options, routes: [plain, single] }));
    for (let count = 0; count < 15; count++) await tasks.enqueue(count % 2 === 0 ? plain : single);
    await recorder.outcomes(15, "done");
    expect(recorder.finished).toHaveLength(15);
    expect(most).toBeLessThanOrEqual(3);
    expect(mostOfSingle).toBe(1);
  });
});

describe("closing the local-http backend", () => {
  it("waits for the answer to what has just run", async () => {
    const { options, adopt, endpoint, recorder, lines, clock } = await scene();
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
    const { options, adopt, clock, endpoint, lines } = await scene();
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
