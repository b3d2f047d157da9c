import { describe, expect, it } from "vitest";
import { cloudTasksDelay, pubsubDelay } from "../../src/core/backoff.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { busy, denied, discarded, done, failed, rejected, route, ScriptedEngine } from "./scripted.ts";

const DAY = 86_400;
const task = route("x.task");

/** Moments from 0 on, with these waits between them. */
function moments(waits: readonly number[]): number[] {
  let at = 0;
  return [0, ...waits.map((wait) => (at += wait))];
}

/** Answers with these outcomes in turn, and with `done` after the last. */
function inTurn(outcomes: readonly Outcome[]): () => Outcome {
  const left = outcomes.values();
  return () => left.next().value ?? done;
}

describe("a task that fails", () => {
  it("is delivered again after the back-off of a Pub/Sub subscription", async () => {
    const policy = { minimumBackoff: 10, maximumBackoff: 600 };
    const failures = 9;
    const run = new ScriptedEngine([task], inTurn(Array(failures).fill(failed())));
    run.publish(task);
    await run.pass(DAY);
    const waits = Array.from({ length: failures }, (_, index) => pubsubDelay(policy, index + 1));
    expect(run.times).toEqual(moments(waits));
    expect(run.arrivals.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(run.engine.unfinished).toBe(0);
  });

  it("is delivered again after the back-off of its queue, via Cloud Tasks", async () => {
    const queued = route("x.queued", {
      via: "cloud-tasks",
      minRetryDelay: 10,
      maxRetryDelay: 300,
      queue: { maxDoublings: 3 },
    });
    const run = new ScriptedEngine([queued], inTurn(Array(7).fill(failed())));
    run.publish(queued);
    await run.pass(DAY);
    const settings = { minBackoff: 10, maxBackoff: 300, maxDoublings: 3 };
    expect(run.times).toEqual(moments([1, 2, 3, 4, 5, 6, 7].map((retry) => cloudTasksDelay(settings, retry))));
  });

  it("is delivered again when it asked to be, and by the back-off the time after", async () => {
    const run = new ScriptedEngine([task], inTurn([failed(), failed(1234), failed(0), failed()]));
    run.publish(task);
    await run.pass(DAY);
    expect(run.times).toEqual(moments([10, 1234, 0, 80]));
  });

  it("goes on counting attempts where an earlier message of it left off, and begins its back-off anew", async () => {
    const run = new ScriptedEngine([task], inTurn([failed(), failed()]));
    run.publish(task, { carriedAttempts: 4 });
    await run.pass(DAY);
    expect(run.arrivals.map(({ attempt, delivery }) => [attempt, delivery])).toEqual([
      [5, 1],
      [6, 2],
      [7, 3],
    ]);
    expect(run.times).toEqual([0, 10, 30]);
  });

  it("counts as failed when its delivery breaks", async () => {
    const run = new ScriptedEngine([task], ({ attempt }) =>
      attempt === 1 ? Promise.reject(new Error("host is broken")) : done,
    );
    run.publish(task);
    await run.pass(DAY);
    expect(run.times).toEqual([0, 10]);
  });
});

describe("a delivery that is sent back", () => {
  it("comes again after as long as was asked for, and counts neither as an attempt nor for the back-off", async () => {
    const run = new ScriptedEngine([task], inTurn([busy(3), failed(), busy(7), busy(0.5), failed()]));
    run.publish(task);
    await run.pass(DAY);
    expect(run.times).toEqual(moments([3, 10, 7, 0.5, 20]));
    expect(run.arrivals.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 2, 2, 3]);
    expect(run.arrivals.map(({ delivery }) => delivery)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("comes again with back-off when it was denied, and does not count either", async () => {
    const run = new ScriptedEngine([task], inTurn([denied, denied, denied, failed()]));
    run.publish(task);
    await run.pass(DAY);
    expect(run.times).toEqual(moments([10, 20, 40, 10]));
    expect(run.arrivals.at(-1)?.attempt).toBe(2);
  });

  it.each<[how: string, options: Parameters<typeof route>[1], outcome: Outcome]>([
    ["at once", {}, busy(0)],
    ["denied without any back-off", { minRetryDelay: 0, maxRetryDelay: 0 }, denied],
  ])("comes again after 100 ms at the soonest, when sent back %s", async (_, options, outcome) => {
    const eager = route("x.eager", options);
    const run = new ScriptedEngine([eager], inTurn([outcome, outcome]));
    run.publish(eager);
    await run.pass(1);
    expect(run.times).toEqual([0, 0.1, 0.2]);
  });

  it("is never given up, however often it is", async () => {
    const run = new ScriptedEngine([task], inTurn(Array(1000).fill(busy(1))));
    const receipt = run.publish(task);
    await run.pass(1000);
    expect(run.arrivals).toHaveLength(1001);
    expect(run.arrivals.at(-1)?.attempt).toBe(1);
    expect(await receipt.outcome?.()).toBe(done);
  });
});

describe("a message that nobody takes", () => {
  const impatient = { maxAttempts: 3, minRetryDelay: 0, maxRetryDelay: 0 };

  it.each<[how: string, via: "pubsub" | "cloud-tasks", answers: readonly Outcome[], deliveries: number]>([
    ["failing", "pubsub", [failed()], 15],
    ["rejected", "pubsub", [rejected], 15],
    ["failing or rejected", "pubsub", [failed(), rejected], 15],
    ["too large", "pubsub", [{ type: "refused", status: 413 }], 15],
    ["failing via Cloud Tasks", "cloud-tasks", [failed()], 8],
  ])("is parked as undeliverable: %s, %s", async (_, via, answers, deliveries) => {
    const unwanted = route("x.unwanted", { ...impatient, via });
    const run = new ScriptedEngine([unwanted], ({ delivery }) => answers[(delivery - 1) % answers.length] ?? done);
    const receipt = run.publish(unwanted, { id: "unwanted-1", payload: { size: 1 } });
    await run.pass(0);
    expect(run.arrivals).toHaveLength(deliveries);
    expect(await run.engine.deadLetters.list()).toMatchObject([
      { taskId: "unwanted-1", path: "x.unwanted", kwargs: { size: 1 }, reason: "undeliverable" },
    ]);
    expect(await receipt.outcome?.()).toBe(answers[(deliveries - 1) % answers.length]);
    expect(run.engine.unfinished).toBe(0);
    expect(run.lines).toMatchObject([{ level: "error", fields: { task: "x.unwanted", taskId: "unwanted-1" } }]);
  });

  it("does not count what it was merely sent back for, nor the attempts it carried along", async () => {
    const unwanted = route("x.unwanted", impatient);
    const run = new ScriptedEngine([unwanted], ({ delivery }) => (delivery % 2 === 0 ? busy(1) : failed()));
    run.publish(unwanted, { carriedAttempts: 2 });
    await run.pass(DAY);
    expect(run.arrivals).toHaveLength(29);
    expect(await run.engine.deadLetters.list()).toMatchObject([{ attempts: 17 }]);
  });

  it("runs again when it is redriven, under its id, from the first attempt", async () => {
    const unwanted = route("x.unwanted", impatient);
    let open = false;
    const run = new ScriptedEngine([unwanted], () => (open ? done : failed()));
    run.publish(unwanted, { id: "unwanted-1" });
    await run.pass(0);
    open = true;
    run.arrivals.length = 0;
    expect(await run.engine.deadLetters.redrive("unwanted-1")).toBe(true);
    await run.pass(0);
    expect(run.arrivals).toMatchObject([{ id: "unwanted-1", attempt: 1, delivery: 1 }]);
    expect(await run.engine.deadLetters.list()).toEqual([]);
  });
});

describe("the first delivery", () => {
  it.each([
    ["at once without a delay", undefined, 0],
    ["at once for a moment in the past", -60, 0],
    ["at once for no delay", 0, 0],
    ["after a delay", 60, 60],
    ["after a fraction of a second", 0.25, 0.25],
    ["after 60 days, longer than a timer holds", 60 * DAY, 60 * DAY],
  ])("is made %s", async (_, delay, at) => {
    const run = new ScriptedEngine([task]);
    run.publish(task, delay === undefined ? {} : { delay });
    await run.pass(at - 0.001 > 0 ? at - 0.001 : 0);
    expect(run.arrivals).toHaveLength(at === 0 ? 1 : 0);
    await run.pass(at === 0 ? 0 : 0.001);
    expect(run.times).toEqual([at]);
    expect(run.clock.pending).toBe(0);
  });

  it("is made in the order of publishing, and of the moments for what is delayed", async () => {
    const run = new ScriptedEngine([task]);
    for (const [id, delay] of Object.entries({ late: 20, b: 10, first: 0, c: 10, second: 0 }))
      run.publish(task, { id, delay });
    await run.pass(30);
    expect(run.arrivals.map(({ id }) => id)).toEqual(["first", "second", "b", "c", "late"]);
  });
});

describe("a dedupe key", () => {
  const dedupe = { key: "order-1", window: 60 };

  it("keeps a second task out within its window, and answers with the first one's id and outcome", async () => {
    const run = new ScriptedEngine([task], () => discarded);
    run.publish(task, { id: "first", dedupe });
    await run.pass(59.999);
    const second = run.publish(task, { id: "second", dedupe });
    expect(second).toMatchObject({ id: "first", deduplicated: true });
    expect(await second.outcome?.()).toBe(discarded);
    await run.pass(0.001);
    expect(run.publish(task, { id: "third", dedupe })).toMatchObject({ id: "third", deduplicated: false });
    await run.pass(0);
    expect(run.arrivals.map(({ id }) => id)).toEqual(["first", "third"]);
  });

  it("holds for its route alone", async () => {
    const other = route("x.other");
    const run = new ScriptedEngine([task, other]);
    expect(run.publish(task, { dedupe }).deduplicated).toBe(false);
    expect(run.publish(other, { dedupe }).deduplicated).toBe(false);
    expect(run.publish(task, { dedupe: { ...dedupe, key: "order-2" } }).deduplicated).toBe(false);
  });
});
