import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { Delivery } from "../../src/core/delivery.ts";
import { Busy, Discard, RetryAfter } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createScene, deliver, NOTHING, type SceneOptions } from "../support/scene.ts";

/** Of three attempts: its queue allows 8 dispatches, and those from the 7th on are late. */
const LATE = 7;

function service(run: () => unknown = () => "ran", scenery: SceneOptions = {}) {
  const scene = createScene(scenery);
  const route = new TaskRoute({
    path: "x.task",
    payload: z.looseObject({ bad: z.never().optional() }),
    maxAttempts: 3,
    queue: { priorities: { high: {} } },
    killSwitch: "SWITCH",
    run,
  });
  const tasks = createTasks({ ...scene.options, routes: [route] });
  const dispatch = (count: number, overrides: Partial<Delivery> = {}) =>
    deliver(tasks, {
      transport: "cloud-tasks",
      taskName: "task",
      messageId: "name-1",
      dispatch: { count, queue: "dev--app--x-task", priority: undefined },
      ...overrides,
    });
  return { ...scene, tasks, route, dispatch };
}

function throwing(error: unknown): () => never {
  return () => {
    throw error;
  };
}

const offline = () => Promise.reject(new Error("offline"));

describe("a task of Cloud Tasks that arrives with no attempt left", () => {
  const spent = { attempt: 4 };

  it("is parked without being run: its process was killed in the last one", async () => {
    const run = vi.fn();
    const { dispatch, letters, lines } = service(run);
    expect(await dispatch(4, spent)).toMatchObject({ type: "discarded", reason: "exhausted" });
    expect(run).not.toHaveBeenCalled();
    expect(letters).toMatchObject([
      {
        taskId: "task-1",
        path: "x.task",
        reason: "exhausted",
        attempts: 4,
        error: expect.stringContaining('TasksError: task "x.task": expected an answer to attempt 3, its last'),
      },
    ]);
    expect(lines).toMatchObject([{ level: "error", message: "a task was parked as a dead letter" }]);
  });

  it("is parked though its payload is one that would not be run any more", async () => {
    const { dispatch, letters } = service();
    expect(await dispatch(4, { ...spent, kwargs: { bad: 1 } })).toMatchObject({ type: "discarded" });
    expect(letters).toMatchObject([{ reason: "exhausted", kwargs: { bad: 1 } }]);
  });

  it("is run in its last attempt", async () => {
    const run = vi.fn();
    expect(await service(run).dispatch(3, { attempt: 3 })).toMatchObject({ type: "done" });
    expect(run).toHaveBeenCalledOnce();
  });

  it.each([
    ["nothing keeps dead letters", null],
    ["its dead letter cannot be kept", { park: offline }],
  ])("is not acknowledged, and not run, where %s", async (_what, deadLetters) => {
    const run = vi.fn();
    const { dispatch } = service(run, { deadLetters });
    expect(await dispatch(4, spent)).toMatchObject({ type: "failed", retryAfter: undefined });
    expect(run).not.toHaveBeenCalled();
  });

  it("is parked as switched off while its route is, like any other", async () => {
    const { dispatch, letters } = service(undefined, { env: { SWITCH: "off" } });
    expect(await dispatch(4, spent)).toMatchObject({ type: "discarded", reason: "switched-off" });
    expect(letters).toHaveLength(1);
  });

  it("is run where the transport's count takes in more than attempts", async () => {
    const run = vi.fn();
    await service(run).dispatch(1, { ...spent, transport: "pubsub", dispatch: undefined });
    expect(run).toHaveBeenCalledOnce();
  });
});

