import { describe, expect, it } from "vitest";
import { abortMargin } from "../../src/core/active-run.ts";
import type { TaskContext } from "../../src/core/context.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createScene, deliver } from "../support/scene.ts";

const timeout = expect.objectContaining({ name: "TasksError", code: "TIMEOUT" });

/** Delivers one task on a virtual clock, and notes when it was answered, in seconds after its arrival. */
function startTask(ackDeadline: number, run: (payload: object, ctx: TaskContext) => unknown) {
  const scene = createScene();
  const route = new TaskRoute({ path: "x.a", ackDeadline, run, maxConcurrency: 1 });
  const tasks = createTasks({ ...scene.options, routes: [route] });
  const arrived = scene.clock.now();
  const seconds = (): number => (scene.clock.now() - arrived) / 1000;
  const noted: { at?: number; outcome?: unknown } = {};
  const answered = deliver(tasks, { taskName: "a" }).then((outcome) =>
    Object.assign(noted, { at: seconds(), outcome }),
  );
  return { ...scene, tasks, seconds, noted, answered };
}

/** Ends only when told to. */
function stubborn() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return { run: () => promise, resolve, reject };
}

describe("a task's signal", () => {
  const margins: readonly [ackDeadline: number, aborted: number][] = [
    [10, 8],
    [40, 38],
    [41, 38.95],
    [300, 285],
    [600, 570],
    [1800, 1710],
  ];

  it.each(margins)("of an ack deadline of %i s aborts after %d s", async (ackDeadline, aborted) => {
    let abortedAt: number | undefined;
    const { clock, seconds, noted } = startTask(ackDeadline, (_payload, { signal }) => {
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          abortedAt = seconds();
          reject(signal.reason);
        });
      });
    });
    await clock.advance(aborted * 1000 - 1);
    expect(abortedAt).toBeUndefined();
    await clock.advance(1);
    expect(abortedAt).toBe(aborted);
    expect(noted).toEqual({ at: aborted, outcome: { type: "failed", error: timeout, retryAfter: undefined } });
    expect(clock.pending).toBe(0);
  });

  it("leaves the margin of max(2 s, 5 %) before the deadline", () => {
    expect([10, 40, 300].map((seconds) => abortMargin(seconds * 1000))).toEqual([2000, 2000, 15_000]);
  });

  it("is aborted when it is first looked at afterwards", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let seen: AbortSignal | undefined;
    const { clock } = startTask(10, async (_payload, ctx) => {
      await promise;
      seen = ctx.signal;
    });
    await clock.advance(8000);
    resolve();
    await clock.advance(0);
    expect(seen).toMatchObject({ aborted: true, reason: timeout });
  });

  it("does not abort once the task is done", async () => {
    let seen: AbortSignal | undefined;
    const { clock, noted } = startTask(10, async (_payload, ctx) => {
      seen = ctx.signal;
    });
    await clock.advance(20_000);
    expect(noted).toEqual({ at: 0, outcome: { type: "done", result: undefined } });
    expect(seen?.aborted).toBe(false);
  });

  it("counts from the arrival of the delivery, not from the start of the run", async () => {
    const scene = createScene();
    const { promise, resolve } = Promise.withResolvers<Date>();
    const route = new TaskRoute({ path: "x.a", ackDeadline: 300, run: (_payload, ctx) => resolve(ctx.deadline) });
    const tasks = createTasks({ ...scene.options, routes: [route] });
    await deliver(tasks, { taskName: "a", receivedAt: scene.clock.now() - 5000 });
    expect(await promise).toEqual(new Date(scene.clock.now() + 295_000));
  });
});

describe("a task that ignores its signal", () => {
  it.each([
    [10, 9],
    [300, 292.5],
  ])("is answered as failed before its deadline of %i s: after %d s", async (ackDeadline, at) => {
    const { clock, noted } = startTask(ackDeadline, stubborn().run);
    await clock.advance(ackDeadline * 1000);
    expect(noted).toEqual({ at, outcome: { type: "failed", error: timeout, retryAfter: undefined } });
  });

  it("keeps its slot until it settles", async () => {
    const { run, resolve } = stubborn();
    const { clock, tasks, noted } = startTask(10, run);
    await clock.advance(12_000);
    expect(noted).toMatchObject({ at: 9 });
    expect(tasks.runtime.executor.running).toBe(1);
    const next = deliver(tasks, { taskName: "a" });
    await clock.advance(1000);
    resolve("late");
    expect(await next).toEqual({ type: "done", result: "late" });
    expect(tasks.runtime.executor.running).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("keeps its slot no longer than twice its deadline", async () => {
    const { clock, tasks } = startTask(10, stubborn().run);
    await clock.advance(19_999);
    expect(tasks.runtime.executor.running).toBe(1);
    await clock.advance(1);
    expect(tasks.runtime.executor.running).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("gives its slot back only once, though it settles after it was given up", async () => {
    const [first, second] = [stubborn(), stubborn()];
    const runs = [first.run, second.run];
    const { clock, tasks } = startTask(10, () => runs.shift()?.());
    await clock.advance(20_000);
    void deliver(tasks, { taskName: "a" });
    first.resolve("at last");
    const third = deliver(tasks, { taskName: "a" });
    await clock.advance(10_000);
    expect(await third).toMatchObject({ type: "busy", reason: "no-slot" });
    second.resolve("done");
  });

  it("is not undone by what it comes to afterwards", async () => {
    const { run, reject } = stubborn();
    const { clock, noted, lines } = startTask(10, run);
    await clock.advance(10_000);
    reject(new Error("late"));
    await clock.advance(0);
    expect(noted).toMatchObject({ outcome: { type: "failed", error: timeout } });
    expect(lines).toHaveLength(1);
  });
});
