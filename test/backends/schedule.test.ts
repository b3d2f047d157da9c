import { describe, expect, it } from "vitest";
import { z } from "zod";
import { local } from "../../src/backends/local.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { createPushedScene } from "./pushed-scene.ts";
import { closeScenes, createScene } from "./scene.ts";
import { WatchedClock } from "./watched-clock.ts";

closeScenes();
const MINUTE = 60_000;
const at = (moment: string) => new Date(moment);

describe("a schedule on the local backend", () => {
  const scene = (start: string) => createScene({ backend: local() }, new VirtualClock(at(start)));

  it("runs its task at each tick of its time zone, through a change of clocks, with the schedule's payload", async () => {
    const { options, adopt, clock } = scene("2026-03-28T12:00:00Z");
    const seen: unknown[] = [];
    const report = new TaskRoute({
      path: "reports.daily",
      payload: z.object({ days: z.coerce.number() }),
      schedule: "0 9 * * *",
      scheduleTimezone: "Europe/London",
      schedulePayload: { days: "7" },
      run: ({ days }, { taskId, scheduledFor, enqueuedAt, attempt }) =>
        void seen.push({ days, taskId, scheduledFor, enqueuedAt, attempt, at: new Date(clock.now()) }),
    });
    const tasks = adopt(createTasks({ ...options, routes: [report] }));
    await tasks.start();
    await clock.advanceTo(at("2026-03-30T12:00:00Z"));
    const ticks = ["2026-03-29T08:00:00Z", "2026-03-30T08:00:00Z"].map(at);
    expect(seen).toEqual(
      ticks.map((tick) => ({
        days: 7,
        taskId: expect.stringContaining(tick.toISOString().slice(0, 10).replaceAll("-", "")),
        scheduledFor: tick,
        enqueuedAt: undefined,
        attempt: 1,
        at: tick,
      })),
    );
  });

  it("keeps the id of a tick's run through its retries, and has another for the next tick", async () => {
    const { options, adopt, clock } = scene("2026-01-01T00:00:30Z");
    const seen: [taskId: string, attempt: number][] = [];
    const task = new TaskRoute({
      path: "x.task",
      schedule: "* * * * *",
      minRetryDelay: 5,
      run: (_payload, { taskId, attempt }) => {
        seen.push([taskId, attempt]);
        if (attempt < 3) throw new Error("boom");
      },
    });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await tasks.start();
    await clock.advance(2 * MINUTE);
    expect(seen.map(([, attempt]) => attempt)).toEqual([1, 2, 3, 1, 2, 3]);
    expect(new Set(seen.slice(0, 3).map(([taskId]) => taskId)).size).toBe(1);
    expect(new Set(seen.map(([taskId]) => taskId)).size).toBe(2);
  });

  it.each<[overlap: "skip" | "allow" | undefined, types: string[]]>([
    ["skip", ["skipped", "skipped", "done"]],
    ["allow", ["done"]],
    [undefined, ["skipped", "skipped", "done"]],
  ])("reports the ticks that fall into a run of 2.5 minutes, with overlap %s", async (overlap, types) => {
    const { options, adopt, clock, recorder } = scene("2026-01-01T00:00:30Z");
    const task = new TaskRoute({
      path: "x.task",
      schedule: "* * * * *",
      ...(overlap === undefined ? {} : { overlap }),
      run: () => new Promise<void>((resolve) => clock.setTimeout(resolve, 2.5 * MINUTE)),
    });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await tasks.start();
    await clock.advance(3.2 * MINUTE);
    expect(recorder.finished.map(({ outcome }) => outcome.type)).toEqual(types);
    const skipped = recorder.finished.filter(({ outcome }) => outcome.type === "skipped");
    for (const event of skipped) expect(event).toMatchObject({ outcome: { reason: "overlap" }, path: "x.task" });
    expect(new Set(recorder.finished.map(({ taskId }) => taskId)).size).toBe(types.length);
    expect(recorder.started).toHaveLength(overlap === "allow" ? 3 : 1);
  });

  it("skips its ticks while it is switched off, and leaves no dead letter of them", async () => {
    const { options, adopt, clock, recorder } = scene("2026-01-01T00:00:30Z");
    const env: Record<string, string> = { REPORTS: "off" };
    const task = new TaskRoute({ path: "x.task", schedule: "* * * * *", killSwitch: "REPORTS", run: () => {} });
    const tasks = adopt(createTasks({ ...options, env, routes: [task] }));
    await tasks.start();
    await clock.advance(2 * MINUTE);
    env.REPORTS = "on";
    await clock.advance(MINUTE);
    const skipped = { type: "skipped", reason: "switched-off" };
    expect(recorder.finished.map(({ outcome }) => outcome)).toEqual([
      skipped,
      skipped,
      { type: "done", result: undefined },
    ]);
    expect(await tasks.deadLetters.list()).toEqual([]);
  });

  it("begins with the first task enqueued, once however often it is started, and ends with the client", async () => {
    const { options, adopt, clock, recorder } = scene("2026-01-01T00:00:30Z");
    const scheduled = new TaskRoute({ path: "x.scheduled", schedule: "* * * * *", run: () => {} });
    const other = new TaskRoute({ path: "x.other", run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [scheduled, other] }));
    await tasks.enqueue(other);
    await tasks.start();
    await tasks.start();
    await clock.advance(MINUTE);
    expect(recorder.started.map(({ path }) => path)).toEqual(["x.other", "x.scheduled"]);
    await tasks.close();
    expect(clock.pending).toBe(0);
    await clock.advance(MINUTE);
    expect(recorder.started).toHaveLength(2);
  });
});

