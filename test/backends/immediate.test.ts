import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type ImmediateOptions, immediate } from "../../src/backends/immediate.ts";
import { TaskContract } from "../../src/core/contract.ts";
import { Busy, Discard, isTasksError, RetryAfter } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createPushHandler } from "../../src/push/handle.ts";
import { closeScenes, createScene } from "./scene.ts";

closeScenes();
const scene = (options?: ImmediateOptions) => createScene({ backend: immediate(options) });
const caught = (promise: Promise<unknown>): Promise<unknown> => promise.then(undefined, (error: unknown) => error);

describe("the immediate backend", () => {
  it("has run the task when enqueue resolves", async () => {
    const { options, adopt } = scene();
    const seen: unknown[] = [];
    const payload = z.object({ at: z.coerce.date<Date | string>() });
    const task = new TaskRoute({ path: "x.task", payload, run: ({ at }) => void seen.push(at) });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const at = new Date("2026-05-06T07:08:09Z");
    await tasks.enqueue(task, { at });
    expect(seen).toEqual([at]);
    expect(seen[0]).not.toBe(at);
  });

  const boom = new Error("boom");
  const discard = new Discard("no use");

  it.each<[what: string, thrown: Error, outcome: object]>([
    ["an error", boom, { type: "failed", error: boom, retryAfter: undefined }],
    ["RetryAfter", new RetryAfter(60), { type: "failed", retryAfter: 60 }],
    ["Discard", discard, { type: "discarded", reason: "discarded", error: discard }],
    ["Busy", new Busy("later", { retryAfter: 5 }), { type: "busy", reason: "task-busy", retryAfter: 5 }],
  ])("records a task that throws %s as its run's outcome, and throws nothing", async (_, thrown, outcome) => {
    const { options, adopt, recorder, clock } = scene();
    const task = new TaskRoute({ path: "x.task", run: () => Promise.reject(thrown) });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const run = await tasks.enqueue(task);
    expect(await run.outcome()).toMatchObject(outcome);
    expect(recorder.finished).toMatchObject([{ outcome }]);
    expect(await caught(run.result())).toMatchObject({ name: "TasksError", code: "TASK_FAILED" });
    await clock.advance(86_400_000);
    expect(recorder.started).toHaveLength(1);
  });

  it("throws TASK_FAILED with the cause where it is asked to", async () => {
    const { options, adopt } = scene({ throwOnFailure: true });
    const bad = new TaskRoute({ path: "x.bad", run: () => Promise.reject(boom) });
    const busy = new TaskRoute({ path: "x.busy", run: () => Promise.reject(new Busy()) });
    const good = new TaskRoute({ path: "x.good", run: () => "fine" });
    const tasks = adopt(createTasks({ ...options, routes: [bad, busy, good] }));
    const failure = await caught(tasks.enqueue(bad));
    expect(failure).toMatchObject({ code: "TASK_FAILED", cause: boom });
    expect(String(failure)).toContain("Error: boom");
    expect(await caught(tasks.enqueue(busy))).toMatchObject({ code: "TASK_FAILED" });
    expect(await (await tasks.enqueue(good)).result()).toBe("fine");
    const { accepted, failed } = await tasks.enqueueMany(bad, [{ payload: {}, id: "one" }]);
    expect([accepted, failed.map(({ item, error }) => [item.id, error.code])]).toEqual([[], [["one", "TASK_FAILED"]]]);
  });

  it("runs a task that a task enqueues within it, hundreds deep", async () => {
    const { options, adopt, recorder } = scene();
    const step = new TaskContract({ path: "x.step", payload: z.object({ left: z.number() }) });
    let deepest = 0;
    const route = step.route(async ({ left }, ctx) => {
      deepest += 1;
      if (left > 0) await ctx.enqueue(step, { left: left - 1 });
      return left;
    });
    const tasks = adopt(createTasks({ ...options, routes: [route] }));
    expect(await (await tasks.enqueue(step, { left: 500 })).result()).toBe(500);
    expect(deepest).toBe(501);
    expect(recorder.finished.every(({ outcome }) => outcome.type === "done")).toBe(true);
  });

  it("refuses a task that enqueues itself without end, and runs as many side by side as there are", async () => {
    const { options, adopt, recorder } = scene();
    const endless: TaskRoute<"x.endless"> = new TaskRoute({
      path: "x.endless",
      run: async (_payload, ctx): Promise<void> => void (await ctx.enqueue(endless, {}, { delay: 60 })),
    });
    const plain = new TaskRoute({ path: "x.plain", run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [endless, plain] }));
    await tasks.enqueue(endless);
    const [innermost] = recorder.finished;
    expect(innermost?.outcome).toMatchObject({ type: "failed", error: { code: "UNSUPPORTED" } });
    expect(recorder.finished).toHaveLength(1000);
    await Promise.all(Array.from({ length: 2000 }, () => tasks.enqueue(plain)));
    expect(recorder.finished.slice(1000).every(({ outcome }) => outcome.type === "done")).toBe(true);
  });

  it("does not run a task within itself that enqueues its own key", async () => {
    const { options, adopt, recorder } = scene();
    const nested: unknown[] = [];
    const task: TaskRoute<"x.task"> = new TaskRoute({
      path: "x.task",
      run: async (_payload, ctx) => nested.push(await ctx.enqueue(task, {}, { dedupeKey: "once" })),
    });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const run = await tasks.enqueue(task, {}, { dedupeKey: "once" });
    expect(nested).toMatchObject([{ id: run.id, deduplicated: true }]);
    expect(recorder.started).toHaveLength(1);
  });

  it.each([true, false])(
    "answers with the first one's outcome for a key that is held, throwing: %s",
    async (throws) => {
      const { options, adopt } = scene({ throwOnFailure: throws });
      const task = new TaskRoute({ path: "x.task", run: () => Promise.reject(boom) });
      const tasks = adopt(createTasks({ ...options, routes: [task] }));
      await caught(tasks.enqueue(task, {}, { dedupeKey: "once" }));
      const second = await tasks.enqueue(task, {}, { dedupeKey: "once" });
      expect(second.deduplicated).toBe(true);
      expect(await second.outcome()).toMatchObject({ type: "failed", error: boom });
    },
  );

  it("parks an on-demand task that is switched off, and runs it when it is redriven later", async () => {
    const { options, adopt, recorder } = scene();
    const env: Record<string, string> = { GREETINGS: "off" };
    const task = new TaskRoute({ path: "x.task", killSwitch: "GREETINGS", run: () => {} });
    const tasks = adopt(createTasks({ ...options, env, routes: [task] }));
    const run = await tasks.enqueue(task);
    expect(await run.outcome()).toMatchObject({ type: "discarded", reason: "switched-off" });
    env.GREETINGS = "on";
    expect(await tasks.deadLetters.redrive(run.id)).toBe(true);
    expect(recorder.finished.at(-1)).toMatchObject({ taskId: run.id, outcome: { type: "done" } });
  });

  it("leaves a pushed task that wants to run later with whoever pushed it", async () => {
    const { options, adopt, recorder } = scene();
    const task = new TaskRoute({ path: "x.task", run: () => Promise.reject(new RetryAfter(60)) });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const envelope = {
      task_id: "task-1",
      task_name: "task",
      args: [],
      kwargs: {},
      enqueued_at: "2026-01-01T00:00:00Z",
    };
    const answer = await createPushHandler(tasks).handle({
      method: "POST",
      header: () => undefined,
      body: () => JSON.stringify(envelope),
    });
    expect(answer).toEqual({ status: 500, headers: { "retry-after": "60" } });
    expect(recorder.started).toHaveLength(1);
  });

  it("says so when a task enqueues another while the client is closing, since nothing would run that later", async () => {
    const { options, adopt } = scene();
    const started = Promise.withResolvers<void>();
    const closing = Promise.withResolvers<void>();
    const second = new TaskRoute({ path: "x.second", run: () => {} });
    const first = new TaskRoute({
      path: "x.first",
      run: async (_payload, ctx) => {
        started.resolve();
        await closing.promise;
        await ctx.enqueue(second);
      },
    });
    const tasks = adopt(createTasks({ ...options, routes: [first, second] }));
    const enqueued = tasks.enqueue(first);
    await started.promise;
    const closed = tasks.close();
    closing.resolve();
    const outcome = await (await enqueued).outcome();
    await closed;
    expect(outcome.type === "failed" && isTasksError(outcome.error, "CLOSED")).toBe(true);
  });
});
