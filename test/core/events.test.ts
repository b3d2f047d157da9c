import { describe, expect, it, vi } from "vitest";
import { immediate } from "../../src/backends/immediate.ts";
import type { EnqueuedEvent, FinishedEvent, Hooks, StartedEvent } from "../../src/core/events.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createScene, deliver } from "../support/scene.ts";

const names = { name: "a", path: "x.a" };

function recorder() {
  const events: [kind: keyof Hooks, event: EnqueuedEvent | StartedEvent | FinishedEvent][] = [];
  const hooks: Hooks = {
    enqueued: (event) => events.push(["enqueued", event]),
    started: (event) => events.push(["started", event]),
    finished: (event) => events.push(["finished", event]),
  };
  return { events, hooks };
}

describe("hooks", () => {
  it("hear of a task when it is enqueued, when it starts and what it came to", async () => {
    const { events, hooks } = recorder();
    const { options } = createScene();
    const route = new TaskRoute({ path: "x.a", run: () => "ran" });
    const tasks = createTasks({ ...options, hooks, backend: immediate(), routes: [route] });
    const { id: taskId } = await tasks.enqueue(route, {}, { dedupeKey: "k" });
    await tasks.enqueue(route, {}, { dedupeKey: "k" });
    const run = { ...names, taskId, attempt: 1, maxAttempts: 10, messageId: "1", scheduledFor: undefined };
    expect(events).toEqual([
      ["started", run],
      ["finished", { ...run, outcome: { type: "done", result: "ran" }, duration: 0 }],
      ["enqueued", { ...names, taskId, deduplicated: false }],
      ["enqueued", { ...names, taskId, deduplicated: true }],
    ]);
  });

  it("hear how long it took from arrival to outcome, in milliseconds", async () => {
    const { events, hooks } = recorder();
    const { options, clock } = createScene();
    const { promise, resolve } = Promise.withResolvers<void>();
    const tasks = createTasks({ ...options, hooks, routes: [new TaskRoute({ path: "x.a", run: () => promise })] });
    const outcome = deliver(tasks, { taskName: "a", receivedAt: clock.now() - 50 });
    await clock.advance(200);
    resolve();
    await outcome;
    expect(events.at(-1)).toMatchObject(["finished", { duration: 250 }]);
  });

  it("hear of deliveries that come to an end without a run", async () => {
    const { events, hooks } = recorder();
    const { options } = createScene({ env: { A: "off" } });
    const route = new TaskRoute({ path: "x.a", run: () => {}, killSwitch: { env: "A", onDemand: "skip" } });
    const other = new TaskRoute({ path: "x.b", run: () => {} });
    const tasks = createTasks({ ...options, hooks, routes: [route, other] });
    await deliver(tasks, { taskName: "a" });
    await deliver(tasks, { taskName: "b", args: [1] });
    expect(events).toMatchObject([
      ["finished", { path: "x.a", outcome: { type: "skipped", reason: "switched-off" } }],
      ["finished", { path: "x.b", outcome: { type: "rejected", reason: "invalid-payload" } }],
    ]);
  });

  it("hear of a tick that was skipped for the sake of the one before it", () => {
    const { events, hooks } = recorder();
    const { options, lines } = createScene();
    const route = new TaskRoute({ path: "x.a", run: () => {}, schedule: "0 9 * * *" });
    const tasks = createTasks({
      ...options,
      hooks,
      routes: [route],
      backend: (host) => {
        host.skipped(route, new Date("2026-01-02T09:00:00Z"));
        return options.backend(host);
      },
    });
    expect(tasks.runtime.backend.name).toBe("fake");
    const taskId = "scheduled-dev--app--x.a-20260102T090000Z";
    expect(events).toMatchObject([
      ["finished", { ...names, taskId, outcome: { type: "skipped", reason: "overlap" }, duration: 0 }],
    ]);
    expect(lines).toMatchObject([{ level: "info", fields: { task: "x.a", taskId } }]);
  });

  it("may be methods of an object", async () => {
    class Metrics implements Hooks {
      finishedTasks = 0;
      finished(): void {
        this.finishedTasks += 1;
      }
    }
    const hooks = new Metrics();
    const { options, lines } = createScene();
    const tasks = createTasks({ ...options, hooks, routes: [new TaskRoute({ path: "x.a", run: () => {} })] });
    await deliver(tasks, { taskName: "a" });
    expect(hooks.finishedTasks).toBe(1);
    expect(lines).toEqual([]);
  });
});

describe("a hook that fails", () => {
  const broken = new Error("hook broken");
  const failures: readonly [how: string, hook: () => unknown][] = [
    [
      "throws",
      () => {
        throw broken;
      },
    ],
    ["rejects", () => Promise.reject(broken)],
    ["rejects later", () => new Promise((_, reject) => setImmediate(reject, broken))],
    ["rejects with a text", () => Promise.reject("hook broken")],
  ];

  it.each(failures)("because it %s breaks no task, and is logged", async (_how, hook) => {
    const { options, lines } = createScene();
    const route = new TaskRoute({ path: "x.a", run: () => "ran" });
    const hooks = { enqueued: hook, started: hook, finished: hook };
    const tasks = createTasks({ ...options, hooks, backend: immediate(), routes: [route] });
    const run = await tasks.enqueue(route, {});
    expect(await run.result()).toBe("ran");
    await vi.waitFor(() => expect(lines).toHaveLength(3));
    for (const line of lines) {
      expect(line).toMatchObject({ level: "error", message: "a hook threw; tasks are not affected" });
      expect(line.fields.error).toMatch(/hook broken$/);
    }
  });

  it("because it never ends delays no task", async () => {
    const never = () => new Promise<never>(() => {});
    const { options } = createScene();
    const route = new TaskRoute({ path: "x.a", run: () => "ran" });
    const hooks = { enqueued: never, started: never, finished: never };
    const tasks = createTasks({ ...options, hooks, backend: immediate(), routes: [route] });
    expect(await (await tasks.enqueue(route, {})).result()).toBe("ran");
    await tasks.close();
  });
});
