import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { cloudTasks } from "../../src/backends/cloud-tasks.ts";
import type { TaskContext } from "../../src/core/context.ts";
import { Busy, Discard, RetryAfter } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { QueueOptions } from "../../src/core/route-options.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { loseAnswer } from "./endpoint.ts";
import { closeQueueScenes, QueueScene } from "./queue-scene.ts";

closeQueueScenes();

const QUEUE = "dev--app--x-task";
const DAY = 86_400;

type Fate = "returns" | "throws" | "busy" | "discards" | { readonly retryAfter: number };

/** What a task does in each of its runs; it returns in those that nothing is said of. */
interface ServiceOptions {
  readonly fates?: readonly Fate[];
  readonly maxAttempts?: number;
  readonly ready?: () => boolean;
  readonly queue?: QueueOptions;
  /** `false`: the queue keeps to its attempts alone, and deletes a task after them. Default `true`. */
  readonly managed?: boolean;
}

/** A service whose tasks come back from a queue over HTTP. */
async function serve({ fates = [], maxAttempts = 3, ready = () => true, queue = {}, managed = true }: ServiceOptions) {
  const scene = await QueueScene.open();
  const attempts: number[] = [];
  const run = (_: unknown, { attempt }: TaskContext): void => {
    const fate = fates[attempts.length] ?? "returns";
    attempts.push(attempt);
    if (typeof fate === "object") throw new RetryAfter(fate.retryAfter);
    if (fate === "throws") throw new Error("boom");
    if (fate === "busy") throw new Busy();
    if (fate === "discards") throw new Discard();
  };
  const route = new TaskRoute({ path: "x.task", maxAttempts, queue, run });
  await scene.makeQueues([route], { managed });
  await scene.makeDeadLetterTopics([route]);
  const tasks = scene.adopt(createTasks({ ...scene.options, ready, routes: [route], backend: cloudTasks() }));
  return { scene, tasks, route, attempts };
}

/** The process is killed while the task runs: nothing more comes of it. */
function killed(response: ServerResponse): void {
  response.destroy();
}

/** The process hangs: the deadline passes. */
function hangs(): void {}

describe("a task that comes back", () => {
  it("is let in by its token, run, and gone", async () => {
    const { scene, tasks, route, attempts } = await serve({});
    const { id } = await tasks.enqueue(route, { userId: "42" });
    await scene.dispatchAll(QUEUE);
    expect(attempts).toEqual([1]);
    expect(scene.recorder.finished).toMatchObject([{ taskId: id, outcome: { type: "done" } }]);
    expect(scene.endpoint.received[0]?.headers.authorization).toMatch(/^Bearer /);
  });

  const lives: readonly [what: string, fates: readonly Fate[], attempts: readonly number[]][] = [
    ["fails and is tried again", ["throws", "throws", "returns"], [1, 2, 3]],
    ["is busy, which is no attempt", ["busy", "busy", "busy", "returns"], [1, 1, 1, 1]],
    ["is busy between failures", ["throws", "busy", "throws", "busy", "returns"], [1, 2, 2, 3, 3]],
  ];

  it.each(lives)("is told its attempt as it counts: one that %s", async (_what, fates, expected) => {
    const { scene, tasks, route, attempts } = await serve({ fates });
    await tasks.enqueue(route);
    await scene.dispatchAll(QUEUE);
    expect(attempts).toEqual(expected);
  });

  it("waits for the delay that it asks for, and has used an attempt", async () => {
    const { scene, tasks, route, attempts } = await serve({ fates: [{ retryAfter: 90 }, "throws", { retryAfter: 5 }] });
    const { id } = await tasks.enqueue(route, { kept: 1 });
    await scene.dispatch(QUEUE);
    const [anew] = await scene.tasksOf(QUEUE);
    expect(anew).toMatchObject({
      scheduleTime: scene.clock.now() / 1000 + 90,
      headers: { "taskroute-carried-attempts": "1" },
    });
    expect(JSON.parse(anew?.body ?? "")).toMatchObject({ task_id: id, kwargs: { kept: 1 } });
    await scene.dispatch(QUEUE);
    expect(attempts).toEqual([1, 2]);
  });

  it("waits 30 days at most, less what clocks may differ by, when it asks for more", async () => {
    const { scene, tasks, route } = await serve({ fates: [{ retryAfter: 40 * DAY }] });
    await tasks.enqueue(route);
    await scene.dispatch(QUEUE);
    expect(await scene.tasksOf(QUEUE)).toMatchObject([{ scheduleTime: scene.clock.now() / 1000 + 30 * DAY - 60 }]);
  });

  it("is created anew once, though the answer to that delivery is lost", async () => {
    const { scene, tasks, route, attempts } = await serve({ fates: [{ retryAfter: 90 }, { retryAfter: 90 }] });
    await tasks.enqueue(route);
    scene.endpoint.interceptions.push(loseAnswer);
    await scene.dispatch(QUEUE);
    expect(await scene.tasksOf(QUEUE)).toHaveLength(2);
    await scene.dispatch(QUEUE);
    expect([attempts, (await scene.tasksOf(QUEUE)).length]).toEqual([[1, 2], 1]);
  });
});

