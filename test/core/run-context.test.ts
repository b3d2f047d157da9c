import { describe, expect, it } from "vitest";
import type { TaskContext } from "../../src/core/context.ts";
import type { Delivery } from "../../src/core/delivery.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createScene, deliver } from "../support/scene.ts";

/** The context that a task is given for a delivery. */
async function contextOf(delivery: Partial<Delivery>) {
  const scene = createScene();
  const run = (_payload: object, ctx: TaskContext): TaskContext => ctx;
  const tasks = createTasks({ ...scene.options, routes: [new TaskRoute({ path: "x.a", maxAttempts: 3, run })] });
  const outcome = (await deliver(tasks, { taskName: "a", ...delivery })) as { result: TaskContext };
  return { ...scene, ctx: outcome.result };
}

describe("the context of a task", () => {
  it("says which run this is", async () => {
    const { ctx, clock } = await contextOf({ attempt: 2 });
    expect(ctx).toMatchObject({
      taskId: "task-1",
      name: "a",
      path: "x.a",
      attempt: 2,
      maxAttempts: 3,
      messageId: "message-1",
      scheduledFor: undefined,
      context: undefined,
    });
    expect(ctx.deadline).toEqual(new Date(clock.now() + 300_000));
  });

  it.each([
    ["2026-01-01T00:00:00+00:00", new Date("2026-01-01T00:00:00Z")],
    [Date.UTC(2026, 0, 1), new Date("2026-01-01T00:00:00Z")],
    [undefined, undefined],
  ])("says when the task was enqueued: %s", async (enqueuedAt, expected) => {
    expect((await contextOf({ enqueuedAt })).ctx.enqueuedAt).toEqual(expected);
  });

  it("logs with the task's path, id and attempt, which the task's own fields may add to", async () => {
    const { ctx, lines } = await contextOf({ attempt: 2 });
    for (const level of ["debug", "info", "warn", "error"] as const) ctx.logger[level]("hello", { more: true });
    ctx.logger.info("hello");
    const fields = { task: "x.a", taskId: "task-1", attempt: 2 };
    expect(lines).toEqual([
      ...["debug", "info", "warn", "error"].map((level) => ({
        level,
        message: "hello",
        fields: { ...fields, more: true },
      })),
      { level: "info", message: "hello", fields },
    ]);
  });

  it("has one signal, which is the same whenever it is looked at", async () => {
    const { ctx } = await contextOf({});
    expect(ctx.signal).toBe(ctx.signal);
    expect(ctx.signal.aborted).toBe(false);
  });
});