describe("a schedule on the local-http backend", () => {
  const scene = (start: string) => createPushedScene({}, new WatchedClock(at(start)));

  it("begins with the push handler, and tells a tick's deliveries from those of the next", async () => {
    const { options, adopt, clock, recorder } = await scene("2026-01-01T00:00:30Z");
    const seen: [taskId: string, scheduledFor: Date | undefined, attempt: number][] = [];
    const task = new TaskRoute({
      path: "x.task",
      schedule: "* * * * *",
      overlap: "allow",
      minRetryDelay: 0,
      maxRetryDelay: 0,
      run: (_payload, { taskId, scheduledFor, attempt }) => {
        seen.push([taskId, scheduledFor, attempt]);
        if (attempt === 1) throw new Error("boom");
      },
    });
    await adopt(createTasks({ ...options, routes: [task] })).start();
    await clock.elapse(30);
    await recorder.outcomes(1, "done");
    await clock.elapse(60);
    await recorder.outcomes(2, "done");
    const [first, second] = [at("2026-01-01T00:01:00Z"), at("2026-01-01T00:02:00Z")];
    expect(seen.map(([, scheduledFor, attempt]) => [scheduledFor, attempt])).toEqual([
      [first, 1],
      [first, 2],
      [second, 1],
      [second, 2],
    ]);
    expect(new Set(seen.map(([taskId]) => taskId)).size).toBe(2);
    expect(seen[0]?.[0]).toBe(seen[1]?.[0]);
  });

  it("skips a tick while the run before it is unfinished", async () => {
    const { options, adopt, clock, recorder } = await scene("2026-01-01T00:00:30Z");
    const release = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const task = new TaskRoute({
      path: "x.task",
      schedule: "* * * * *",
      run: async () => {
        started.resolve();
        await release.promise;
      },
    });
    await adopt(createTasks({ ...options, routes: [task] })).start();
    await clock.elapse(30);
    await started.promise;
    await clock.elapse(60);
    release.resolve();
    await recorder.outcomes(2);
    expect(recorder.finished.map(({ outcome }) => outcome.type)).toEqual(["skipped", "done"]);
    expect(recorder.started).toHaveLength(1);
  });
});
