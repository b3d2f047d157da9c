import { describe, expect, it } from "vitest";
import { cloudTasks } from "../../src/backends/cloud-tasks.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { refusalOf } from "../support/refusal.ts";
import { closeQueueScenes, LOCATION, PROJECT, PUSHER, QueueScene } from "./queue-scene.ts";
import { codeOf, open, QUEUE, run, task } from "./queued-client.ts";

closeQueueScenes();

const DAY = 86_400;
const THEIRS = "projects/other/locations/us-east1/queues/theirs";
const prioritised = new TaskRoute({
  path: "x.task",
  queue: { priorities: { high: {}, low: { name: "slow-lane" } } },
  run,
});

describe("a task in a queue", () => {
  it("is a POST of its envelope to the push handler, with a token of the push account and the route's deadline", async () => {
    const { scene, tasks } = await open(task);
    const { id } = await tasks.enqueue(task, { userId: "42" });
    const [seen, ...others] = await scene.tasksOf(QUEUE);
    expect(others).toEqual([]);
    expect(seen).toMatchObject({
      name: expect.stringMatching(new RegExp(`^${scene.queue(QUEUE)}/tasks/[0-9a-f]{64}$`)),
      url: scene.endpoint.url,
      headers: { "content-type": "application/json" },
      oidcToken: scene.oidcToken,
      scheduleTime: scene.clock.now() / 1000,
      dispatchDeadline: 300,
    });
    expect(Object.keys(seen?.headers ?? {}).filter((name) => name.startsWith("taskroute"))).toEqual([]);
    expect(JSON.parse(seen?.body ?? "")).toEqual({
      task_id: id,
      task_name: "task",
      args: [],
      kwargs: { userId: "42" },
      enqueued_at: "2026-01-01T00:00:00.000+00:00",
    });
  });

  it.each([
    [10, undefined, 15],
    [15, "cloud-tasks", 15],
    [1800, "cloud-tasks", 1800],
  ] as const)("has %i s, via %s, as a dispatch deadline of %i s", async (ackDeadline, via, seconds) => {
    const route = new TaskRoute({ path: "x.task", ackDeadline, ...(via && { via }), run });
    const { scene, tasks } = await open(route);
    await tasks.enqueue(route);
    expect(await scene.tasksOf(QUEUE)).toMatchObject([{ dispatchDeadline: seconds }]);
  });

  it.each([
    ["its route's own", {}, QUEUE],
    ["one that its route names", { name: "shared" }, "shared"],
    ["one in another project and region", { name: THEIRS }, THEIRS],
  ])("is in %s", async (_what, queue, id) => {
    const route = new TaskRoute({ path: "x.task", queue, run });
    const { scene, tasks } = await open(route);
    await tasks.enqueue(route);
    expect(await scene.tasksOf(id)).toHaveLength(1);
  });

  it("is in the queue of its priority, and says so", async () => {
    const { scene, tasks } = await open(prioritised);
    await tasks.enqueue(prioritised);
    await tasks.enqueue(prioritised, {}, { priority: "high" });
    await tasks.enqueue(prioritised, {}, { priority: "low" });
    const queues = await Promise.all([QUEUE, `${QUEUE}-high`, "slow-lane"].map((id) => scene.tasksOf(id)));
    const said = queues.map((queue) => queue.map(({ headers }) => headers["taskroute-priority"]));
    expect(said).toEqual([[undefined], ["high"], ["low"]]);
    expect(await codeOf(tasks.enqueue(prioritised, {}, { priority: "urgent" }))).toMatchObject(["INVALID_OPTION", {}]);
  });

  it("proves itself by the shared secret where the handler asks for one", async () => {
    const { scene } = await open(task);
    const env = { ...scene.options.env, TASKS_PUSH_SECRET: "the-first-secret,the-second" };
    const tasks = createTasks({ ...scene.options, env, routes: [task], backend: cloudTasks() });
    await tasks.enqueue(task);
    expect(await scene.tasksOf(QUEUE)).toMatchObject([
      { oidcToken: null, headers: { authorization: "Bearer the-first-secret" } },
    ]);
    await tasks.close();
  });
});

