import { describe, expect, it, vi } from "vitest";
import { local } from "../../src/backends/local.ts";
import type { Capabilities } from "../../src/core/backend.ts";
import type { Delivery } from "../../src/core/delivery.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { refusalOf } from "../support/refusal.ts";
import { createScene, NOTHING, type SceneOptions } from "../support/scene.ts";

const run = (): void => {};
const route = new TaskRoute({ path: "x.a", ordered: true, queue: { priorities: { high: {} } }, run });

describe("createTasks", () => {
  it("only looks at its options: it reads no environment and builds nothing", () => {
    const forbidden = new Proxy({}, { get: () => expect.unreachable("read the environment") });
    const backend = vi.fn();
    const auth = vi.fn();
    createTasks({ ...createScene().options, env: forbidden, backend, auth, routes: [route] });
    expect([backend.mock.calls, auth.mock.calls]).toEqual([[], []]);
  });

  it("reads the environment of the process where none is given", () => {
    const tasks = createTasks({ routes: [route] });
    expect(tasks.runtime.env).toBe(process.env);
  });

  const wrong: readonly [options: object, text: string][] = [
    [{ enviroment: "prod" }, "createTasks: unknown option enviroment, did you mean environment?"],
    [{ hook: {} }, "createTasks: unknown option hook, did you mean hooks?"],
    [{ drainTimeout: -1 }, "createTasks: expected drainTimeout to be a number of 0–3600 seconds, got -1"],
    [{ drainTimeout: "8" }, 'expected drainTimeout to be a number of 0–3600 seconds, got "8"'],
    [{ drainTimeout: Number.NaN }, "got NaN"],
  ];

  it.each(wrong)("refuses %j", (options, text) => {
    expect(refusalOf(() => createTasks({ routes: [route], ...options }), "INVALID_OPTION")).toContain(text);
  });

  it("refuses wrong environments once they are needed, every time", async () => {
    const tasks = createTasks({ ...createScene({ env: { TASKS_BACKEND: "kafka" } }).options, routes: [route] });
    for (let count = 0; count < 2; count++) {
      await expect(tasks.enqueue(route, {})).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    }
  });
});

describe("the ready check", () => {
  const notReady = { type: "busy", reason: "not-ready", retryAfter: 10 };
  const checks: readonly [what: string, ready: () => boolean | Promise<boolean>, outcome: object | undefined][] = [
    ["is true", () => true, undefined],
    ["is true later", async () => true, undefined],
    ["is false", () => false, notReady],
    ["is false later", async () => false, notReady],
    [
      "throws",
      () => {
        throw new Error("no database");
      },
      notReady,
    ],
    ["rejects", () => Promise.reject(new Error("no database")), notReady],
  ];

  it.each(checks)("that %s decides whether a delivery comes in", async (_what, ready, outcome) => {
    const tasks = createTasks({ ...createScene().options, ready, routes: [route] });
    expect(await tasks.runtime.executor.admit()).toEqual(outcome);
  });

  it.each(checks)("that %s decides for a backend that delivers by itself as well", async (_what, ready, outcome) => {
    const { options, clock } = createScene();
    const ran = vi.fn();
    const task = new TaskRoute({ path: "x.b", run: ran });
    const tasks = createTasks({ ...options, backend: local(), ready, routes: [task] });
    await tasks.enqueue(task, {});
    await clock.advance(0);
    expect(ran).toHaveBeenCalledTimes(outcome === undefined ? 1 : 0);
    await tasks.close();
  });

  it("is asked anew for every delivery", async () => {
    const ready = vi.fn(() => true);
    const tasks = createTasks({ ...createScene().options, ready, routes: [route] });
    await tasks.runtime.executor.admit();
    await tasks.runtime.executor.admit();
    expect(ready).toHaveBeenCalledTimes(2);
  });
});