describe("a task whose attempts are used up", () => {
  const ends: readonly [what: string, fates: readonly Fate[], reason: string, attempts: readonly number[]][] = [
    ["fails in all of them", ["throws", "throws", "throws"], "exhausted", [1, 2, 3]],
    ["gives up", ["throws", "discards"], "discarded", [1, 2]],
    ["is busy again and again", ["throws", "busy", "busy", "throws", "throws"], "exhausted", [1, 2, 2, 2, 3]],
    ["asks for a delay in its last", ["throws", "throws", { retryAfter: 5 }], "exhausted", [1, 2, 3]],
  ];

  it.each(ends)("is parked, and can be redriven: one that %s", async (_what, fates, reason, expected) => {
    const { scene, tasks, route, attempts } = await serve({ fates });
    const { id } = await tasks.enqueue(route, { kept: 1 });
    await scene.dispatchAll(QUEUE);
    expect(attempts).toEqual(expected);
    expect(await tasks.deadLetters.list()).toMatchObject([
      { taskId: id, path: "x.task", kwargs: { kept: 1 }, reason, attempts: expected.at(-1) },
    ]);
    expect([await tasks.deadLetters.redrive(id), await tasks.deadLetters.redrive(id)]).toEqual([true, false]);
    await scene.dispatchAll(QUEUE);
    expect(attempts.slice(expected.length)).toEqual([1]);
    expect(await tasks.deadLetters.list()).toEqual([]);
  });

  it("can be parked and redriven under one id again and again", async () => {
    const { scene, tasks, route, attempts } = await serve({ fates: Array(3).fill("discards") });
    const { id } = await tasks.enqueue(route);
    for (let count = 1; count <= 3; count++) {
      await scene.dispatchAll(QUEUE);
      expect(await tasks.deadLetters.list()).toMatchObject([{ taskId: id }]);
      expect(await tasks.deadLetters.redrive(id)).toBe(true);
    }
    await scene.dispatchAll(QUEUE);
    expect(attempts).toEqual([1, 1, 1, 1]);
  });
});

describe("a task whose process is killed", () => {
  it.each([
    ["is killed", killed],
    ["hangs until its deadline", hangs],
  ])("has used an attempt, and is run again: one whose process %s", async (_what, interception) => {
    const { scene, tasks, route, attempts } = await serve({});
    await tasks.enqueue(route);
    scene.endpoint.interceptions.push(interception);
    if (interception === hangs) await scene.dispatchUnanswered(QUEUE);
    else await scene.dispatch(QUEUE);
    await scene.dispatchAll(QUEUE);
    expect(attempts).toEqual([2]);
  });

  it.each([
    ["is killed", killed],
    ["hangs until its deadline", hangs],
  ])("in its last attempt is parked without being run again: one whose process %s", async (_what, interception) => {
    const { scene, tasks, route, attempts } = await serve({ fates: ["throws", "busy", "throws"] });
    const { id } = await tasks.enqueue(route, { kept: 1 });
    for (let count = 0; count < 3; count++) await scene.dispatch(QUEUE);
    scene.endpoint.interceptions.push(interception);
    if (interception === hangs) await scene.dispatchUnanswered(QUEUE);
    else await scene.dispatch(QUEUE);
    expect(await scene.tasksOf(QUEUE)).toHaveLength(1);
    await scene.dispatchAll(QUEUE);
    expect(attempts).toEqual([1, 2, 2]);
    expect(await tasks.deadLetters.list()).toMatchObject([
      {
        taskId: id,
        kwargs: { kept: 1 },
        reason: "exhausted",
        attempts: 4,
        error: expect.stringContaining("expected an answer to attempt 3, its last"),
      },
    ]);
  });

  it("in every attempt is parked, and its process is killed no more often than it has attempts", async () => {
    const { scene, tasks, route, attempts } = await serve({ managed: false });
    await tasks.enqueue(route);
    scene.endpoint.interceptions.push(killed, killed, killed);
    await scene.dispatchAll(QUEUE);
    expect([attempts, scene.endpoint.received.length]).toEqual([[], 4]);
    expect(await tasks.deadLetters.list()).toMatchObject([{ reason: "exhausted" }]);
  });

  it("while its letter is parked is parked all the same", async () => {
    const { scene, tasks, route } = await serve({ fates: ["discards", "discards"] });
    const { id } = await tasks.enqueue(route);
    scene.endpoint.interceptions.push(loseAnswer);
    await scene.dispatchAll(QUEUE);
    const letters = await tasks.deadLetters.list();
    expect(new Set(letters.map(({ taskId }) => taskId))).toEqual(new Set([id]));
  });
});

