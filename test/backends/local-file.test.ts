import { existsSync, statSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { local } from "../../src/backends/local.ts";
import { Discard, isTasksError, type TasksErrorCode } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { TaskContractOptions } from "../../src/core/route-options.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { openJournalFile } from "../../src/engine/journal-file.ts";
import { killedNow, queueFile } from "../support/queue-file.ts";
import { closeScenes, createScene } from "./scene.ts";

closeScenes();

/** A client on a file. */
function open(file: string, routes: readonly TaskRoute<string>[], clock = new VirtualClock()) {
  const scene = createScene({ backend: local({ file }) }, clock);
  const tasks = scene.adopt(createTasks({ ...scene.options, routes }));
  return { ...scene, tasks };
}

async function expectRefusal(refused: () => Promise<unknown>, code: TasksErrorCode, text: RegExp): Promise<void> {
  const error = await refused().catch((thrown: unknown) => thrown);
  expect(isTasksError(error) ? error.code : error).toBe(code);
  expect(String(error)).toMatch(text);
}

type Settings = Omit<TaskContractOptions<string, object, unknown>, "path" | "payload" | "schedulePayload">;

/** A route, and what its runs were given. */
function recorded(path: string, body: () => unknown = () => {}, options: Settings = {}) {
  const runs: { id: string; payload: object; attempt: number }[] = [];
  const route = new TaskRoute({
    path,
    ...options,
    run: (payload: object, { taskId: id, attempt }) => {
      runs.push({ id, payload, attempt });
      return body();
    },
  });
  return { route, runs };
}

describe("tasks of one ordering key on a file", () => {
  it("keep their order over a kill", async () => {
    const file = queueFile();
    const before = recorded("x.task", () => new Promise(() => {}), { ordered: true });
    const first = open(file, [before.route]);
    for (const id of ["1", "2", "3"]) await first.tasks.enqueue(before.route, {}, { id, orderingKey: "user-42" });
    await first.clock.advance(0);
    expect(before.runs.map(({ id }) => id)).toEqual(["1"]);
    const after = recorded("x.task", () => {}, { ordered: true });
    const second = open(killedNow(file), [after.route]);
    await second.tasks.start();
    await second.recorder.outcomes(3, "done");
    expect(after.runs.map(({ id }) => id)).toEqual(["1", "2", "3"]);
  });
});

describe("a task on a file", () => {
  it("is there after the process was killed, once enqueue has resolved", async () => {
    const file = queueFile();
    const before = recorded("x.task");
    const first = open(file, [before.route]);
    const { id } = await first.tasks.enqueue(before.route, { n: 1, text: "Zoë \u0000 \ud83d\ude00" }, { delay: 60 });
    const after = recorded("x.task");
    const second = open(killedNow(file), [after.route]);
    await second.tasks.start();
    await second.clock.advance(59_999);
    expect(after.runs).toEqual([]);
    await second.clock.advance(1);
    expect(after.runs).toMatchObject([{ id, payload: { n: 1, text: "Zoë \u0000 \ud83d\ude00" }, attempt: 1 }]);
    expect(before.runs).toEqual([]);
  });

  it("is not there when the process was killed before enqueue had resolved, and nobody was told otherwise", async () => {
    const file = queueFile();
    const before = recorded("x.task");
    const first = open(file, [before.route]);
    await first.tasks.start();
    const enqueuing = first.tasks.enqueue(before.route);
    const killed = killedNow(file);
    await enqueuing;
    const after = recorded("x.task");
    const second = open(killed, [after.route]);
    await second.tasks.start();
    await second.clock.advance(60_000);
    expect(after.runs).toEqual([]);
  });

  it("comes again when the process was killed while it ran, and not when it had ended", async () => {
    const file = queueFile();
    const before = recorded("x.task", () => new Promise(() => {}));
    const ended = recorded("x.ended");
    const first = open(file, [before.route, ended.route]);
    await first.tasks.enqueue(before.route);
    const run = await first.tasks.enqueue(ended.route);
    await run.outcome();
    expect([before.runs.length, ended.runs.length]).toEqual([1, 1]);
    const again = [recorded("x.task"), recorded("x.ended")] as const;
    const second = open(
      killedNow(file),
      again.map(({ route }) => route),
    );
    await second.tasks.start();
    await second.clock.advance(0);
    expect(again[0].runs).toMatchObject([{ attempt: 1 }]);
    expect(again[1].runs).toEqual([]);
  });

  it("keeps its attempts and the moment of its next one", async () => {
    const file = queueFile();
    const options = { minRetryDelay: 10, maxRetryDelay: 100 };
    const failing = () => Promise.reject(new Error("boom"));
    const before = recorded("x.task", failing, options);
    const first = open(file, [before.route]);
    await first.tasks.enqueue(before.route);
    await first.clock.advance(10_000);
    expect(before.runs.map(({ attempt }) => attempt)).toEqual([1, 2]);
    const after = recorded("x.task", failing, options);
    const second = open(killedNow(file), [after.route], new VirtualClock(new Date(first.clock.now())));
    await second.tasks.start();
    await second.clock.advance(19_999);
    expect(after.runs).toEqual([]);
    await second.clock.advance(1);
    await second.clock.advance(40_000);
    expect(after.runs.map(({ attempt }) => attempt)).toEqual([3, 4]);
  });

  it("is closed and opened again with all that waits, without a word of it", async () => {
    const file = queueFile();
    const before = recorded("x.task");
    const first = open(file, [before.route]);
    const waiting = await first.tasks.enqueue(before.route, {}, { delay: 60 });
    await first.tasks.close();
    expect(first.lines).toEqual([]);
    expect(await waiting.outcome()).toMatchObject({ type: "busy", reason: "draining" });
    expect(existsSync(`${file}-wal`)).toBe(false);
    const after = recorded("x.task");
    const second = open(file, [after.route], first.clock);
    await second.tasks.start();
    await second.clock.advance(60_000);
    expect(after.runs).toMatchObject([{ id: waiting.id }]);
  });

  it("does not use up an attempt when closing cuts its run short", async () => {
    const file = queueFile();
    const before = recorded("x.task", () => new Promise(() => {}), { maxAttempts: 1 });
    const first = open(file, [before.route]);
    await first.tasks.enqueue(before.route);
    const closing = first.tasks.close();
    await first.clock.advance(60_000);
    await closing;
    const after = recorded("x.task", () => {}, { maxAttempts: 1 });
    const second = open(file, [after.route], first.clock);
    await second.tasks.start();
    await second.clock.advance(60_000);
    expect(after.runs).toMatchObject([{ attempt: 1 }]);
  });
});

describe("what else is kept on a file", () => {
  it("is a dedupe key, for its window", async () => {
    const file = queueFile();
    const before = recorded("x.task");
    const first = open(file, [before.route]);
    const options = { dedupeKey: "once \ud800", dedupeWindow: 100 };
    const { id } = await first.tasks.enqueue(before.route, {}, options);
    await first.clock.advance(50_000);
    const after = recorded("x.task");
    const second = open(killedNow(file), [after.route], new VirtualClock(new Date(first.clock.now())));
    expect(await second.tasks.enqueue(after.route, {}, options)).toMatchObject({ id, deduplicated: true });
    await second.clock.advance(50_000);
    expect(await second.tasks.enqueue(after.route, {}, options)).toMatchObject({ deduplicated: false });
  });

  it("is a dead letter, to be redriven once", async () => {
    const file = queueFile();
    const before = recorded("x.task", () => Promise.reject(new Discard("no use")));
    const first = open(file, [before.route]);
    const run = await first.tasks.enqueue(before.route, { n: 1 });
    await run.outcome();
    const redriven = killedNow(file);
    const never = recorded("x.task", () => new Promise(() => {}));
    const second = open(redriven, [never.route]);
    expect(await second.tasks.deadLetters.list()).toMatchObject([{ taskId: run.id, reason: "discarded" }]);
    expect(await second.tasks.deadLetters.redrive(run.id)).toBe(true);
    const after = recorded("x.task");
    const third = open(killedNow(redriven), [after.route]);
    await third.tasks.start();
    await third.clock.advance(60_000);
    expect(await third.tasks.deadLetters.list()).toEqual([]);
    expect(after.runs).toMatchObject([{ id: run.id, payload: { n: 1 } }]);
  });

  it("is that a dead letter was dropped", async () => {
    const file = queueFile();
    const before = recorded("x.task", () => Promise.reject(new Discard("no use")));
    const first = open(file, [before.route]);
    const run = await first.tasks.enqueue(before.route);
    await run.outcome();
    expect(await first.tasks.deadLetters.drop(run.id)).toBe(true);
    const second = open(killedNow(file), [recorded("x.task").route]);
    expect(await second.tasks.deadLetters.list()).toEqual([]);
  });

  it("is a task whose route is gone, until the route is back", async () => {
    const file = queueFile();
    const gone = recorded("x.gone");
    const first = open(file, [gone.route]);
    const { id } = await first.tasks.enqueue(gone.route, {}, { delay: 10 });
    await first.tasks.enqueue(gone.route, {}, { delay: 10 });
    await first.tasks.close();
    const other = recorded("x.other");
    const second = open(file, [other.route], first.clock);
    await second.tasks.start();
    expect(second.lines).toMatchObject([{ level: "warn", fields: { waiting: ["x.gone (2)"] } }]);
    await second.tasks.close();
    const back = recorded("x.gone");
    const third = open(file, [back.route, other.route], first.clock);
    await third.tasks.start();
    await third.clock.advance(60_000);
    expect(back.runs.map((run) => run.id)).toContain(id);
    expect([back.runs.length, third.lines.length]).toEqual([2, 0]);
  });
});

describe("a schedule on a file", () => {
  const hourly = { schedule: "0 * * * *" };

  it.each([
    ["none that was missed when none was", "2026-01-01T01:20:00Z", []],
    ["the one that was missed", "2026-01-01T02:20:00Z", ["02:00"]],
    ["the latest of several that were missed", "2026-01-01T05:20:00Z", ["05:00"]],
  ])("makes up for %s", async (_, restart, made) => {
    const file = queueFile();
    const before = ticking("x.hourly", hourly);
    const first = open(file, [before.route], new VirtualClock(new Date("2026-01-01T00:10:00Z")));
    await first.tasks.start();
    await first.clock.advance(3_600_000);
    expect(before.ticks).toEqual(["01:00"]);
    await first.tasks.close();
    const after = ticking("x.hourly", hourly);
    const second = open(file, [after.route], new VirtualClock(new Date(restart)));
    await second.tasks.start();
    await second.clock.advance(0);
    expect(after.ticks).toEqual(made);
    await second.clock.advance(3_600_000);
    expect(after.ticks).toHaveLength(made.length + 1);
  });

  it("makes up for nothing under another expression, or the first time", async () => {
    const file = queueFile();
    for (const [at, schedule] of [
      ["2026-01-01T00:10:00Z", "0 * * * *"],
      ["2026-01-01T05:10:00Z", "5 * * * *"],
    ] as const) {
      const task = ticking("x.hourly", { schedule });
      const { tasks, clock } = open(file, [task.route], new VirtualClock(new Date(at)));
      await tasks.start();
      await clock.advance(60_000);
      await tasks.close();
      expect(task.ticks).toEqual([]);
    }
  });

  it("has its run once, when the process was killed with the tick in the file", async () => {
    const file = queueFile();
    const before = ticking("x.hourly", hourly, () => new Promise(() => {}));
    const first = open(file, [before.route], new VirtualClock(new Date("2026-01-01T00:59:59Z")));
    await first.tasks.start();
    await first.clock.advance(1000);
    expect(before.ticks).toEqual(["01:00"]);
    const after = ticking("x.hourly", hourly);
    const second = open(killedNow(file), [after.route], new VirtualClock(new Date("2026-01-01T01:30:00Z")));
    await second.tasks.start();
    await second.clock.advance(0);
    expect(after.ticks).toEqual(["01:00"]);
  });

  it("skips a tick while the run of the one before it waits in the file", async () => {
    const file = queueFile();
    const options = { ...hourly, minRetryDelay: 600, maxRetryDelay: 600, maxAttempts: 100 };
    const failing = () => Promise.reject(new Error("boom"));
    const first = open(
      file,
      [ticking("x.hourly", options, failing).route],
      new VirtualClock(new Date("2026-01-01T00:59:59Z")),
    );
    await first.tasks.start();
    await first.clock.advance(1000);
    await first.tasks.close();
    const after = ticking("x.hourly", options, failing);
    const second = open(file, [after.route], new VirtualClock(new Date("2026-01-01T01:30:00Z")));
    await second.tasks.start();
    await second.clock.advance(3_600_000);
    expect(new Set(after.ticks)).toEqual(new Set(["01:00"]));
    expect(second.recorder.finished.filter(({ outcome }) => outcome.type === "skipped")).toHaveLength(1);
  });
});

/** A scheduled route, and the ticks that its runs stood for, as hour and minute. */
function ticking(path: string, options: { schedule: string }, body: () => unknown = () => {}) {
  const ticks: string[] = [];
  const route = new TaskRoute({
    path,
    ...options,
    run: (_payload, { scheduledFor }) => {
      ticks.push(scheduledFor?.toISOString().slice(11, 16) ?? "none");
      return body();
    },
  });
  return { route, ticks };
}

describe("what a file does not keep", () => {
  it("is a result: whoever meets the key of a task that ended in an earlier process is told so", async () => {
    const file = queueFile();
    const first = open(file, [recorded("x.task").route]);
    const run = await first.tasks.enqueue(recorded("x.task").route, {}, { dedupeKey: "once" });
    await run.outcome();
    const second = open(killedNow(file), [recorded("x.task").route]);
    const again = await second.tasks.enqueue(recorded("x.task").route, {}, { dedupeKey: "once" });
    expect(again).toMatchObject({ id: run.id, deduplicated: true });
    await expectRefusal(() => again.outcome(), "UNSUPPORTED", /ended in an earlier one, whose result was not kept/);
  });

  it("is the time of a clock that was ahead: schedules go on from now", async () => {
    const file = queueFile();
    const hourly = () => ticking("x.hourly", { schedule: "0 * * * *" });
    const ahead = open(file, [hourly().route], new VirtualClock(new Date("2030-01-01T00:10:00Z")));
    await ahead.tasks.start();
    await ahead.clock.advance(3_600_000);
    await ahead.tasks.close();
    const right = hourly();
    const second = open(file, [right.route], new VirtualClock(new Date("2026-01-01T00:10:00Z")));
    await second.tasks.start();
    await second.clock.advance(3_600_000);
    expect(right.ticks).toEqual(["01:00"]);
  });

  it("is room that nothing needs any more", async () => {
    const file = queueFile();
    const before = recorded("x.task");
    const first = open(file, [before.route]);
    const items = Array.from({ length: 5000 }, () => ({ payload: { text: "x".repeat(2000) } }));
    const { accepted } = await first.tasks.enqueueMany(before.route, items);
    await Promise.all(accepted.map((run) => run.outcome()));
    await first.tasks.close();
    expect(statSync(file).size).toBeLessThan(100_000);
  });
});

describe("clients of one process on one file", () => {
  it("share an engine, each for its own routes", async () => {
    const file = queueFile();
    const clock = new VirtualClock();
    const [a, b] = [recorded("x.a"), recorded("x.b")];
    const first = open(file, [a.route], clock);
    const second = open(file, [b.route], clock);
    await first.tasks.enqueue(a.route);
    await second.tasks.enqueue(b.route);
    await clock.advance(0);
    expect([a.runs.length, b.runs.length]).toEqual([1, 1]);
    await first.tasks.close();
    await second.tasks.enqueue(b.route);
    await clock.advance(0);
    expect(b.runs).toHaveLength(2);
  });

  it("take over what waits from an earlier evaluation of the same routes", async () => {
    const file = queueFile();
    const clock = new VirtualClock();
    const [old, renewed] = [recorded("x.a"), recorded("x.a")];
    const first = open(file, [old.route], clock);
    await first.tasks.enqueue(old.route, {}, { delay: 10 });
    const second = open(file, [renewed.route], clock);
    await second.tasks.start();
    await first.tasks.close();
    await clock.advance(10_000);
    expect([old.runs.length, renewed.runs.length]).toEqual([0, 1]);
  });

  it("take over nothing from a later evaluation of the same routes, whichever is used first", async () => {
    const file = queueFile();
    const clock = new VirtualClock();
    const [old, renewed] = [recorded("x.a"), recorded("x.a")];
    const first = open(file, [old.route], clock);
    const second = open(file, [renewed.route], clock);
    await second.tasks.start();
    expect(await first.tasks.deadLetters.list()).toEqual([]);
    await first.tasks.enqueue(old.route);
    await first.tasks.close();
    await clock.advance(0);
    expect([old.runs.length, renewed.runs.length]).toEqual([0, 1]);
  });

  it("leave what a later evaluation no longer lists waiting, and say so", async () => {
    const file = queueFile();
    const clock = new VirtualClock();
    const [kept, removed] = [recorded("x.kept"), recorded("x.removed")];
    const first = open(file, [kept.route, removed.route], clock);
    await first.tasks.enqueue(removed.route, {}, { delay: 10 });
    const second = open(file, [recorded("x.kept").route], clock);
    await second.tasks.start();
    await clock.advance(60_000);
    expect(removed.runs).toEqual([]);
    expect(second.lines).toMatchObject([
      { level: "warn", fields: { left: ["x.removed"] } },
      { level: "warn", fields: { waiting: ["x.removed (1)"] } },
    ]);
    await open(file, [removed.route], clock).tasks.start();
    await clock.advance(0);
    expect(removed.runs).toHaveLength(1);
  });

  it("may spell its name in different ways", async () => {
    const file = queueFile();
    const link = `${file}-link`;
    symlinkSync(dirname(file), link);
    const clock = new VirtualClock();
    const [a, b] = [recorded("x.a"), recorded("x.b")];
    const first = open(file, [a.route], clock);
    await first.tasks.start();
    const second = open(join(link, basename(file)), [b.route], clock);
    await second.tasks.enqueue(b.route);
    await clock.advance(0);
    expect(b.runs).toHaveLength(1);
  });

  it("follow each other at once: a new one need not wait until the old one has closed", async () => {
    const file = queueFile();
    const clock = new VirtualClock();
    const old = recorded("x.a");
    const first = open(file, [old.route], clock);
    await first.tasks.enqueue(old.route, {}, { delay: 10 });
    for (let turns = 0; turns < 12; turns++) {
      const closing = open(file, [old.route], clock);
      await closing.tasks.start();
      const closed = closing.tasks.close();
      for (let each = 0; each < turns; each++) await Promise.resolve();
      await open(file, [old.route], clock).tasks.start();
      await closed;
    }
    await clock.advance(10_000);
    expect(old.runs).toHaveLength(1);
  });

  it("are told when their options are not those of the first, and refused when these are wrong", async () => {
    const file = queueFile();
    const clock = new VirtualClock();
    await open(file, [recorded("x.a").route], clock).tasks.start();
    const scene = createScene({ backend: local({ file, maxInFlight: 1, synchronous: "full" }) }, clock);
    await scene.adopt(createTasks({ ...scene.options, routes: [recorded("x.b").route] })).start();
    expect(scene.lines).toMatchObject([{ level: "warn", fields: { wanted: expect.stringContaining('"full"') } }]);
    const wrong = createScene({ backend: local({ file, maxInFlight: 0 }) }, clock);
    const tasks = createTasks({ ...wrong.options, routes: [recorded("x.c").route] });
    await expectRefusal(async () => tasks.start(), "INVALID_OPTION", /expected maxInFlight/);
  });

  it("give the file back when the last of them is closed", async () => {
    const file = queueFile();
    const clock = new VirtualClock();
    const first = open(file, [recorded("x.a").route], clock);
    const second = open(file, [recorded("x.b").route], clock);
    await first.tasks.start();
    await second.tasks.start();
    await first.tasks.close();
    expect(existsSync(`${file}-wal`)).toBe(true);
    await second.tasks.close();
    expect(existsSync(`${file}-wal`)).toBe(false);
  });

  it("have one clock", async () => {
    const file = queueFile();
    await open(file, [recorded("x.a").route]).tasks.start();
    const { tasks } = open(file, [recorded("x.b").route]);
    await expectRefusal(async () => tasks.start(), "INVALID_CONFIG", /expected one clock for all its clients/);
  });
});

describe("a file in production", () => {
  it("is not taken for durable: a container's disk may be its memory", () => {
    const backend = local({ file: queueFile(), allowInProduction: true });
    const env = { K_SERVICE: "shop", TASKS_NAMESPACE: "shop" };
    const tasks = createTasks({ routes: [recorded("x.a").route], backend, env, clock: new VirtualClock() });
    expect(tasks.runtime.backend.capabilities.durable).toBe(false);
  });
});

describe("a file that cannot be opened after all", () => {
  it("is let go of", async () => {
    const file = queueFile();
    await open(file, [recorded("x.a").route]).tasks.close();
    openJournalFile(file, "normal").close();
    const database = new DatabaseSync(file);
    database.exec("INSERT INTO letters VALUES ('key', 'not JSON')");
    database.close();
    for (let attempt = 0; attempt < 2; attempt++) {
      const { tasks } = open(file, [recorded("x.a").route]);
      await expectRefusal(async () => tasks.start(), "INVALID_CONFIG", /expected the content of a queue/);
    }
  });

  it.each([":memory:", "file:queue.db?mode=memory", ""])("is refused as no path: %j", async (file) => {
    const { tasks } = open(file, [recorded("x.a").route]);
    await expectRefusal(async () => tasks.start(), "INVALID_OPTION", /expected file to be/);
  });

  it("is not opened by a client that is closed", async () => {
    const file = queueFile();
    const { tasks } = open(file, [recorded("x.a").route]);
    await tasks.close();
    await expectRefusal(async () => tasks.start(), "CLOSED", /expected an open one/);
    expect(existsSync(file)).toBe(false);
  });
});
