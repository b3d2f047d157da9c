import { describe, expect, it, vi } from "vitest";
import { RetryAfter } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { RuntimeOptions } from "../../src/core/runtime-options.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createPushHandler, type PushOptions } from "../../src/push/handle.ts";
import { noAuth } from "../../src/push/no-auth.ts";
import { sharedSecret } from "../../src/push/shared-secret.ts";
import { envelope, FakeRequest, type Push, type PushHeaders } from "../support/push.ts";
import { createScene, type SceneOptions } from "../support/scene.ts";

/** Of three attempts: its queue allows 8 dispatches, and those from the 7th on are late. */
const LATE = 7;
const good = JSON.stringify(envelope("x.task", { kept: 1 }));

function service(options: RuntimeOptions & { push?: PushOptions } = {}, scenery: SceneOptions = {}) {
  const scene = createScene(scenery);
  const { push, ...runtime } = options;
  const run = vi.fn<() => unknown>(() => "ran");
  const route = new TaskRoute({ path: "x.task", maxAttempts: 3, run });
  const tasks = createTasks({ ...scene.options, auth: noAuth(), ...runtime, routes: [route] });
  const handler = createPushHandler(tasks, push);
  const dispatch = async (count: number, request: Push = { body: good }, headers: PushHeaders = {}) => {
    const fake = new FakeRequest({
      ...request,
      headers: {
        "x-cloudtasks-taskname": "name-1",
        "x-cloudtasks-queuename": "dev--app--x-task",
        "x-cloudtasks-taskretrycount": String(count - 1),
        "x-cloudtasks-taskexecutioncount": String(count - 1),
        ...headers,
      },
    });
    const { status } = await handler.handle(fake);
    return { status, reads: fake.reads };
  };
  return { ...scene, tasks, run, dispatch };
}

describe("a dispatch that may be the last but one of its queue", () => {
  it("is acknowledged without a run once the task is created anew, with its attempts and its priority", async () => {
    const { dispatch, run, sent } = service();
    expect(await dispatch(LATE - 1)).toEqual({ status: 200, reads: 1 });
    expect([run.mock.calls.length, sent]).toEqual([1, []]);
    const carried = { "taskroute-carried-attempts": "1" };
    expect(await dispatch(LATE, undefined, carried)).toEqual({ status: 200, reads: 1 });
    expect(run).toHaveBeenCalledOnce();
    expect(sent).toMatchObject([{ id: "task-1", payloadJson: '{"kept":1}', carriedAttempts: 1, replaces: "name-1" }]);
  });

  it("is not created anew twice after RetryAfter, which carries its own attempt along", async () => {
    let online = false;
    const { dispatch, run, sent } = service(
      {},
      {
        send: (task) => {
          if (!online) throw new Error("offline");
          return { id: task.id, deduplicated: false };
        },
      },
    );
    run.mockImplementation(() => {
      online = true;
      throw new RetryAfter(30);
    });
    expect(await dispatch(LATE)).toMatchObject({ status: 200 });
    expect(sent.map(({ carriedAttempts, runAt }) => [carriedAttempts, runAt !== undefined])).toEqual([
      [0, false],
      [1, true],
    ]);
  });
});