describe("when a task is due", () => {
  const month = 30 * DAY;

  it.each([
    ["a delay", () => ({ delay: 90 }), 90],
    ["a fraction of a second", () => ({ delay: 0.25 }), 0.25],
    ["a moment", (now: number) => ({ runAt: new Date(now + 90_000) }), 90],
    ["30 days", () => ({ delay: month }), month],
  ])("is %s from now", async (_what, optionsAt, seconds) => {
    const { scene, tasks } = await open(task);
    await tasks.enqueue(task, {}, optionsAt(scene.clock.now()));
    expect(await scene.tasksOf(QUEUE)).toMatchObject([{ scheduleTime: scene.clock.now() / 1000 + seconds }]);
  });

  it("is within 30 days, and what is later is refused before anything is sent", async () => {
    const { scene, tasks } = await open(task);
    const text =
      "enqueue: expected delay or runAt within 30 days, the limit of Cloud Tasks, got 2026-01-31T00:00:01.000Z";
    expect(await codeOf(tasks.enqueue(task, {}, { delay: month + 1 }))).toEqual([
      "INVALID_OPTION",
      expect.stringContaining(text),
    ]);
    const items = [{ payload: {} }, { payload: {}, runAt: new Date(scene.clock.now() + (month + 1) * 1000) }];
    expect(await codeOf(tasks.enqueueMany(task, items))).toMatchObject(["INVALID_OPTION", {}]);
    expect(await scene.tasksOf(QUEUE)).toEqual([]);
  });
});

describe("the size of a task", () => {
  /** Texts of so many bytes each, of which every second one has two. */
  const sized = (bytes: number) => ({ text: "é".repeat(Math.floor(bytes / 2)) + "e".repeat(bytes % 2) });
  const limit = 1024 * 1024;

  it("is at most 1 MiB, and more is refused before anything is sent: all that is let through, Cloud Tasks takes", async () => {
    const { scene, tasks } = await open(task);
    let fits = 0;
    let breaks = limit;
    const sizes = (bytes: number) => tasks.runtime.enqueuer.prepare(task, sized(bytes));
    while (breaks - fits > 1) {
      const middle = Math.floor((fits + breaks) / 2);
      try {
        await sizes(middle);
        fits = middle;
      } catch {
        breaks = middle;
      }
    }
    expect(fits).toBeGreaterThan(limit - 2048);
    await tasks.enqueue(task, sized(fits));
    const [code, message] = await codeOf(tasks.enqueue(task, sized(fits + 1)));
    expect(code).toBe("INVALID_PAYLOAD");
    expect(message).toMatch(
      /^payload of "x.task": expected a task of at most 1048576 bytes .*, got 1048577; keep the data elsewhere, e.g. in Cloud Storage, and pass its URL$/,
    );
    const many = tasks.enqueueMany(task, [{ payload: {} }, { payload: sized(limit) }]);
    expect(await codeOf(many)).toMatchObject(["INVALID_PAYLOAD", {}]);
    expect(await scene.tasksOf(QUEUE)).toHaveLength(1);
  });
});