describe("an option of enqueue", () => {
  const enqueueWith = (options: object, scenery: SceneOptions = {}) => {
    const scene = createScene(scenery);
    return { ...scene, run: createTasks({ ...scene.options, routes: [route] }).enqueue(route, {}, options) };
  };

  const wrong: readonly [options: object, text: string][] = [
    [{ dely: 5 }, "enqueue: unknown option dely, did you mean delay?"],
    [{ delay: -1 }, "expected delay to be 0 or more seconds, up to 100 years, got -1"],
    [{ delay: Number.NaN }, "expected delay to be 0 or more seconds, up to 100 years, got NaN"],
    [{ delay: 1e308 }, "expected delay to be 0 or more seconds, up to 100 years, got 1e+308"],
    [{ delay: Number.POSITIVE_INFINITY }, "expected delay to be 0 or more seconds, up to 100 years, got Infinity"],
    [{ delay: "60" }, 'expected delay to be 0 or more seconds, up to 100 years, got "60"'],
    [{ runAt: "2026-01-01" }, 'expected runAt to be a valid Date, got "2026-01-01"'],
    [{ runAt: new Date(Number.NaN) }, "expected runAt to be a valid Date"],
    [{ delay: 5, runAt: new Date() }, "expected runAt to be left out beside delay"],
    [{ dedupeKey: "" }, "expected dedupeKey to be a text that is not empty"],
    [{ dedupeKey: 5 }, "expected dedupeKey to be a text that is not empty, got 5"],
    [{ dedupeKey: "k", dedupeWindow: 0 }, "expected dedupeWindow to be more than 0 seconds, got 0"],
    [{ dedupeWindow: 60 }, "expected dedupeWindow to be left out without dedupeKey"],
    [{ priority: "low" }, 'expected priority to be one of "x.a" (high; see queue.priorities), got "low"'],
    [{ orderingKey: "" }, "expected orderingKey to be a text of 1–1024 bytes"],
    [{ orderingKey: "é".repeat(513) }, "expected orderingKey to be a text of 1–1024 bytes"],
    [{ id: "" }, "expected id to be 1–200 characters"],
    [{ id: "a b" }, 'expected id to be 1–200 characters of [A-Za-z0-9._~-], got "a b"'],
    [{ id: "x".repeat(201) }, "expected id to be 1–200 characters"],
  ];

  it.each(wrong)("that is wrong is refused, and nothing is sent: %o", async (options, text) => {
    const { run, sent } = enqueueWith(options);
    await expect(run).rejects.toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining(text) });
    expect(sent).toEqual([]);
  });

  const needs: readonly [options: object, capability: keyof Capabilities][] = [
    [{ delay: 5 }, "delay"],
    [{ delay: 0 }, "delay"],
    [{ runAt: new Date() }, "delay"],
    [{ dedupeKey: "k" }, "dedupe"],
    [{ priority: "high" }, "priority"],
    [{ orderingKey: "user-42" }, "ordering"],
  ];

  it.each(needs)(
    "that the backend cannot honour is refused, never ignored: %o needs %s",
    async (options, capability) => {
      const { run, sent } = enqueueWith(options, { capabilities: NOTHING });
      const text = `expected a backend that can do ${capability} for ${Object.keys(options)[0]}, got fake`;
      await expect(run).rejects.toMatchObject({ code: "UNSUPPORTED", message: expect.stringContaining(text) });
      expect(sent).toEqual([]);
    },
  );

  it.each([{}, { id: "mine" }, { delay: undefined }])("that every backend can honour is taken: %j", async (options) => {
    const { run, sent } = enqueueWith(options, { capabilities: NOTHING });
    await run;
    expect(sent).toHaveLength(1);
  });

  const now = Date.UTC(2026, 0, 1);
  const outgoing: readonly [options: object, task: object][] = [
    [{}, { runAt: undefined, dedupe: undefined, priority: undefined, carriedAttempts: 0, enqueuedAt: now }],
    [{ delay: 60 }, { runAt: now + 60_000 }],
    [{ delay: 0 }, { runAt: now }],
    [{ runAt: new Date("2026-01-02T00:00:00Z") }, { runAt: now + 86_400_000 }],
    [{ runAt: new Date(0) }, { runAt: 0 }],
    [{ dedupeKey: "k" }, { dedupe: { key: "k", window: 3600 } }],
    [{ dedupeKey: "k", dedupeWindow: 60 }, { dedupe: { key: "k", window: 60 } }],
    [{ priority: "high" }, { priority: "high" }],
    [{ orderingKey: "user-42" }, { orderingKey: "user-42" }],
    [{ id: "my-id" }, { id: "my-id" }],
  ];

  it.each(outgoing)("reaches the backend: %o", async (options, task) => {
    const { run, sent } = enqueueWith(options);
    await run;
    expect(sent).toMatchObject([{ route: { path: "x.a" }, payloadJson: "{}", ...task }]);
  });
});

