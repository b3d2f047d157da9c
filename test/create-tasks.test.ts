import { afterEach, describe, expect, it, vi } from "vitest";
import { immediate } from "../src/backends/immediate.ts";
import { local } from "../src/backends/local.ts";
import { localHttp } from "../src/backends/local-http.ts";
import type { BackendFactory } from "../src/core/backend.ts";
import { silentLogger } from "../src/core/logger.ts";
import { TaskRoute } from "../src/core/route.ts";
import { createTasks } from "../src/create-tasks.ts";
import { VirtualClock } from "../src/engine/clock.ts";
import { createPushHandler } from "../src/push/handle.ts";
import { refusalOf } from "./support/refusal.ts";

const task = new TaskRoute({ path: "x.task", run: () => {} });

afterEach(() => vi.unstubAllEnvs());

describe("the backend of a client", () => {
  it.each<[env: Record<string, string>, name: string]>([
    [{}, "local"],
    [{ TASKS_BACKEND: "" }, "local"],
    [{ TASKS_BACKEND: "local" }, "local"],
    [{ TASKS_BACKEND: "immediate" }, "immediate"],
    [{ TASKS_BACKEND: "local-http" }, "local-http"],
    [{ TASKS_BACKEND: " immediate " }, "immediate"],
  ])("is by the environment %o: %s", async (env, name) => {
    const tasks = createTasks({ routes: [task], env });
    expect(tasks.runtime.backend.name).toBe(name);
    await tasks.close();
  });

  it("is the one that was passed, whatever the environment says", () => {
    const tasks = createTasks({ routes: [task], env: { TASKS_BACKEND: "local-http" }, backend: immediate() });
    expect(tasks.runtime.backend.name).toBe("immediate");
  });

  it("is by the process's own environment where none is passed, read when it is first needed", () => {
    const tasks = createTasks({ routes: [task] });
    vi.stubEnv("TASKS_BACKEND", "immediate");
    expect(tasks.runtime.backend.name).toBe("immediate");
  });

  it("cannot be one that does not exist", () => {
    const tasks = createTasks({ routes: [task], env: { TASKS_BACKEND: "redis" } });
    const text = refusalOf(() => tasks.runtime.backend, "INVALID_CONFIG");
    expect(text).toContain(
      'TASKS_BACKEND: expected immediate, local, local-http, pubsub, cloud-tasks, or pubsub,cloud-tasks, got "redis"',
    );
  });
});

