import { describe, expect, it } from "vitest";
import type { OutgoingTask } from "../../src/core/backend.ts";
import type { DeadLetter } from "../../src/core/dead-letter.ts";
import { isTasksError } from "../../src/core/errors.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { Message } from "../../src/engine/message.ts";
import { ParkedLetters, undeliverable } from "../../src/engine/parked.ts";
import { busy, failed, laneOf, rejected, route } from "./scripted.ts";

const charge = route("billing.charge", { args: ["customer", "amount"] });

function letter(overrides: Partial<DeadLetter> = {}): DeadLetter {
  return {
    taskId: "task-1",
    path: charge.path,
    taskName: charge.name,
    args: [],
    kwargs: { customer: "c-1", amount: 5 },
    enqueuedAt: "2025-12-31T23:00:00.000Z",
    messageId: "1",
    reason: "exhausted",
    error: "Error: boom",
    attempts: 10,
    parkedAt: 0,
    ...overrides,
  };
}

function parked(
  publish: (task: OutgoingTask) => unknown = () => {},
  letters: readonly DeadLetter[] = [letter()],
): ParkedLetters {
  const known = (path: string) => (path === charge.path ? charge : undefined);
  const box = new ParkedLetters({ clock: new VirtualClock(), route: known, publish });
  for (const each of letters) void box.park(each);
  return box;
}

const ids = async (box: ParkedLetters): Promise<string[]> => (await box.list()).map(({ taskId }) => taskId);

describe("redriving a dead letter", () => {
  it("enqueues the same task again, with its attempts counted from the start, and takes the letter out", async () => {
    const published: OutgoingTask[] = [];
    const box = parked((task) => published.push(task));
    expect(await box.redrive("task-1")).toBe(true);
    expect(published).toEqual([
      {
        id: "task-1",
        route: charge,
        payloadJson: '{"customer":"c-1","amount":5}',
        enqueuedAt: Date.parse("2025-12-31T23:00:00Z"),
        runAt: undefined,
        dedupe: undefined,
        priority: undefined,
        carriedAttempts: 0,
      },
    ]);
    expect(await box.list()).toEqual([]);
  });

  it("puts positional arguments of other producers under their names", async () => {
    const published: OutgoingTask[] = [];
    const box = parked((task) => published.push(task), [letter({ args: ["c-2"], kwargs: { amount: 7 } })]);
    await box.redrive("task-1");
    expect(published.map(({ payloadJson }) => JSON.parse(payloadJson))).toEqual([{ customer: "c-2", amount: 7 }]);
  });

  it("dates a scheduled task, which has no time of enqueueing, by the redrive", async () => {
    const published: OutgoingTask[] = [];
    await parked((task) => published.push(task), [letter({ enqueuedAt: undefined })]).redrive("task-1");
    expect(published.map(({ enqueuedAt }) => enqueuedAt)).toEqual([Date.parse("2026-01-01T00:00:00Z")]);
  });

  it("keeps the letter, in its place, when the task could not be enqueued", async () => {
    const letters = [letter({ taskId: "a", parkedAt: 1 }), letter({ taskId: "b", parkedAt: 2 })];
    const box = parked(() => Promise.reject(new Error("no room")), letters);
    await expect(box.redrive("a")).rejects.toThrow("no room");
    expect(await ids(box)).toEqual(["a", "b"]);
  });

  it("keeps the letter when its arguments fit the route no more", async () => {
    const box = parked(() => {}, [letter({ args: ["c-1", 5, "extra"], kwargs: {} })]);
    const refusal = await box.redrive("task-1").catch((error: unknown) => error);
    expect(isTasksError(refusal, "INVALID_PAYLOAD")).toBe(true);
    expect(await ids(box)).toEqual(["task-1"]);
  });

  it("enqueues once, however often it is asked for at the same time", async () => {
    const published: OutgoingTask[] = [];
    const box = parked(async (task) => published.push(task));
    expect(await Promise.all([box.redrive("task-1"), box.redrive("task-1")])).toEqual([true, false]);
    expect(published).toHaveLength(1);
  });

  it.each([
    ["there is no such letter", "task-2", letter()],
    ["its route is listed no more", "task-1", letter({ path: "billing.refund" })],
  ])("does nothing when %s", async (_, taskId, only) => {
    const published: OutgoingTask[] = [];
    const box = parked((task) => published.push(task), [only]);
    expect(await box.redrive(taskId)).toBe(false);
    expect(published).toEqual([]);
    expect(await box.list()).toEqual([only]);
  });
});

describe("dead letters", () => {
  it("are listed oldest first, a task that was parked again by the later time", async () => {
    const box = parked(() => {}, [
      letter({ taskId: "a", parkedAt: 1 }),
      letter({ taskId: "b", parkedAt: 2 }),
      letter({ taskId: "a", parkedAt: 3 }),
    ]);
    expect(await ids(box)).toEqual(["b", "a"]);
  });

  it("are forgotten once when dropped", async () => {
    const box = parked();
    expect(await box.drop("task-1")).toBe(true);
    expect(await box.drop("task-1")).toBe(false);
    expect(await box.list()).toEqual([]);
  });
});

describe("the letter of a message that nobody could take", () => {
  const task: OutgoingTask = {
    id: "task-1",
    route: charge,
    payloadJson: '{"customer":"c-1","amount":5}',
    enqueuedAt: Date.parse("2026-01-01T00:00:00Z"),
    runAt: undefined,
    dedupe: undefined,
    priority: undefined,
    carriedAttempts: 2,
  };

  it("holds all that is needed to run the task again", () => {
    const message = new Message(task, laneOf(charge), 7, 0);
    message.failures += 3;
    expect(undeliverable(message, failed(), 99)).toEqual({
      taskId: "task-1",
      path: "billing.charge",
      taskName: "charge",
      args: [],
      kwargs: { customer: "c-1", amount: 5 },
      enqueuedAt: "2026-01-01T00:00:00.000Z",
      messageId: "7",
      reason: "undeliverable",
      error: "Error: boom",
      attempts: 5,
      parkedAt: 99,
    });
  });

  it.each([
    [rejected, "rejected"],
    [busy(1), "busy"],
  ])("names the outcome where there is no error", (outcome, error) => {
    expect(undeliverable(new Message(task, laneOf(charge), 7, 0), outcome, 0).error).toBe(error);
  });

  it("has no time of enqueueing for a tick of a schedule", () => {
    const tick = new Message(task, laneOf(charge), 7, 0, new Date("2026-01-01T09:00:00Z"));
    expect(undeliverable(tick, failed(), 0).enqueuedAt).toBeUndefined();
  });
});
