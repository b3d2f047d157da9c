import { rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it, vi } from "vitest";
import { local } from "../../src/backends/local.ts";
import { Discard, isTasksError } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { killedNow, queueFile } from "../support/queue-file.ts";
import { closeScenes, createScene } from "./scene.ts";

closeScenes();
afterEach(() => vi.restoreAllMocks());

/** Lets every commit fail from now on, as on a full disk, until the function that is returned is called. */
function fillDisk(): () => void {
  const exec = DatabaseSync.prototype.exec;
  const spy = vi.spyOn(DatabaseSync.prototype, "exec").mockImplementation(function (this: DatabaseSync, sql) {
    if (sql === "COMMIT") throw new Error("database or disk is full");
    exec.call(this, sql);
  });
  return () => spy.mockRestore();
}

function open(file: string, run: () => unknown = () => {}) {
  const scene = createScene({ backend: local({ file }) }, new VirtualClock());
  const runs: string[] = [];
  const task = new TaskRoute({
    path: "x.task",
    minRetryDelay: 1,
    run: (_payload, { taskId }) => {
      runs.push(taskId);
      return run();
    },
  });
  return { ...scene, task, runs, tasks: scene.adopt(createTasks({ ...scene.options, routes: [task] })) };
}

describe("a local queue whose file cannot be written", () => {
  it("takes no task, says so, and takes the next one when it can again", async () => {
    const file = queueFile();
    const { tasks, task, runs, clock, lines } = open(file);
    await tasks.start();
    const emptyDisk = fillDisk();
    const options = { dedupeKey: "once" };
    const refusals = await Promise.all(
      ["immediate", "delayed"].map((id) =>
        tasks.enqueue(task, {}, { id, ...options }).catch((error: unknown) => isTasksError(error, "NOT_ACCEPTED")),
      ),
    );
    expect(refusals).toEqual([true, true]);
    const refused = tasks.enqueue(task, {}, { id: "delayed", delay: 10 });
    await expect(refused).rejects.toThrow("got database or disk is full; it is not enqueued, try again");
    emptyDisk();
    const run = await tasks.enqueue(task, {}, options);
    expect(run.deduplicated).toBe(false);
    await clock.advance(60_000);
    expect(runs).toEqual([run.id]);
    expect(lines.filter(({ level }) => level === "error")).toHaveLength(1);
    const next = open(killedNow(file));
    await next.tasks.start();
    await next.clock.advance(60_000);
    expect(next.runs).toEqual([]);
    expect(await next.tasks.enqueue(next.task, {}, options)).toMatchObject({ id: run.id, deduplicated: true });
  });

  it("starts nothing that it cannot write down as begun, and starts it later", async () => {
    const { tasks, task, runs, clock } = open(queueFile());
    const { id } = await tasks.enqueue(task, {}, { delay: 10 });
    const emptyDisk = fillDisk();
    await clock.advance(20_000);
    expect(runs).toEqual([]);
    emptyDisk();
    await clock.advance(2000);
    expect(runs).toEqual([id]);
  });

  it("writes down later what has ended meanwhile", async () => {
    const file = queueFile();
    const running = Promise.withResolvers<void>();
    const { tasks, task, runs, clock } = open(file, () => running.promise);
    await tasks.enqueue(task);
    const emptyDisk = fillDisk();
    running.resolve();
    await clock.advance(5000);
    emptyDisk();
    await clock.advance(2000);
    const next = open(killedNow(file));
    await next.tasks.start();
    await next.clock.advance(60_000);
    expect([runs.length, next.runs.length]).toEqual([1, 0]);
  });

  it("does not acknowledge a task whose dead letter it cannot write", async () => {
    const file = queueFile();
    const running = Promise.withResolvers<void>();
    const { tasks, task, runs, clock, lines } = open(file, async () => {
      await running.promise;
      throw new Discard("no use");
    });
    const { id } = await tasks.enqueue(task);
    const emptyDisk = fillDisk();
    running.resolve();
    await clock.advance(500);
    expect(await tasks.deadLetters.list()).toEqual([]);
    expect(lines.map(({ message }) => message)).toContain(
      "a dead letter could not be kept; the message is not acknowledged",
    );
    emptyDisk();
    await clock.advance(60_000);
    expect(runs).toEqual([id, id]);
    expect(await tasks.deadLetters.list()).toMatchObject([{ taskId: id }]);
    const next = open(killedNow(file));
    expect(await next.tasks.deadLetters.list()).toMatchObject([{ taskId: id }]);
  });

  it("can be closed all the same, and leaves no timer", async () => {
    const { tasks, task, clock } = open(queueFile());
    await tasks.start();
    const emptyDisk = fillDisk();
    await tasks.enqueue(task).catch(() => {});
    await tasks.close();
    emptyDisk();
    expect(clock.waiting).toBe(0);
  });

  it("says, when it is closed all the same, that not all was written", async () => {
    const { tasks, task, clock, lines } = open(queueFile());
    await tasks.enqueue(task, {}, { delay: 10 });
    const emptyDisk = fillDisk();
    await clock.advance(10_000);
    await tasks.close();
    emptyDisk();
    expect(lines.at(-1)).toMatchObject({ level: "error", message: expect.stringContaining("could not be written") });
    expect(lines.map(({ message }) => message).join()).toContain("the next process repeats what they were");
  });

  it("notices that its file was removed, and takes no task that would be gone with the process", async () => {
    const file = queueFile();
    const { tasks, task } = open(file);
    await tasks.enqueue(task, {}, { delay: 10 });
    rmSync(file);
    const now = performance.now();
    vi.spyOn(performance, "now").mockReturnValue(now + 1000);
    await expect(tasks.enqueue(task)).rejects.toThrow("expected the file that was opened, got none or another one");
    writeFileSync(file, "");
    await expect(tasks.enqueue(task)).rejects.toThrow("start the process again");
  });
});
