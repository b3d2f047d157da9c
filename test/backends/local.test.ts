import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type LocalOptions, local } from "../../src/backends/local.ts";
import type { BackendFactory } from "../../src/core/backend.ts";
import { Busy, isTasksError, RetryAfter } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { leftovers } from "./leftovers.ts";
import { closeScenes, createScene } from "./scene.ts";

closeScenes();
const scene = (options?: LocalOptions) => createScene({ backend: local(options) }, new VirtualClock());
const caught = (promise: Promise<unknown>): Promise<unknown> => promise.then(undefined, (error: unknown) => error);

/** A body that throws these in turn, and then returns `"done"`; it keeps when each attempt ran, in seconds. */
function failing(clock: VirtualClock, ...errors: readonly unknown[]) {
  const start = clock.now();
  const ran: { attempt: number; at: number }[] = [];
  const run = async (_payload: object, { attempt }: { readonly attempt: number }): Promise<string> => {
    ran.push({ attempt, at: (clock.now() - start) / 1000 });
    if (ran.length <= errors.length) throw errors[ran.length - 1];
    return "done";
  };
  return { ran, run };
}

const boom = new Error("boom");

describe("a task on the local backend", () => {
  it("is retried with its route's back-off, and told its attempt", async () => {
    const { options, adopt, clock } = scene();
    const { ran, run } = failing(clock, boom, boom, boom);
    const task = new TaskRoute({ path: "x.task", minRetryDelay: 10, maxRetryDelay: 30, run });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await tasks.enqueue(task);
    await clock.advance(3_600_000);
    expect(ran).toEqual([
      { attempt: 1, at: 0 },
      { attempt: 2, at: 10 },
      { attempt: 3, at: 30 },
      { attempt: 4, at: 60 },
    ]);
  });

  it("is run again when it asks to be, and counts that as an attempt; Busy does not count", async () => {
    const { options, adopt, clock } = scene();
    const { ran, run } = failing(clock, new RetryAfter(100), new Busy("later", { retryAfter: 5 }), new RetryAfter(0));
    const task = new TaskRoute({ path: "x.task", run });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await tasks.enqueue(task);
    await clock.advance(3_600_000);
    expect(ran).toEqual([
      { attempt: 1, at: 0 },
      { attempt: 2, at: 100 },
      { attempt: 2, at: 105 },
      { attempt: 3, at: 105 },
    ]);
  });

  it("is parked after its last attempt, even if it asks for another", async () => {
    const { options, adopt, clock } = scene();
    const { ran, run } = failing(clock, boom, new RetryAfter(1), boom);
    const task = new TaskRoute({ path: "x.task", maxAttempts: 2, run });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const { id } = await tasks.enqueue(task, { customer: "c-1" });
    await clock.advance(3_600_000);
    expect(ran).toHaveLength(2);
    expect(await tasks.deadLetters.list()).toMatchObject([
      {
        taskId: id,
        kwargs: { customer: "c-1" },
        reason: "exhausted",
        error: "RetryAfter: retry after 1 s",
        attempts: 2,
      },
    ]);
  });

  it("has its attempts counted from the start when it is redriven", async () => {
    const { options, adopt, clock } = scene();
    const { ran, run } = failing(clock, boom, boom, boom);
    const task = new TaskRoute({ path: "x.task", maxAttempts: 2, minRetryDelay: 0, run });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const { id } = await tasks.enqueue(task);
    await clock.advance(60_000);
    expect(await tasks.deadLetters.redrive(id)).toBe(true);
    await clock.advance(60_000);
    expect(ran.map(({ attempt }) => attempt)).toEqual([1, 2, 1, 2]);
    expect(await tasks.deadLetters.list()).toEqual([]);
  });

  it("waits while its schema refuses what an older deployment enqueued, and runs once it takes it", async () => {
    const { options, adopt, clock, recorder } = scene();
    let takes = true;
    const payload = z.object({ id: z.string() }).refine(() => takes);
    const task = new TaskRoute({ path: "x.task", payload, run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await tasks.enqueue(task, { id: "1" });
    takes = false;
    await clock.advance(600_000);
    takes = true;
    await clock.advance(600_000);
    const ends = recorder.finished.map(({ attempt, outcome }) => [attempt, outcome.type]);
    expect(ends.length).toBeGreaterThan(2);
    expect(ends.slice(0, -1).every(([attempt, type]) => attempt === 1 && type === "rejected")).toBe(true);
    expect(ends.at(-1)).toEqual([1, "done"]);
  });

  it("has failed when its ack deadline is near, and is run again", async () => {
    const { options, adopt, clock, recorder } = scene();
    const aborted: number[] = [];
    const start = clock.now();
    const task = new TaskRoute({
      path: "x.task",
      ackDeadline: 100,
      maxAttempts: 2,
      run: (_payload, { signal }) => {
        signal.addEventListener("abort", () => aborted.push((clock.now() - start) / 1000));
        return new Promise(() => {});
      },
    });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await tasks.enqueue(task);
    await clock.advance(1_000_000);
    expect(aborted).toEqual([95, 202.5]);
    expect(recorder.finished.map(({ attempt, duration }) => [attempt, duration])).toEqual([
      [1, 97_500],
      [2, 97_500],
    ]);
    const [letter] = await tasks.deadLetters.list();
    expect(letter?.error).toContain("expected to finish within its ack deadline of 100 s");
  });
});

describe("the run of a task on the local backend", () => {
  it("has a result at the final end, after retries", async () => {
    const { options, adopt, clock } = scene();
    const { run } = failing(clock, boom, boom);
    const task = new TaskRoute({ path: "x.task", run });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const enqueued = await tasks.enqueue(task);
    const settled: unknown[] = [];
    void enqueued.result().then((result) => settled.push(result));
    await clock.advance(29_999);
    expect(settled).toEqual([]);
    await clock.advance(1);
    expect(settled).toEqual(["done"]);
    expect(await enqueued.result()).toBe("done");
  });

  it("has failed for good with what the last attempt threw", async () => {
    const { options, adopt, clock } = scene();
    const last = new Error("last");
    const { run } = failing(clock, boom, last);
    const task = new TaskRoute({ path: "x.task", maxAttempts: 2, run });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const enqueued = await tasks.enqueue(task);
    await clock.advance(60_000);
    expect(await caught(enqueued.result())).toMatchObject({ code: "TASK_FAILED", cause: last });
    expect(await enqueued.outcome()).toEqual({ type: "discarded", reason: "exhausted", error: last });
  });

  it("is waited for no longer than was asked, and can be asked again", async () => {
    const { options, adopt, clock } = scene();
    const task = new TaskRoute({ path: "x.task", run: () => "done" });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const enqueued = await tasks.enqueue(task, {}, { delay: 60 });
    const early = caught(enqueued.result({ timeout: 30 }));
    const inTime = enqueued.result({ timeout: 90 });
    await clock.advance(60_000);
    expect(isTasksError(await early, "TIMEOUT")).toBe(true);
    expect(await inTime).toBe("done");
    expect(clock.pending).toBe(0);
  });

  it("is that of the first where a key was held", async () => {
    const { options, adopt, clock } = scene();
    const task = new TaskRoute({ path: "x.task", run: ({ answer }) => answer });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const runs = [1, 2].map((answer) => tasks.enqueue(task, { answer }, { dedupeKey: "once" }));
    await clock.advance(0);
    expect(await Promise.all(runs.map(async (run) => (await run).result()))).toEqual([1, 1]);
  });
});

describe("enqueueing many where the backend fails some", () => {
  it("says which it has, and takes the others under the same ids when they are tried again", async () => {
    let open = false;
    const halfOpen: BackendFactory = (host) => {
      const { name, capabilities, deadLetters, ...backend } = pass(local()(host));
      return {
        ...backend,
        name,
        capabilities,
        deadLetters,
        send: (task) => {
          if (!open && JSON.parse(task.payloadJson).n % 2 === 1) throw new Error("no room");
          return backend.send(task);
        },
      };
    };
    const { options, adopt, clock, recorder } = createScene({ backend: halfOpen }, new VirtualClock());
    const seen: unknown[] = [];
    const task = new TaskRoute({ path: "x.task", run: ({ n }) => void seen.push(n) });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const items = [0, 1, 2, 3].map((n) => ({ payload: { n }, delay: 10 }));
    const first = await tasks.enqueueMany(task, items);
    expect(first.accepted).toHaveLength(2);
    expect(first.failed.map(({ item, error }) => [item.payload, item.delay, error.code])).toEqual([
      [{ n: 1 }, 10, "NOT_ACCEPTED"],
      [{ n: 3 }, 10, "NOT_ACCEPTED"],
    ]);
    open = true;
    const again = await tasks.enqueueMany(
      task,
      first.failed.map(({ item }) => item),
    );
    expect(again.failed).toEqual([]);
    expect(again.accepted.map(({ id }) => id)).toEqual(first.failed.map(({ item }) => item.id));
    await clock.advance(10_000);
    expect(seen.toSorted()).toEqual([0, 1, 2, 3]);
    expect(new Set(recorder.started.map(({ taskId }) => taskId)).size).toBe(4);
  });
});

/** A backend's parts as plain functions, so that one of them can be replaced. */
function pass(backend: ReturnType<BackendFactory>) {
  const { name, capabilities, deadLetters = expect.unreachable("expected dead letters") } = backend;
  return {
    name,
    capabilities,
    deadLetters,
    send: backend.send.bind(backend),
    start: async () => backend.start?.(),
    close: () => backend.close(),
  };
}

describe("closing the local backend", () => {
  it("says how many tasks were waiting, and tells whoever waits for them", async () => {
    const { options, adopt, lines } = scene();
    const task = new TaskRoute({ path: "x.task", run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const waiting = await tasks.enqueue(task, {}, { delay: 60 });
    await tasks.enqueue(task, {}, { delay: 120 });
    const result = caught(waiting.result());
    await tasks.close();
    expect(lines.filter(({ level }) => level === "warn")).toMatchObject([{ fields: { waiting: 2 } }]);
    expect(await waiting.outcome()).toMatchObject({ type: "busy", reason: "draining" });
    expect(isTasksError(await result)).toBe(true);
  });

  it("says so once, though an earlier evaluation of the same routes is closed after it", async () => {
    const { options, adopt, lines } = scene({ shared: "once" });
    const task = new TaskRoute({ path: "x.task", run: () => {} });
    const [earlier, later] = [1, 2].map(() => adopt(createTasks({ ...options, routes: [task] })));
    await earlier?.start();
    await later?.enqueue(task, {}, { delay: 60 });
    await later?.close();
    await earlier?.close();
    expect(lines.filter(({ level }) => level === "warn")).toMatchObject([{ fields: { waiting: 1 } }]);
  });

  it("says nothing when all was done, be it just now", async () => {
    const { options, adopt, recorder, lines } = scene();
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const task = new TaskRoute({
      path: "x.task",
      run: async () => {
        started.resolve();
        await release.promise;
      },
    });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await tasks.enqueue(task);
    await started.promise;
    const closing = tasks.close();
    release.resolve();
    await closing;
    expect(recorder.finished).toMatchObject([{ outcome: { type: "done" } }]);
    expect(lines).toEqual([]);
  });

  it("leaves nothing on the machine's clock: the process ends by itself", () => {
    const printed = execFileSync(process.execPath, [leftovers], { encoding: "utf8", timeout: 50_000 });
    expect(printed).toBe("timers before: yes, after: no");
  });
});