describe("a queue that deletes a task after its last dispatch", () => {
  /** Of three attempts: 8 dispatches, of which those from the 7th on are not used to run it. */
  const busy = (times: number): readonly Fate[] => Array(times).fill("busy");

  it("loses no task of a service that is busy for long, however often it comes", async () => {
    const { scene, tasks, route, attempts } = await serve({ fates: busy(40), managed: false });
    const { id } = await tasks.enqueue(route, { kept: 1 });
    await scene.dispatchAll(QUEUE);
    expect(attempts).toEqual(Array(41).fill(1));
    expect(scene.recorder.finished.at(-1)).toMatchObject({ taskId: id, outcome: { type: "done" } });
  });

  it("loses none of a service that is not ready for long, whose pushes are sent back unread", async () => {
    let asked = 0;
    const ready = () => ++asked > 40;
    const { scene, tasks, route, attempts } = await serve({ ready, managed: false });
    await tasks.enqueue(route);
    await scene.dispatchAll(QUEUE);
    expect(attempts).toEqual([1]);
  });

  it("keeps its attempts and its priority while it is created anew", async () => {
    const queue = { priorities: { high: {} } };
    const fates = ["throws", ...busy(12), "throws", ...busy(12), "throws"] as const;
    const { scene, tasks, route, attempts } = await serve({ fates, queue, managed: false });
    await tasks.enqueue(route, {}, { priority: "high" as never });
    await scene.dispatchAll(`${QUEUE}-high`);
    expect(await scene.tasksOf(QUEUE)).toEqual([]);
    expect(attempts).toEqual([1, ...Array(13).fill(2), ...Array(13).fill(3)]);
    expect(await tasks.deadLetters.list()).toMatchObject([{ reason: "exhausted", attempts: 3 }]);
  });

  it("loses none whose process is killed while it brings the task to safety", async () => {
    const { scene, tasks, route, attempts } = await serve({ fates: [...busy(4), "throws", "throws"], managed: false });
    await tasks.enqueue(route);
    for (let count = 0; count < 6; count++) await scene.dispatch(QUEUE);
    scene.endpoint.interceptions.push(killed);
    await scene.dispatchAll(QUEUE);
    expect(attempts).toEqual([1, 1, 1, 1, 1, 2]);
    expect(await tasks.deadLetters.list()).toMatchObject([{ reason: "exhausted" }]);
  });

  it("loses no task that no deployment takes: it is parked", async () => {
    const { scene, tasks, route } = await serve({ managed: false });
    await tasks.enqueue(route, { kept: 1 });
    const [queued] = await scene.tasksOf(QUEUE);
    const other = new TaskRoute({ path: "x.other", queue: { name: QUEUE }, maxAttempts: 3, run: () => {} });
    await scene.makeDeadLetterTopics([other]);
    const worker = scene.adopt(createTasks({ ...scene.options, routes: [other], backend: cloudTasks() }));
    await scene.dispatchAll(QUEUE);
    expect(scene.endpoint.received).toHaveLength(7);
    expect(await worker.deadLetters.list()).toMatchObject([
      { path: "task", taskName: "task", kwargs: { kept: 1 }, reason: "undeliverable" },
    ]);
    expect(queued?.body).toContain('"kept":1');
  });

  it("loses no body that holds no envelope: it is parked whole", async () => {
    const { scene, tasks } = await serve({ managed: false });
    const httpRequest = { url: scene.endpoint.url, body: Buffer.from("{wrong"), oidcToken: scene.oidcToken };
    await scene.client.createTask({ parent: scene.queue(QUEUE), task: { httpRequest } });
    await scene.dispatchAll(QUEUE);
    expect(await tasks.deadLetters.list()).toMatchObject([
      { path: "x.task", unreadable: "{wrong", reason: "undeliverable" },
    ]);
    await expect(tasks.deadLetters.redrive((await tasks.deadLetters.list())[0]?.taskId ?? "")).rejects.toMatchObject({
      code: "INVALID_PAYLOAD",
    });
  });
});
