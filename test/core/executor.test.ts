import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { DeadLetterSink } from "../../src/core/dead-letter.ts";
import { Busy, Discard, RetryAfter } from "../../src/core/errors.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createScene, deliver, type Scene } from "../support/scene.ts";

const failure = new Error("broken");
const poolTimeout = new Error("timeout exceeded when trying to connect");

/** Delivers one task of at most three attempts whose body throws. */
async function outcomeOf(
  thrown: unknown,
  attempt: number,
  deadLetters?: DeadLetterSink | null,
): Promise<Scene & { outcome: Outcome }> {
  const scene = createScene(deadLetters === undefined ? {} : { deadLetters });
  const run = async (): Promise<void> => {
    throw thrown;
  };
  const tasks = createTasks({ ...scene.options, routes: [new TaskRoute({ path: "x.a", maxAttempts: 3, run })] });
  const outcome = await deliver(tasks, { taskName: "a", attempt, kwargs: { secret: "of-payload" } });
  return { ...scene, outcome };
}

describe("what a task throws", () => {
  const failed = (error: unknown, retryAfter?: number): Outcome => ({ type: "failed", error, retryAfter });
  const discard = new Discard("no such user");
  const later = new RetryAfter(7);
  const cases: readonly [what: string, thrown: unknown, attempt: number, outcome: Outcome][] = [
    ["an error", failure, 1, failed(failure)],
    ["an error before the last attempt", failure, 2, failed(failure)],
    ["an error at the last attempt", failure, 3, { type: "discarded", reason: "exhausted", error: failure }],
    ["an error beyond the last attempt", failure, 4, { type: "discarded", reason: "exhausted", error: failure }],
    ["a text", "broken", 1, failed("broken")],
    ["undefined", undefined, 1, failed(undefined)],
    ["Discard", discard, 1, { type: "discarded", reason: "discarded", error: discard }],
    ["RetryAfter", later, 1, failed(later, 7)],
    ["RetryAfter of nothing", new RetryAfter(0), 1, failed(new RetryAfter(0), 0)],
    ["RetryAfter at the last attempt", later, 3, { type: "discarded", reason: "exhausted", error: later }],
    ["Busy", new Busy(), 1, { type: "busy", reason: "task-busy", retryAfter: 10 }],
    ["Busy with a time", new Busy("", { retryAfter: 3 }), 1, { type: "busy", reason: "task-busy", retryAfter: 3 }],
    ["Busy at the last attempt", new Busy(), 3, { type: "busy", reason: "task-busy", retryAfter: 10 }],
    ["an exhausted pool", poolTimeout, 1, { type: "busy", reason: "pool-exhausted", retryAfter: 10 }],
    [
      "an exhausted pool at the last attempt",
      poolTimeout,
      3,
      { type: "busy", reason: "pool-exhausted", retryAfter: 10 },
    ],
  ];

  it.each(cases)("%s", async (_what, thrown, attempt, outcome) => {
    const { outcome: got, letters, lines } = await outcomeOf(thrown, attempt);
    expect(got).toEqual(outcome);
    expect(letters).toHaveLength(outcome.type === "discarded" ? 1 : 0);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.fields).toMatchObject({ task: "x.a", taskId: "task-1", attempt, maxAttempts: 3 });
    expect(JSON.stringify(lines)).not.toContain("of-payload");
  });

  const copies: readonly [name: string, fields: object, outcome: object][] = [
    ["Discard", {}, { type: "discarded", reason: "discarded" }],
    ["RetryAfter", { seconds: 7 }, { type: "failed", retryAfter: 7 }],
    ["RetryAfter", {}, { type: "failed", retryAfter: undefined }],
    ["Busy", { retryAfter: 3 }, { type: "busy", reason: "task-busy", retryAfter: 3 }],
    ["Busy", {}, { type: "failed" }],
  ];

  it.each(copies)(
    "is understood by its name from another copy of the package: %s with %j",
    async (name, fields, outcome) => {
      const thrown = Object.assign(new Error("from elsewhere"), { name }, fields);
      expect((await outcomeOf(thrown, 1)).outcome).toMatchObject(outcome);
    },
  );

  it("keeps all that is needed to run the task again, once it is parked", async () => {
    const { letters, clock } = await outcomeOf(failure, 3);
    expect(letters).toEqual([
      {
        taskId: "task-1",
        path: "x.a",
        taskName: "a",
        args: [],
        kwargs: { secret: "of-payload" },
        enqueuedAt: "2026-01-01T00:00:00.000Z",
        messageId: "message-1",
        reason: "exhausted",
        error: "Error: broken",
        attempts: 3,
        parkedAt: clock.now(),
      },
    ]);
  });

  const unkept: readonly [what: string, sink: DeadLetterSink | null, lines: number][] = [
    ["nothing keeps dead letters", null, 1],
    ["the dead letter cannot be kept", { park: () => Promise.reject(new Error("disk full")) }, 2],
    [
      "keeping the dead letter throws",
      {
        park: () => {
          throw new Error("disk full");
        },
      },
      2,
    ],
  ];

  it.each(unkept)("is not acknowledged while %s", async (_what, sink, lines) => {
    for (const [thrown, attempt] of [
      [failure, 3],
      [new Discard(), 1],
    ] as const) {
      const { outcome, lines: logged } = await outcomeOf(thrown, attempt, sink);
      expect(outcome).toEqual({ type: "failed", error: thrown, retryAfter: undefined });
      expect(logged).toHaveLength(lines);
    }
  });

  it("is acknowledged only after the dead letter is kept", async () => {
    const kept = Promise.withResolvers<void>();
    const settled = vi.fn();
    const done = outcomeOf(failure, 3, { park: () => kept.promise }).then(settled);
    await new Promise(setImmediate);
    expect(settled).not.toHaveBeenCalled();
    kept.resolve();
    await done;
    expect(settled).toHaveBeenCalledWith(
      expect.objectContaining({ outcome: expect.objectContaining({ type: "discarded" }) }),
    );
  });
});