describe("overlapping runs of a schedule", () => {
  const scheduled = (overlap: { overlap?: "skip" | "allow" }, path = "x.s") =>
    new TaskRoute({ path, run, schedule: "0 9 * * *", ...overlap });
  const capabilities = { ...NOTHING, overlap: false };

  it("are refused as UNSUPPORTED when they are to be skipped and nothing can tell", () => {
    const { options } = createScene({ capabilities });
    const tasks = createTasks({ ...options, routes: [scheduled({ overlap: "skip" })] });
    expect(refusalOf(() => tasks.start(), "UNSUPPORTED")).toMatch(
      /^"x\.s": expected a backend or store that can hold a lock/,
    );
  });

  it("are allowed by default then, which is said once", () => {
    const { options, lines } = createScene({ capabilities });
    const routes = [scheduled({}), scheduled({}, "x.t"), scheduled({ overlap: "allow" }, "x.u"), route];
    const tasks = createTasks({ ...options, routes });
    void tasks.start();
    void tasks.start();
    expect(lines).toMatchObject([{ level: "warn", fields: { backend: "fake", tasks: ["x.s", "x.t"] } }]);
  });

  it("are nothing to speak of where the backend can tell", () => {
    const { options, lines } = createScene({ capabilities: { ...NOTHING, overlap: true } });
    void createTasks({ ...options, routes: [scheduled({ overlap: "skip" })] }).start();
    expect(lines).toEqual([]);
  });
});

describe("creating a delivered task anew", () => {
  const delivery: Delivery = {
    transport: "pubsub",
    taskId: "task-1",
    taskName: "a",
    args: ["1"],
    kwargs: { text: "hi" },
    enqueuedAt: "2025-12-31T00:00:00+00:00",
    messageId: "message-1",
    attempt: 3,
    scheduled: false,
    scheduledFor: undefined,
    publishTime: undefined,
    receivedAt: 0,
    attributes: {},
  };
  const task = new TaskRoute({ path: "x.a", run, args: ["userId"], schedule: "0 9 * * *", overlap: "allow" });

  it("keeps its id, payload and time, and takes the attempts it has used along", async () => {
    const { options, sent, clock } = createScene();
    const tasks = createTasks({ ...options, routes: [task] });
    expect(await tasks.runtime.enqueuer.deferAgain(delivery, task, 90)).toBe(true);
    expect(sent).toMatchObject([
      {
        id: "task-1",
        payloadJson: '{"text":"hi","userId":"1"}',
        enqueuedAt: Date.UTC(2025, 11, 31),
        runAt: clock.now() + 90_000,
        carriedAttempts: 3,
      },
    ]);
  });

  it("leaves a tick with its scheduler, which holds it against overlap", async () => {
    const { options, sent } = createScene();
    const tasks = createTasks({ ...options, routes: [task] });
    const tick = { ...delivery, args: [], taskId: "scheduled-a", scheduled: true, enqueuedAt: undefined };
    expect(await tasks.runtime.enqueuer.deferAgain(tick, task, 90)).toBe(false);
    expect(sent).toEqual([]);
  });

  it("is not done by a backend that cannot delay", async () => {
    const { options, sent } = createScene({ capabilities: NOTHING });
    const tasks = createTasks({ ...options, routes: [task] });
    expect(await tasks.runtime.enqueuer.deferAgain(delivery, task, 90)).toBe(false);
    expect(sent).toEqual([]);
  });
});
