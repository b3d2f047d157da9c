import { beforeEach, describe, expect, it } from "vitest";
import { TaskRoute, VirtualClock } from "../../src/index.ts";
import { createTestTasks } from "../../src/testing/index.ts";
import { openPostOffice, type PostOffice } from "./post-office.ts";

let office: PostOffice;
beforeEach(() => {
  office = openPostOffice();
});

const open = () => createTestTasks({ routes: [office.sendMail, office.report] });

describe("runSchedule", () => {
  it("delivers a tick now, with its payload, and tells what came of it", async () => {
    const tasks = open();
    await tasks.advance(90);
    const delivered = await tasks.runSchedule(office.report);
    expect(delivered).toMatchObject({
      path: "reports.report",
      payload: {},
      taskId: "scheduled-dev--app--reports.report-20260101T000130Z",
      scheduledFor: new Date("2026-01-01T00:01:30Z"),
      outcome: { type: "done", result: "2026-01-01T00:01:30.000Z" },
    });
    expect(tasks.delivered).toEqual([delivered]);
    expect(tasks.enqueued).toEqual([]);
  });

  it("is one tick that fires twice, when called twice at one moment", async () => {
    const tasks = open();
    const first = await tasks.runSchedule(office.report);
    const second = await tasks.runSchedule(office.report);
    expect(second.taskId).toBe(first.taskId);
    expect(second.messageId).not.toBe(first.messageId);
  });

  it("is skipped while the tick before it is unfinished", async () => {
    const failing = new TaskRoute({
      path: "failing",
      schedule: "0 9 * * *",
      run: () => {
        throw new Error("boom");
      },
    });
    const skipped: string[] = [];
    const tasks = createTestTasks({
      routes: [failing],
      hooks: { finished: ({ outcome }) => void (outcome.type === "skipped" && skipped.push(outcome.reason)) },
    });
    expect((await tasks.runSchedule(failing)).outcome.type).toBe("failed");
    expect((await tasks.runSchedule(failing)).outcome).toEqual({ type: "skipped", reason: "overlap" });
    expect(skipped).toEqual(["overlap"]);
    expect(tasks.delivered.length).toBe(1);
  });

  it("refuses a route without a schedule", async () => {
    await expect(open().runSchedule(office.sendMail)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: 'runSchedule: expected a route with a schedule and a body, got "mail.sendMail"; enqueue it instead',
    });
  });
});

describe("time that a test moves", () => {
  it("lets schedules tick, each at its moment, in deliverUntil", async () => {
    const tasks = open();
    const delivered = await tasks.deliverUntil(new Date("2026-01-01T03:00:00Z"));
    expect(delivered.map(({ at, scheduledFor }) => [at, scheduledFor])).toEqual(
      ["01", "02", "03"].map((hour) => {
        const tick = new Date(`2026-01-01T${hour}:00:00Z`);
        return [tick, tick];
      }),
    );
  });

  it("lets them tick in advance, where one that waits keeps the next from being sent", async () => {
    const tasks = open();
    await tasks.advance(3 * 3600);
    expect(tasks.pending).toMatchObject([{ path: "reports.report", scheduledFor: new Date("2026-01-01T01:00:00Z") }]);
    expect((await tasks.deliverNext()).outcome).toEqual({ type: "done", result: "2026-01-01T01:00:00.000Z" });
  });

  it("leaves ticks out in deliverAll, which follows what was enqueued", async () => {
    const tasks = open();
    await tasks.advance(0);
    await tasks.enqueue(office.sendMail, { to: "ada" }, { delay: 7200 });
    expect((await tasks.deliverAll()).map(({ path }) => path)).toEqual(["mail.sendMail"]);
    expect((await tasks.deliverUntil(new Date("2026-01-01T03:00:00Z"))).map(({ at }) => at)).toEqual([
      new Date("2026-01-01T03:00:00Z"),
    ]);
  });

  it("keeps to the zone of a schedule when its clocks change", async () => {
    const nightly = new TaskRoute({
      path: "nightly",
      schedule: "30 2 * * *",
      scheduleTimezone: "Europe/Berlin",
      run: () => {},
    });
    const tasks = createTestTasks({
      routes: [nightly],
      clock: new VirtualClock(new Date("2026-10-23T12:00:00Z")),
    });
    await tasks.deliverUntil(new Date("2026-10-26T12:00:00Z"));
    expect(tasks.delivered.map(({ at }) => at.toISOString())).toEqual([
      "2026-10-24T00:30:00.000Z",
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z",
    ]);
  });

  it("does not deliver a tick before its moment, nor leave one out, next to a long wait of another task", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "ada" }, { delay: 5400 });
    await tasks.deliverUntil(new Date("2026-01-01T02:00:00Z"));
    expect(tasks.delivered.map(({ path, at }) => [path, at.toISOString().slice(11, 16)])).toEqual([
      ["reports.report", "01:00"],
      ["mail.sendMail", "01:30"],
      ["reports.report", "02:00"],
    ]);
  });
});