type Then = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void;

/** What is no promise and has to be awaited all the same, such as a query builder. */
function thenable(then: Then): { then: Then } {
  return { then };
}

describe("what a task returns", () => {
  const query = thenable((resolve) => resolve("done"));
  const returned: readonly [what: string, run: () => unknown, result: unknown][] = [
    ["a value", () => "done", "done"],
    ["nothing", () => {}, undefined],
    ["a promise", async () => "done", "done"],
    ["a thenable", () => query, "done"],
    ["a thenable that settles later", () => thenable((resolve) => void setImmediate(resolve, "done")), "done"],
    ["a thenable of a thenable", () => thenable((resolve) => resolve(query)), "done"],
  ];

  it.each(returned)("is its result: %s", async (_what, run, result) => {
    const scene = createScene();
    const tasks = createTasks({ ...scene.options, routes: [new TaskRoute({ path: "x.a", run })] });
    expect(await deliver(tasks, { taskName: "a" })).toEqual({ type: "done", result });
    expect(scene.lines).toEqual([]);
    expect(scene.clock.pending).toBe(0);
    expect(tasks.runtime.executor.running).toBe(0);
  });

  const failing: readonly [what: string, then: Then][] = [
    ["rejects", (_resolve, reject) => reject(failure)],
    [
      "throws when awaited",
      () => {
        throw failure;
      },
    ],
  ];

  it.each(failing)("is a failure when it is a thenable that %s, and gives its slot back", async (_what, then) => {
    const route = new TaskRoute({ path: "x.a", run: () => thenable(then), maxConcurrency: 1 });
    const tasks = createTasks({ ...createScene().options, routes: [route] });
    const outcomes = [await deliver(tasks, { taskName: "a" }), await deliver(tasks, { taskName: "a" })];
    expect(outcomes).toEqual(Array(2).fill({ type: "failed", error: failure, retryAfter: undefined }));
    expect(tasks.runtime.executor.running).toBe(0);
  });
});

describe("a delivery", () => {
  const run = vi.fn();
  const payload = z.object({ id: z.string() });
  const slow = payload.refine(async ({ id }) => id !== "taken");
  const routes = [
    new TaskRoute({ path: "x.a", payload, run, args: ["id"] }),
    new TaskRoute({ path: "x.slow", payload: slow, run }),
  ] as const;
  const rejections: readonly [what: string, delivery: Parameters<typeof deliver>[1], reason: string][] = [
    ["of an unknown task", { taskName: "b" }, "unknown-task"],
    ["of a task called like a property of objects", { taskName: "constructor" }, "unknown-task"],
    ["whose payload the schema refuses", { taskName: "a", kwargs: { id: 5 } }, "invalid-payload"],
    ["whose payload the schema refuses later", { taskName: "slow", kwargs: { id: "taken" } }, "invalid-payload"],
    ["with more arguments than names", { taskName: "a", args: ["1", "2"] }, "invalid-payload"],
    ["with an argument twice", { taskName: "a", args: ["1"], kwargs: { id: "2" } }, "invalid-payload"],
  ];

  it.each(rejections)("%s is rejected, not run, and costs no attempt", async (_what, delivery, reason) => {
    run.mockClear();
    const scene = createScene();
    const tasks = createTasks({ ...scene.options, routes });
    expect(await deliver(tasks, { ...delivery, attempt: 99 })).toMatchObject({ type: "rejected", reason });
    expect(run).not.toHaveBeenCalled();
    expect(scene.letters).toEqual([]);
    expect(scene.lines).toMatchObject([{ level: "error", message: "a delivery was rejected", fields: { reason } }]);
  });

  it("is given to the task as the schema returns it, by name or by path, arguments by position or by name", async () => {
    run.mockClear();
    const tasks = createTasks({ ...createScene().options, routes });
    await deliver(tasks, { taskName: "a", kwargs: { id: "1", more: true } });
    await deliver(tasks, { taskName: "x.a", args: ["2"] });
    expect(run.mock.calls.map(([given]) => given)).toEqual([{ id: "1" }, { id: "2" }]);
  });
});