describe("a client in production", () => {
  const marks = ["NODE_ENV", "K_SERVICE", "CLOUD_RUN_JOB", "GAE_ENV", "KUBERNETES_SERVICE_HOST"];
  const production = marks.map((mark) => ({ [mark]: mark === "NODE_ENV" ? "production" : "something" }));

  it.each(production)("is made without a backend, but does not start, send or serve: %o", async (env) => {
    const tasks = createTasks({ routes: [task], env, logger: silentLogger });
    for (const use of [() => tasks.start(), () => tasks.deadLetters]) {
      expect(refusalOf(use, "INVALID_CONFIG")).toContain("expected one in production, got none");
    }
    refusalOf(() => createPushHandler(tasks), "INVALID_CONFIG");
    await expect(tasks.enqueue(task)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    await expect(tasks.enqueue(task, {}, { delay: 1 })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    await tasks.close();
  });

  it.each(["immediate", "local", "local-http"])("does not run on %s, named by the environment", (name) => {
    for (const env of production) {
      const tasks = createTasks({ routes: [task], env: { ...env, TASKS_BACKEND: name }, logger: silentLogger });
      expect(refusalOf(() => tasks.runtime.backend, "INVALID_CONFIG")).toContain(`backend ${name}`);
    }
  });

  it.each<[name: string, make: (options: { allowInProduction?: boolean }) => BackendFactory]>([
    ["immediate", immediate],
    ["local", local],
    ["local-http", localHttp],
  ])("does not run on %s, named in code, unless it is asked for", (name, make) => {
    for (const env of production) {
      const client = (backend: BackendFactory) => createTasks({ routes: [task], env, backend, logger: silentLogger });
      refusalOf(() => client(make({})).runtime.backend, "INVALID_CONFIG");
      refusalOf(() => client(make({ allowInProduction: false })).runtime.backend, "INVALID_CONFIG");
      expect(client(make({ allowInProduction: true })).runtime.backend.name).toBe(name);
    }
  });
});

describe("a module that is evaluated again by a hot reload", () => {
  const MINUTE = 60_000;

  interface Evaluation {
    readonly clock?: VirtualClock;
    readonly path?: `x.${string}`;
    readonly namespace?: string;
  }

  const ran: string[] = [];
  const clients: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    ran.length = 0;
  });

  /** The library and a service's module, all of it evaluated anew; its tasks say by which evaluation they are run. */
  async function evaluate(name: string, clock: VirtualClock, { path = "x.task", namespace = "app" }: Evaluation = {}) {
    vi.resetModules();
    const library = await import("../src/index.ts");
    const route = new library.TaskRoute({
      path,
      schedule: "0 * * * *",
      maxAttempts: 2,
      minRetryDelay: 60,
      run: (payload, { attempt, scheduledFor }) => {
        ran.push(`${name} ${scheduledFor?.toISOString().slice(11, 16) ?? attempt}`);
        if (payload.fails === true) throw new Error("boom");
      },
    });
    const tasks = library.createTasks({ routes: [route], clock, namespace, env: {}, logger: library.silentLogger });
    clients.push(tasks);
    return { tasks, route, library };
  }

  it("has classes of its own, which its engine must not be told apart by", async () => {
    const clock = new VirtualClock();
    const [old, anew] = [await evaluate("old", clock), await evaluate("new", clock)];
    expect(anew.library.TaskRoute).not.toBe(old.library.TaskRoute);
    await old.tasks.start();
    await anew.tasks.start();
    expect(anew.tasks.deadLetters).toBe(old.tasks.deadLetters);
  });

  it("fires each tick of its schedules once, in the new code", async () => {
    const clock = new VirtualClock(new Date("2026-01-01T00:30:00Z"));
    const old = await evaluate("old", clock);
    await old.tasks.start();
    await clock.advance(60 * MINUTE);
    const anew = await evaluate("new", clock);
    await clock.advance(60 * MINUTE);
    await anew.tasks.start();
    await clock.advance(120 * MINUTE);
    expect(ran).toEqual(["old 01:00", "old 02:00", "new 03:00", "new 04:00"]);
  });

  it("runs what waits in the new code: delayed, to be retried, parked, or enqueued through the old client", async () => {
    const clock = new VirtualClock();
    const old = await evaluate("old", clock);
    await old.tasks.enqueue(old.route, {}, { delay: 10 * 60 });
    await old.tasks.enqueue(old.route, { fails: true }, { id: "failing" });
    await clock.advance(0);
    const anew = await evaluate("new", clock);
    await anew.tasks.start();
    await clock.advance(MINUTE);
    expect(ran).toEqual(["old 1", "new 2"]);
    await anew.tasks.deadLetters.redrive("failing");
    await clock.advance(0);
    expect(ran.slice(2)).toEqual(["new 1"]);
    await old.tasks.enqueue(old.route);
    await clock.advance(10 * MINUTE);
    expect(ran.slice(3)).toEqual(["new 1", "new 2", "new 1"]);
  });

  it("goes on when the client of the old module is closed, and begins afresh after its own is", async () => {
    const clock = new VirtualClock();
    const old = await evaluate("old", clock);
    await old.tasks.start();
    const anew = await evaluate("new", clock);
    await anew.tasks.enqueue(anew.route, {}, { delay: 60 });
    await old.tasks.close();
    await clock.advance(MINUTE);
    expect(ran).toEqual(["new 1"]);
    await anew.tasks.enqueue(anew.route, {}, { delay: 60 });
    await anew.tasks.close();
    expect(clock.pending).toBe(0);
    const last = await evaluate("last", clock);
    await last.tasks.enqueue(last.route);
    await clock.advance(MINUTE);
    expect(ran).toEqual(["new 1", "last 1"]);
  });

  it.each<[difference: string, other: Evaluation]>([
    ["another namespace", { namespace: "shop" }],
    ["no route in common", { path: "x.other" }],
  ])("leaves a client alone that has %s", async (_, other) => {
    const clock = new VirtualClock(new Date("2026-01-01T00:30:00Z"));
    const one = await evaluate("one", clock);
    await one.tasks.start();
    await one.tasks.enqueue(one.route, {}, { delay: 60 });
    const two = await evaluate("two", clock, other);
    await two.tasks.start();
    await clock.advance(30 * MINUTE);
    expect(ran.toSorted()).toEqual(["one 01:00", "one 1", "two 01:00"]);
  });
});
