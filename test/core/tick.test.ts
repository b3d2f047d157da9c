import { describe, expect, it } from "vitest";
import type { Delivery } from "../../src/core/delivery.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { tickId } from "../../src/core/tick.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createScene, deliver, type Scene } from "../support/scene.ts";

const run = (_payload: object, ctx: { taskId: string; scheduledFor: Date | undefined }): [string, Date | undefined] => [
  ctx.taskId,
  ctx.scheduledFor,
];

/** Delivers a scheduler's message, and tells which run it was taken for. */
async function runOf(
  schedule: readonly [expression: string, timezone?: string] | undefined,
  delivery: Partial<Delivery>,
  scene: Scene = createScene(),
): Promise<{ taskId: string; scheduledFor: string | undefined; scene: Scene }> {
  const [expression, scheduleTimezone = "UTC"] = schedule ?? [];
  const scheduling = expression === undefined ? {} : { schedule: expression, scheduleTimezone };
  const tasks = createTasks({ ...scene.options, routes: [new TaskRoute({ path: "x.report", run, ...scheduling })] });
  const outcome = await deliver(tasks, {
    taskName: "report",
    taskId: "scheduled-report",
    scheduled: true,
    enqueuedAt: undefined,
    messageId: "message-1",
    ...delivery,
  });
  const [taskId, scheduledFor] = (outcome as { result: [string, Date | undefined] }).result;
  return { taskId, scheduledFor: scheduledFor?.toISOString(), scene };
}

const published = (time: string): Partial<Delivery> => ({ publishTime: time });

describe("a scheduler's message", () => {
  const daily = ["0 9 * * *"] as const;
  const london = ["0 9 * * *", "Europe/London"] as const;
  const gap = ["30 1 * * *", "Europe/London"] as const;
  const ticks: readonly [schedule: readonly [string, string?], published: string, tick: string | undefined][] = [
    [daily, "2026-01-02T09:00:00Z", "2026-01-02T09:00:00.000Z"],
    [daily, "2026-01-02T09:00:00.749Z", "2026-01-02T09:00:00.000Z"],
    [daily, "2026-01-02T09:01:00Z", "2026-01-02T09:00:00.000Z"],
    [daily, "2026-01-02T09:01:00.001Z", undefined],
    [daily, "2026-01-02T08:59:59.999Z", undefined],
    [daily, "2026-01-02T15:30:00Z", undefined],
    [["* * * * *"], "2026-01-02T09:00:30Z", "2026-01-02T09:00:00.000Z"],
    [["* * * * *"], "2026-01-02T09:00:31Z", undefined],
    [london, "2026-01-02T09:00:05Z", "2026-01-02T09:00:00.000Z"],
    [london, "2026-07-02T08:00:05Z", "2026-07-02T08:00:00.000Z"],
    [london, "2026-07-02T09:00:05Z", undefined],
    // Clocks go forward at 01:00 UTC: 01:30 does not exist that day, and ticks at the change.
    [gap, "2026-03-29T01:00:05Z", "2026-03-29T01:00:00.000Z"],
    // Clocks go back at 01:00 UTC: 01:30 comes twice, and ticks the first time.
    [gap, "2026-10-25T00:30:05Z", "2026-10-25T00:30:00.000Z"],
    [gap, "2026-10-25T01:30:05Z", undefined],
    [["30 * * * *", "Europe/London"], "2026-10-25T01:30:05Z", "2026-10-25T01:30:00.000Z"],
  ];

  it.each(ticks)("of %j published at %s stands for the tick %s", async (schedule, time, tick) => {
    const { taskId, scheduledFor } = await runOf(schedule, published(time));
    expect(scheduledFor).toBe(tick);
    if (tick === undefined) expect(taskId).toBe("message-1");
    else expect(taskId).toMatch(/^scheduled-dev--app--x\.report-\d{8}T\d{6}Z$/);
  });

  it("that is fired twice for one tick is one run", async () => {
    const first = await runOf(daily, { ...published("2026-01-02T09:00:01Z"), messageId: "1" });
    const again = await runOf(daily, { ...published("2026-01-02T09:00:04Z"), messageId: "2" });
    expect(first.taskId).toBe("scheduled-dev--app--x.report-20260102T090000Z");
    expect(again.taskId).toBe(first.taskId);
  });

  it("of another tick is another run", async () => {
    const first = await runOf(daily, published("2026-01-02T09:00:01Z"));
    const next = await runOf(daily, published("2026-01-03T09:00:01Z"));
    expect(next.taskId).not.toBe(first.taskId);
  });

  it("sent by hand is a run of its own, and so is the next one", async () => {
    const byHand = published("2026-01-02T12:00:00Z");
    const first = await runOf(daily, { ...byHand, messageId: "1" });
    const second = await runOf(daily, { ...byHand, messageId: "2" });
    expect([first.taskId, second.taskId]).toEqual(["1", "2"]);
  });

  it("that says its tick is taken at its word, whenever it was published", async () => {
    const scheduledFor = new Date("2026-01-02T09:00:00Z");
    const told = await runOf(daily, { ...published("2026-01-02T11:00:00Z"), scheduledFor });
    const fired = await runOf(daily, published("2026-01-02T09:00:01Z"));
    expect(told).toMatchObject({ taskId: fired.taskId, scheduledFor: scheduledFor.toISOString() });
  });

  it.each([
    ["without a publish time", daily, {}],
    ["for a route without a schedule", undefined, published("2026-01-02T09:00:01Z")],
  ])("%s is known by its message id", async (_what, schedule, delivery) => {
    expect(await runOf(schedule, delivery)).toMatchObject({ taskId: "message-1", scheduledFor: undefined });
  });

  it("is known by its message id while the environment is wrong, and that is logged", async () => {
    const broken = createScene({ env: { TASKS_ENVIRONMENT: "prod" } });
    const { taskId, scene } = await runOf(daily, published("2026-01-02T09:00:01Z"), broken);
    expect(taskId).toBe("message-1");
    expect(scene.lines).toMatchObject([{ level: "warn", fields: { task: "x.report" } }]);
  });
});

describe("the id of a tick", () => {
  const route = new TaskRoute({ path: "x.report", run, schedule: "0 9 * * *" });
  const other = new TaskRoute({ path: "y.report", run, schedule: "0 9 * * *" });
  const naming = { environment: "prod", namespace: "shop" };
  const tick = new Date("2026-01-02T09:00:00Z");

  it("differs by environment, namespace, route and moment", () => {
    const ids = [
      tickId(naming, route, tick),
      tickId({ ...naming, environment: "staging" }, route, tick),
      tickId({ ...naming, namespace: "till" }, route, tick),
      tickId(naming, other, tick),
      tickId(naming, route, new Date("2026-01-02T09:01:00Z")),
    ];
    expect(ids[0]).toBe("scheduled-prod--shop--x.report-20260102T090000Z");
    expect(new Set(ids).size).toBe(5);
  });
});