describe("a dispatch that may be the last but one of its queue", () => {
  it.each([LATE, LATE + 1, LATE + 90])("is not run but created anew, at dispatch %i", async (count) => {
    const run = vi.fn();
    const { dispatch, sent, lines } = service(run);
    const finished = await dispatch(count, { attempt: 2, kwargs: { kept: 1 } });
    expect(finished).toEqual({ type: "skipped", reason: "created-anew" });
    expect(run).not.toHaveBeenCalled();
    expect(sent).toMatchObject([
      {
        id: "task-1",
        route: { path: "x.task" },
        payloadJson: '{"kept":1}',
        enqueuedAt: Date.parse("2026-01-01T00:00:00Z"),
        runAt: undefined,
        dedupe: undefined,
        carriedAttempts: 1,
        replaces: "name-1",
      },
    ]);
    expect(lines).toMatchObject([{ level: "info", fields: { reason: "created-anew" } }]);
  });

  it("is run before that", async () => {
    const run = vi.fn();
    const { dispatch, sent } = service(run);
    expect(await dispatch(LATE - 1)).toMatchObject({ type: "done" });
    expect([run.mock.calls.length, sent]).toEqual([1, []]);
  });

  it("keeps its priority, unless its route has given that up", async () => {
    const { dispatch, sent } = service();
    for (const priority of ["high", "gone", "constructor"])
      await dispatch(LATE, { dispatch: { count: LATE, queue: "dev--app--x-task-high", priority } });
    expect(sent.map(({ priority }) => priority)).toEqual(["high", undefined, undefined]);
  });

  it("needs no backend that delays or has priorities", async () => {
    const { dispatch, sent } = service(undefined, { capabilities: NOTHING });
    await dispatch(LATE, { dispatch: { count: LATE, queue: undefined, priority: "high" } });
    expect(sent).toMatchObject([{ priority: undefined, runAt: undefined }]);
  });

  it("is parked when no attempt is left", async () => {
    const { dispatch, sent, letters } = service();
    expect(await dispatch(LATE, { attempt: 4 })).toMatchObject({ type: "discarded", reason: "exhausted" });
    expect([sent.length, letters.length]).toEqual([0, 1]);
  });

  it("is run where it cannot be created anew", async () => {
    const run = vi.fn();
    const { dispatch, lines } = service(run, { send: offline });
    expect(await dispatch(LATE)).toMatchObject({ type: "done" });
    expect(run).toHaveBeenCalledOnce();
    expect(lines).toMatchObject([{ level: "error", fields: { taskId: "task-1", error: "Error: offline" } }]);
  });

  const ends: readonly [what: string, run: () => unknown, used: number][] = [
    ["failed, which counts", throwing(new Error("boom")), 2],
    ["was busy, which does not", throwing(new Busy()), 1],
  ];

  it.each(ends)("is created anew after a run that %s, when it could not be before", async (_what, run, used) => {
    let online = false;
    const trying = () => {
      online = true;
      return run();
    };
    const { dispatch, sent } = service(trying, {
      send: (task) => (online ? { id: task.id, deduplicated: false } : offline()),
    });
    expect(await dispatch(LATE, { attempt: 2 })).toEqual({ type: "skipped", reason: "created-anew" });
    expect(sent.map(({ carriedAttempts }) => carriedAttempts)).toEqual([1, used]);
  });

  it("comes to what it came to when it cannot be created anew at all", async () => {
    const broken = new Error("boom");
    expect(await service(throwing(broken), { send: offline }).dispatch(LATE)).toEqual({
      type: "failed",
      error: broken,
      retryAfter: undefined,
    });
    expect(await service(throwing(new Busy()), { send: offline }).dispatch(LATE)).toMatchObject({ type: "busy" });
  });

  it("is left to its own delay after RetryAfter", async () => {
    const later = new RetryAfter(90);
    const outcome = await service(throwing(later), { send: offline }).dispatch(LATE);
    expect(outcome).toEqual({ type: "failed", error: later, retryAfter: 90 });
  });

  it("is created anew rather than lost when its dead letter cannot be kept", async () => {
    let online = false;
    const giveUp = () => {
      online = true;
      throw new Discard();
    };
    const { dispatch, sent } = service(giveUp, {
      deadLetters: { park: offline },
      send: (task) => (online ? { id: task.id, deduplicated: false } : offline()),
    });
    expect(await dispatch(LATE)).toEqual({ type: "skipped", reason: "created-anew" });
    expect(sent.at(-1)).toMatchObject({ carriedAttempts: 1 });
  });
});

describe("a message of Cloud Tasks that nothing here takes", () => {
  const invalid = { kwargs: { bad: "secret" } };
  const unknown = { taskName: "stranger", kwargs: { kept: "secret" } };

  it.each([
    ["a refused payload", "invalid-payload", LATE - 1, invalid],
    ["an unknown task in a queue of ours", "unknown-task", LATE - 1, unknown],
    ["an unknown task elsewhere", "unknown-task", 98, { ...unknown, dispatch: undefined }],
  ])("is retried while there is time: %s", async (_what, reason, count, overrides) => {
    const { dispatch, letters, sent } = service();
    expect(await dispatch(count, overrides)).toMatchObject({ type: "rejected", reason });
    expect([letters, sent]).toEqual([[], []]);
  });

  it("is parked before its queue may delete it: a refused payload", async () => {
    const { dispatch, letters, lines } = service();
    expect(await dispatch(LATE, invalid)).toMatchObject({ type: "discarded", reason: "undeliverable" });
    expect(letters).toMatchObject([
      { taskId: "task-1", path: "x.task", taskName: "task", kwargs: { bad: "secret" }, reason: "undeliverable" },
    ]);
    expect(JSON.stringify(lines)).not.toContain("secret");
  });

  it("is parked before its queue may delete it: an unknown task, by its own name", async () => {
    const { dispatch, letters, lines } = service();
    expect(await dispatch(LATE, unknown)).toMatchObject({ type: "discarded", reason: "undeliverable" });
    expect(letters).toMatchObject([
      {
        path: "stranger",
        taskName: "stranger",
        kwargs: { kept: "secret" },
        reason: "undeliverable",
        messageId: "name-1",
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain("secret");
  });

  it("is parked at the service's own default when its queue is none of ours", async () => {
    const { dispatch, letters } = service();
    for (const count of [98, 99])
      await dispatch(count, { ...unknown, dispatch: { count, queue: "theirs", priority: undefined } });
    expect(letters).toHaveLength(1);
  });

  it("stays with Pub/Sub, which has dead letters of its own", async () => {
    const { dispatch, letters } = service();
    const arrived = { transport: "pubsub", dispatch: undefined, attempt: 99 } as const;
    expect(await dispatch(99, { ...arrived, ...invalid })).toMatchObject({ type: "rejected" });
    expect(await dispatch(99, { ...arrived, ...unknown })).toMatchObject({ type: "rejected" });
    expect(letters).toEqual([]);
  });

  it.each([
    ["nothing keeps dead letters", null],
    ["its dead letter cannot be kept", { park: offline }],
  ])("is not acknowledged where %s, and the log says what that means", async (_what, deadLetters) => {
    const { dispatch, lines } = service(undefined, { deadLetters, send: offline });
    for (const overrides of [invalid, unknown]) {
      lines.length = 0;
      expect(await dispatch(LATE, overrides)).toMatchObject({ type: "rejected" });
      expect(lines.map(({ message }) => message)).toContain(
        "a message that nothing here takes could not be kept; it is lost once its queue gives it up",
      );
    }
  });
});
