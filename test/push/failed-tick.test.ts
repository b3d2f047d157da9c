import { describe, expect, it } from "vitest";
import { Busy, Discard, RetryAfter } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createPushHandler } from "../../src/push/handle.ts";
import { noAuth } from "../../src/push/no-auth.ts";
import { FakeRequest, type PushHeaders } from "../support/push.ts";
import { createScene, NOTHING, type SceneOptions } from "../support/scene.ts";

const TICK = "2026-01-01T09:00:00Z";
const CALL: PushHeaders = {
  "x-cloudscheduler": "true",
  "x-cloudscheduler-jobname": "job-1",
  "x-cloudscheduler-scheduletime": TICK,
};
/** Cloud Tasks keeps what it has, and knows no lock against overlap. */
const QUEUE = { ...NOTHING, delay: true, durable: true };

function service(run: () => unknown, scenery: SceneOptions = {}, ready: () => boolean = () => true) {
  const scene = createScene({ capabilities: QUEUE, ...scenery });
  const route = new TaskRoute({ path: "x.task", schedule: "0 9 * * *", minRetryDelay: 20, maxAttempts: 3, run });
  const tasks = createTasks({ ...scene.options, ready, auth: noAuth(), routes: [route] });
  const handler = createPushHandler(tasks);
  const body = JSON.stringify({ task_id: "scheduled-task", task_name: "task", args: [], kwargs: { kept: 1 } });
  const call = async (headers: PushHeaders = CALL) => (await handler.handle(new FakeRequest({ body, headers }))).status;
  return { ...scene, tasks, call };
}

function failing(error: Error) {
  return () => {
    throw error;
  };
}

describe("a call of Cloud Scheduler that fails", () => {
  const carriedOn = {
    id: "scheduled-dev--app--x.task-20260101T090000Z",
    payloadJson: '{"kept":1}',
    replaces: `job-1-${TICK}`,
    scheduledFor: new Date(TICK),
  };

  it.each([
    ["its task throws", new Error("boom"), 1, 20],
    ["its task asks for a delay", new RetryAfter(90), 1, 90],
    ["its task is busy, which counts for nothing", new Busy("later", { retryAfter: 40 }), 0, 40],
  ])("is carried on with as a task of its queue, with its tick: %s", async (_, error, carriedAttempts, seconds) => {
    const { call, sent, clock } = service(failing(error));
    expect(await call()).toBe(200);
    expect(sent).toMatchObject([{ ...carriedOn, carriedAttempts, runAt: clock.now() + seconds * 1000 }]);
  });

  it("is carried on with though it came while the service is not ready, or closes", async () => {
    const notReady = service(
      () => {},
      {},
      () => false,
    );
    expect(await notReady.call()).toBe(200);
    expect(notReady.sent).toMatchObject([{ ...carriedOn, carriedAttempts: 0 }]);
    const running = Promise.withResolvers<void>();
    const { tasks, call, sent } = service(() => running.promise);
    const first = call();
    const closed = tasks.close();
    expect(await call({ ...CALL, "x-cloudscheduler-scheduletime": "2026-01-02T09:00:00Z" })).toBe(200);
    expect(sent).toMatchObject([{ scheduledFor: new Date("2026-01-02T09:00:00Z"), carriedAttempts: 0 }]);
    running.resolve();
    await Promise.all([first, closed]);
  });

  it("is parked at once where its task gives up", async () => {
    const { call, sent, letters } = service(failing(new Discard()));
    expect(await call()).toBe(200);
    expect([sent, letters.map(({ reason }) => reason)]).toEqual([[], ["discarded"]]);
  });

  it.each<[what: string, scenery: SceneOptions]>([
    ["that cannot delay", { capabilities: { ...QUEUE, delay: false } }],
    ["that holds its lock against overlap", { capabilities: { ...QUEUE, overlap: true } }],
    ["that does not take it", { send: () => Promise.reject(new Error("offline")) }],
  ])("stays with its scheduler, beside a backend %s", async (_, scenery) => {
    const { call } = service(failing(new Error("boom")), scenery);
    expect(await call()).toBe(500);
  });

  it("tells its tick when it comes from the queue", async () => {
    const ticks: (Date | undefined)[] = [];
    const scene = createScene({ capabilities: QUEUE });
    const route = new TaskRoute({
      path: "x.task",
      run: (_, { scheduledFor, taskId }) => void ticks.push(scheduledFor, new Date(taskId === "tick-1" ? 1 : 0)),
    });
    const handler = createPushHandler(createTasks({ ...scene.options, auth: noAuth(), routes: [route] }));
    const body = JSON.stringify({ task_id: "tick-1", task_name: "task", kwargs: {}, enqueued_at: TICK });
    const headers = { "x-cloudtasks-taskname": "name-1", "taskroute-scheduled-for": TICK };
    expect(await handler.handle(new FakeRequest({ body, headers }))).toMatchObject({ status: 200 });
    expect(ticks).toEqual([new Date(TICK), new Date(1)]);
  });
});
