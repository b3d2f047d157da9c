import { describe, expect, it } from "vitest";
import type { OutgoingTask } from "../../src/core/backend.ts";
import type { DeadLetter } from "../../src/core/dead-letter.ts";
import { isTasksError, type TasksErrorCode } from "../../src/core/errors.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { Message } from "../../src/engine/message.ts";
import { type LetterJournal, ParkedLetters } from "../../src/engine/parked.ts";
import { endedProcess, lostAnswer, undeliverable } from "../../src/engine/undeliverable.ts";
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
        replaces: letter().messageId,
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

  it("does nothing when there is no such letter", async () => {
    const published: OutgoingTask[] = [];
    const box = parked((task) => published.push(task));
    expect(await box.redrive("task-2")).toBe(false);
    expect(published).toEqual([]);
    expect(await box.list()).toEqual([letter()]);
  });

  it.each<[why: string, only: DeadLetter, code: TasksErrorCode, text: string]>([
    [
      "its route is not in the list",
      letter({ path: "billing.refund" }),
      "UNKNOWN_ROUTE",
      'redrive: expected the route of dead letter "task-1" in the list, got "billing.refund", which is not; add it to routes, or drop the letter',
    ],
    [
      "its payload cannot be read",
      letter({ kwargs: {}, unreadable: '{"custom' }),
      "INVALID_PAYLOAD",
      'redrive: expected dead letter "task-1" to hold the JSON object of a payload, got another text; see unreadable, enqueue the task anew, and drop the letter',
    ],
  ])("is refused, and keeps the letter, when %s", async (_, only, code, text) => {
    const published: OutgoingTask[] = [];
    const box = parked((task) => published.push(task), [only]);
    await expect(box.redrive("task-1")).rejects.toMatchObject({ code, message: text });
    expect(published).toEqual([]);
    expect(await box.list()).toEqual([only]);
  });

  it("enqueues what it can of an id that other routes use as well", async () => {
    const published: OutgoingTask[] = [];
    const stranger = letter({ path: "billing.refund" });
    const box = parked((task) => published.push(task), [stranger, letter()]);
    expect(await box.redrive("task-1")).toBe(true);
    expect(published.map((task) => task.route)).toEqual([charge]);
    expect(await box.list()).toEqual([stranger]);
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

describe("dropping dead letters that cannot be written down as dropped", () => {
  it("is refused, and keeps them, on paper as well", async () => {
    const kept = new Map<string, DeadLetter>();
    const refusal = new Error("database or disk is full");
    let isFull = false;
    const journal: LetterJournal = {
      park: (key, each) => void kept.set(key, each),
      unpark: (key) => void kept.delete(key),
      committed: () => (isFull ? Promise.reject(refusal) : Promise.resolve()),
    };
    const box = new ParkedLetters({ clock: new VirtualClock(), route: () => charge, publish: () => {}, journal });
    const letters = [letter({ messageId: "1" }), letter({ messageId: "2", parkedAt: 1 })];
    for (const each of letters) await box.park(each);
    isFull = true;
    const dropped = box.drop("task-1");
    // Parked once more while it is being dropped, after a lost acknowledgement.
    const later = letter({ messageId: "2", parkedAt: 9 });
    box.keep(later);
    await expect(dropped).rejects.toBe(refusal);
    expect(await box.list()).toEqual([letters[0], later]);
    expect([...kept.values()]).toEqual(expect.arrayContaining([letters[0], later]));
    isFull = false;
    expect(await box.drop("task-1")).toBe(true);
    expect([await box.list(), kept.size]).toEqual([[], 0]);
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

  it.each(["", "{", "null", "5", "[1]"])("keeps %j, which is no payload, as it is", (payloadJson) => {
    const message = new Message({ ...task, payloadJson }, laneOf(charge), 7, 0);
    expect(undeliverable(message, failed(), 0)).toMatchObject({
      kwargs: {},
      unreadable: payloadJson,
      error: expect.stringContaining("expected a JSON object, got a damaged text"),
    });
  });

  it.each<[what: string, outcome: (message: Message) => Outcome, lost: number, text: string]>([
    ["once", endedProcess, 1, "expected an answer, got the end of the process once while it ran; see whether"],
    ["often", endedProcess, 50, "expected an answer, got the end of the process 50 times while it ran; see whether"],
    ["unheard", lostAnswer, 50, "expected an acknowledgement within 300 s, got none; the task may have run"],
  ])("says what is known of its end: %s", (_, outcome, lost, text) => {
    const message = new Message(task, laneOf(charge), 7, 0);
    message.lost = lost;
    expect(undeliverable(message, outcome(message), 0).error).toContain(`"billing.charge": ${text}`);
  });

  it("has no time of enqueueing for a tick of a schedule", () => {
    const tick = new Message(task, laneOf(charge), 7, 0, new Date("2026-01-01T09:00:00Z"));
    expect(undeliverable(tick, failed(), 0).enqueuedAt).toBeUndefined();
  });
});