describe("many tasks", () => {
  it("are created together, and each is answered for by itself", async () => {
    const { scene, tasks } = await open(task, { maxInFlight: 3 });
    const items = Array.from({ length: 20 }, (_, n) => ({ payload: { n }, id: `task-${n}` }));
    const { accepted, failed } = await tasks.enqueueMany(task, items);
    expect(accepted.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
    expect([failed, (await scene.tasksOf(QUEUE)).length]).toEqual([[], 20]);
  });

  it("fail each by itself, to be sent again", async () => {
    const route = new TaskRoute({ path: "x.task", run });
    const scene = await QueueScene.open();
    const tasks = createTasks({ ...scene.options, routes: [route], backend: cloudTasks() });
    const { accepted, failed } = await tasks.enqueueMany(route, [{ payload: {} }, { payload: {} }]);
    expect([accepted.length, failed.map(({ error }) => error.code)]).toEqual([
      0,
      ["NOT_PROVISIONED", "NOT_PROVISIONED"],
    ]);
    await scene.makeQueues([route]);
    expect(
      (
        await tasks.enqueueMany(
          route,
          failed.map(({ item }) => item),
        )
      ).accepted,
    ).toHaveLength(2);
    await tasks.close();
  });
});

describe("the backend", () => {
  it("waits, when it is closed, for what it has taken to be accepted", async () => {
    const { scene, tasks } = await open(task);
    const enqueued = Promise.all([tasks.enqueue(task), tasks.enqueue(task)]);
    await tasks.close();
    await enqueued;
    expect(await scene.tasksOf(QUEUE)).toHaveLength(2);
    expect(await codeOf(tasks.enqueue(task))).toMatchObject(["CLOSED", {}]);
  });

  it("loads and connects ahead", async () => {
    const { scene, tasks } = await open(task);
    await tasks.warm();
    await tasks.enqueue(task);
    expect(await scene.tasksOf(QUEUE)).toHaveLength(1);
  });

  it("declares what Cloud Tasks can do", async () => {
    const { tasks } = await open(task);
    expect(tasks.runtime.backend).toMatchObject({
      name: "cloud-tasks",
      capabilities: {
        delay: true,
        dedupe: true,
        priority: true,
        durable: true,
        results: false,
        ordering: false,
        overlap: false,
      },
    });
  });

  it("is what TASKS_BACKEND names", async () => {
    const { scene } = await open(task);
    const env = { ...scene.options.env, TASKS_BACKEND: "cloud-tasks" };
    const tasks = createTasks({ ...scene.options, env, routes: [task] });
    await tasks.enqueue(task);
    expect(await scene.tasksOf(QUEUE)).toHaveLength(1);
    await tasks.close();
  });

  it("is one of two that TASKS_BACKEND names, and takes the routes that ask for it", async () => {
    const route = new TaskRoute({ path: "x.task", via: "cloud-tasks", run });
    const { scene } = await open(route);
    const env = { ...scene.options.env, TASKS_BACKEND: "pubsub,cloud-tasks" };
    const tasks = createTasks({ ...scene.options, env, routes: [route] });
    await tasks.enqueue(route, {}, { delay: 5, dedupeKey: "k" });
    expect([tasks.runtime.backend.name, (await scene.tasksOf(QUEUE)).length]).toEqual(["pubsub,cloud-tasks", 1]);
    await tasks.close();
  });
});

describe("what is missing or wrong", () => {
  it("is a queue that nobody has made", async () => {
    const scene = await QueueScene.open();
    const tasks = createTasks({ ...scene.options, routes: [task], backend: cloudTasks() });
    const [code, message] = await codeOf(tasks.enqueue(task));
    expect(code).toBe("NOT_PROVISIONED");
    expect(message).toContain(`create a task in projects/${PROJECT}/locations/${LOCATION}/queues/${QUEUE}`);
    expect(message).toContain("wait at least a minute for the queue to initialize");
    expect(message).toContain("run taskroute apply");
    await tasks.close();
  });

  const build = (env: Record<string, string>) => () =>
    createTasks({ routes: [task], backend: cloudTasks(), env: { TASKS_NAMESPACE: "shop", ...env } }).runtime.backend;

  it("is no project", () => {
    expect(refusalOf(build({}), "INVALID_CONFIG")).toContain("GCP_PROJECT_ID: expected the project");
  });

  it("is no account that calls, in production", () => {
    const production = { NODE_ENV: "production", GCP_PROJECT_ID: "p" };
    expect(refusalOf(build(production), "INVALID_CONFIG")).toContain(
      "TASKS_SERVICE_ACCOUNT: expected the e-mail of the account as which Cloud Tasks calls the service",
    );
    expect(build({ ...production, TASKS_PUSH_SECRET: "a-secret-of-some-length" })().name).toBe("cloud-tasks");
    expect(build({ ...production, TASKS_SERVICE_ACCOUNT: PUSHER })().name).toBe("cloud-tasks");
  });

  it("is no service to call, which a first deployment cannot know when its handler is built", async () => {
    const env = { GCP_PROJECT_ID: "p", TASKS_SERVICE_ACCOUNT: PUSHER };
    const tasks = createTasks({ routes: [task], backend: cloudTasks(), env });
    expect(tasks.runtime.backend.name).toBe("cloud-tasks");
    for (const refused of [tasks.enqueue(task), tasks.warm()])
      expect(await codeOf(refused)).toEqual([
        "INVALID_CONFIG",
        expect.stringContaining("CLOUD_RUN_SERVICE_URL: expected the service's URL"),
      ]);
    await tasks.close();
  });

  it.each([
    [{ timeout: 0 }, "timeout"],
    [{ timeout: 601 }, "timeout"],
    [{ maxInFlight: 1.5 }, "maxInFlight"],
    [{ maxInFlight: 0 }, "maxInFlight"],
    [{ named: "yes" }, "named"],
    [{ timeuot: 5 }, "did you mean timeout"],
  ])("is an option: %j", (options, text) => {
    expect(refusalOf(() => cloudTasks(options as never), "INVALID_OPTION")).toContain(text);
  });
});