describe("a dispatch that cannot be taken now", () => {
  const notReady = { ready: () => false };

  it("is sent back before its body is read, while there is time", async () => {
    const { dispatch, sent } = service(notReady);
    expect(await dispatch(4)).toEqual({ status: 429, reads: 0 });
    expect(await dispatch(LATE - 1)).toEqual({ status: 429, reads: 1 });
    expect(sent).toEqual([]);
  });

  it("is created anew and acknowledged, not run, before its queue may delete it: not ready", async () => {
    const { dispatch, run, sent } = service(notReady);
    expect(await dispatch(LATE)).toMatchObject({ status: 200 });
    expect(sent).toMatchObject([{ id: "task-1", carriedAttempts: 0 }]);
    expect(run).not.toHaveBeenCalled();
  });

  it("is created anew and acknowledged before its queue may delete it: draining", async () => {
    const { dispatch, sent, tasks, run } = service();
    const running = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    run.mockImplementation(() => {
      started.resolve();
      return running.promise;
    });
    const first = dispatch(1);
    await started.promise;
    const closing = tasks.close();
    expect(await dispatch(LATE)).toMatchObject({ status: 200 });
    expect(sent).toMatchObject([{ id: "task-1" }]);
    running.resolve();
    await Promise.all([first, closing]);
  });

  it("is created anew by a handler for one route, whose body is the payload", async () => {
    const { dispatch, sent } = service({ ...notReady, push: { route: { path: "x.task" } } });
    expect(await dispatch(LATE, { body: '{"kept":2}' })).toMatchObject({ status: 200 });
    expect(sent).toMatchObject([{ id: "name-1", payloadJson: '{"kept":2}' }]);
  });

  it("stays with its queue when it cannot be created anew, is no message, or is of no task here", async () => {
    const offline = service(notReady, { send: () => Promise.reject(new Error("offline")) });
    expect(await offline.dispatch(LATE)).toMatchObject({ status: 429 });
    const { dispatch, letters } = service(notReady);
    for (const body of ["{wrong", JSON.stringify(envelope("x.stranger", {}))])
      expect(await dispatch(LATE + 92, { body })).toMatchObject({ status: 429 });
    expect(letters).toEqual([]);
  });

  it("is read from nobody who was not let in, or of whom that is not known", async () => {
    const closed = service({ auth: sharedSecret("a-secret-of-some-length") });
    expect(await closed.dispatch(LATE)).toEqual({ status: 403, reads: 0 });
    const verdict = { ok: false, reason: "no keys", unavailable: true } as const;
    const unknown = service({ auth: () => ({ kind: "oidc", authenticate: () => verdict }) });
    expect(await unknown.dispatch(LATE)).toEqual({ status: 429, reads: 0 });
    expect([...closed.sent, ...unknown.sent]).toEqual([]);
  });
});

describe("a body that holds no envelope", () => {
  const bytes = Buffer.from([0xff, 0xfe, 0x00]);
  const bodies: readonly [what: string, body: Push["body"], kept: string][] = [
    ["text", "{wrong", "{wrong"],
    ["bytes of text", Buffer.from("grüße"), "grüße"],
    ["other bytes", bytes, `data:;base64,${bytes.toString("base64")}`],
    ["what a framework parsed", { task_name: 5 }, '{"task_name":5}'],
    ["nothing but white space", " ", " "],
  ];

  it.each(bodies)(
    "is parked whole before its queue may delete it, with the route of that queue: %s",
    async (_what, body, kept) => {
      const { dispatch, letters, lines } = service();
      expect(await dispatch(LATE - 1, { body })).toMatchObject({ status: 400 });
      expect(letters).toEqual([]);
      expect(await dispatch(LATE, { body })).toMatchObject({ status: 200 });
      expect(letters).toMatchObject([
        {
          taskId: "name-1",
          path: "x.task",
          taskName: "task",
          kwargs: {},
          unreadable: kept,
          reason: "undeliverable",
          error: expect.stringMatching(/^TasksError: /),
        },
      ]);
      expect(JSON.stringify(lines)).not.toContain("grüße");
    },
  );

  it("is parked without a route when it came in a queue of none", async () => {
    const { dispatch, letters } = service();
    const theirs = { "x-cloudtasks-queuename": "theirs" };
    for (const count of [98, 99]) await dispatch(count, { body: "{wrong" }, theirs);
    expect(letters).toMatchObject([{ path: "", taskName: "", unreadable: "{wrong" }]);
  });

  it("is parked with the route that the handler is mounted for", async () => {
    const { dispatch, letters } = service({ push: { route: { path: "x.task" } } });
    const theirs = { "x-cloudtasks-queuename": "theirs" };
    expect(await dispatch(LATE, { body: "[1]" }, theirs)).toMatchObject({ status: 200 });
    expect(letters).toMatchObject([{ path: "x.task", unreadable: "[1]" }]);
  });

  it("is not acknowledged when it cannot be kept, and the log says what that means", async () => {
    const lost = "a message that nothing here takes could not be kept; it is lost once its queue gives it up";
    const nowhere = service({}, { deadLetters: null });
    expect(await nowhere.dispatch(LATE, { body: "{wrong" })).toMatchObject({ status: 400 });
    expect(nowhere.lines.at(-1)).toMatchObject({ message: lost, fields: { taskId: "name-1", dispatches: LATE } });
    const unreadable = service();
    expect(await unreadable.dispatch(LATE, {})).toMatchObject({ status: 400 });
    expect(unreadable.lines.at(-1)).toMatchObject({ message: lost });
    expect(unreadable.letters).toEqual([]);
  });

  it("is answered with 400 for ever by other transports", async () => {
    const { letters, tasks } = service();
    const { status } = await createPushHandler(tasks).handle(new FakeRequest({ body: "{wrong" }));
    expect([status, letters]).toEqual([400, []]);
  });
});
