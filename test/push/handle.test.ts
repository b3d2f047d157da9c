import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { Authenticator } from "../../src/core/auth.ts";
import { TaskContract } from "../../src/core/contract.ts";
import { Busy, Discard, RetryAfter, type TasksErrorCode } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { RuntimeOptions } from "../../src/core/runtime-options.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createPushHandler, type PushOptions } from "../../src/push/handle.ts";
import { noAuth } from "../../src/push/no-auth.ts";
import type { PushRequest } from "../../src/push/request.ts";
import { sharedSecret } from "../../src/push/shared-secret.ts";
import { envelope, FakeRequest, type Push, wrapped } from "../support/push.ts";
import { refusalOf } from "../support/refusal.ts";
import { createScene, NOTHING, type SceneOptions } from "../support/scene.ts";

const payload = z.object({ id: z.string() });
const good = wrapped(envelope("mail", { id: "1" }));

/** A service with one task, pushed to without authentication. */
function service(
  run: () => unknown = () => "ran",
  options: RuntimeOptions & { push?: PushOptions } = {},
  scenery: SceneOptions = {},
) {
  const scene = createScene(scenery);
  const { push, ...runtime } = options;
  const route = new TaskRoute({ path: "accounts.mail", payload, run, maxAttempts: 3 });
  const tasks = createTasks({ ...scene.options, auth: noAuth(), ...runtime, routes: [route] });
  const handler = createPushHandler(tasks, push);
  const answer = async (request: Push | PushRequest = { body: good }) =>
    handler.handle("header" in request ? request : new FakeRequest(request));
  return { ...scene, route, tasks, handler, answer };
}

describe("a push", () => {
  const thrown = (error: unknown) => () => {
    throw error;
  };
  const table: readonly [what: string, run: () => unknown, deliveryAttempt: number, answer: object][] = [
    ["whose task returns is acknowledged", () => "ran", 1, { status: 200, headers: {} }],
    ["whose task throws is not", thrown(new Error("broken")), 1, { status: 500, headers: {} }],
    [
      "whose task throws the last time is: its dead letter is kept",
      thrown(new Error("broken")),
      3,
      { status: 200, headers: {} },
    ],
    ["whose task gives up is: its dead letter is kept", thrown(new Discard()), 1, { status: 200, headers: {} }],
    [
      "whose task is busy comes again",
      thrown(new Busy("", { retryAfter: 7 })),
      3,
      { status: 429, headers: { "retry-after": "7" } },
    ],
  ];

  it.each(table)("%s", async (_what, run, deliveryAttempt, expected) => {
    const { answer } = service(run);
    expect(await answer({ body: { ...good, deliveryAttempt } })).toEqual(expected);
  });

  it("is dated by its arrival, not by the end of what comes before the run", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const run = vi.fn();
    const { answer, clock } = service(run, { ready: () => promise });
    const arrived = clock.now();
    const answered = answer();
    await clock.advance(4000);
    resolve(true);
    await answered;
    expect(run).toHaveBeenCalledWith({ id: "1" }, expect.objectContaining({ deadline: new Date(arrived + 300_000) }));
  });

  it("never rejects, whatever breaks, and lets nothing in then", async () => {
    const broken: Authenticator = { kind: "none", authenticate: () => Promise.reject(new Error("broken")) };
    const run = vi.fn();
    const { answer, lines } = service(run, { auth: () => broken });
    expect(await answer()).toEqual({ status: 500, headers: {} });
    expect(run).not.toHaveBeenCalled();
    expect(lines).toMatchObject([{ level: "error", fields: { error: "Error: broken" } }]);
  });

  it("starts a backend that delivers by itself, once the handler is built", () => {
    const start = vi.fn();
    service(undefined, {}, { overrides: { start } });
    expect(start).toHaveBeenCalledOnce();
  });
});

describe("the order of checks", () => {
  const closed = sharedSecret("a-secret-of-some-length");
  const notReady = () => false;
  const table: readonly [what: string, options: RuntimeOptions, push: Push, status: number, reads: number][] = [
    ["a wrong method comes before a wrong caller", { auth: closed, ready: notReady }, { method: "GET" }, 405, 0],
    ["a wrong caller comes before a service that is not ready", { auth: closed, ready: notReady }, {}, 403, 0],
    ["a service that is not ready comes before a wrong body", { ready: notReady }, { body: "wrong" }, 429, 0],
    ["a wrong body comes last", {}, { body: "wrong" }, 400, 1],
    ["a good body is read once", {}, { body: good }, 200, 1],
  ];

  it.each(table)("%s", async (_what, options, push, status, reads) => {
    const request = new FakeRequest(push);
    expect(await service(undefined, options).answer(request)).toMatchObject({ status });
    expect(request.reads).toBe(reads);
  });

  it("asks the ready check of nobody who was not let in", async () => {
    const ready = vi.fn(() => true);
    await service(undefined, { auth: closed, ready }).answer();
    expect(ready).not.toHaveBeenCalled();
  });

  const checks: readonly [what: string, ready: () => boolean | Promise<boolean>][] = [
    ["is false", notReady],
    ["is false later", async () => false],
    [
      "throws",
      () => {
        throw new Error("no database");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no database"))],
  ];

  it.each(checks)("answers 429 before the body is read when the ready check %s", async (_what, ready) => {
    const request = new FakeRequest({ body: good });
    expect(await service(undefined, { ready }).answer(request)).toEqual({
      status: 429,
      headers: { "retry-after": "10" },
    });
    expect(request.reads).toBe(0);
  });

  it("answers 429 before the body is read while draining, and once closed", async () => {
    const { answer, tasks } = service();
    const closing = tasks.close();
    for (const wait of [Promise.resolve(), closing]) {
      await wait;
      const request = new FakeRequest({ body: good });
      expect(await answer(request)).toEqual({ status: 429, headers: { "retry-after": "10" } });
      expect(request.reads).toBe(0);
    }
  });
});

describe("a body", () => {
  const limited = { push: { bodyLimit: 200 } };

  it("is read with the limit of the handler", async () => {
    const body = vi.fn(() => good);
    const { answer, handler } = service();
    await answer({ method: "POST", header: () => undefined, body });
    expect([handler.bodyLimit, body.mock.calls]).toEqual([16 * 1024 * 1024, [[16 * 1024 * 1024]]]);
    expect(service(undefined, limited).handler.bodyLimit).toBe(200);
  });

  it.each([
    ["bytes", Buffer.alloc(201)],
    ["text", " ".repeat(201)],
  ])("in %s that an adapter let through is held against it", async (_form, body) => {
    const { answer, lines } = service(undefined, limited);
    expect(await answer({ method: "POST", header: () => undefined, body: () => body })).toMatchObject({
      status: 413,
    });
    expect(lines).toMatchObject([{ level: "warn", fields: { status: 413, limit: 200 } }]);
  });

  it.each([
    ["throws", () => JSON.parse("{secret")],
    ["rejects", async () => JSON.parse("{secret")],
  ])("whose reading %s is malformed, and what the parser quotes of it is not logged", async (_how, body) => {
    const { answer, lines } = service();
    expect(await answer({ method: "POST", header: () => undefined, body })).toMatchObject({ status: 400 });
    expect(lines).toMatchObject([
      { fields: { reason: "malformed", error: "SyntaxError: the body could not be read" } },
    ]);
  });
});

describe("RetryAfter", () => {
  const later = () => {
    throw new RetryAfter(90);
  };

  it("creates the task anew with its delay and its attempts, and acknowledges only then", async () => {
    const { answer, sent, clock } = service(later);
    expect(await answer({ body: { ...good, deliveryAttempt: 2 } })).toEqual({ status: 200, headers: {} });
    expect(sent).toMatchObject([
      { id: "task-1", payloadJson: '{"id":"1"}', runAt: clock.now() + 90_000, carriedAttempts: 2 },
    ]);
  });

  it("is plain back-off where the backend cannot delay", async () => {
    const { answer, sent } = service(later, {}, { capabilities: NOTHING });
    expect(await answer()).toEqual({ status: 500, headers: { "retry-after": "90" } });
    expect(sent).toEqual([]);
  });

  it("is plain back-off, and loses nothing, where the backend does not take the task", async () => {
    const { answer, lines } = service(later, {}, { send: () => Promise.reject(new Error("offline")) });
    expect(await answer()).toEqual({ status: 500, headers: { "retry-after": "90" } });
    expect(lines.at(-1)).toMatchObject({ level: "error", fields: { taskId: "task-1", error: "Error: offline" } });
  });
});

describe("a handler for one route", () => {
  const mounted = (run?: () => unknown) => service(run, { push: { route: { path: "accounts.mail" } } });

  it("takes the body as the payload", async () => {
    const run = vi.fn();
    const headers = { "x-cloudtasks-taskname": "task-9", "x-cloudtasks-taskretrycount": "1" };
    expect(await mounted(run).answer({ headers, body: '{"id":"1"}' })).toMatchObject({ status: 200 });
    expect(run).toHaveBeenCalledExactlyOnceWith({ id: "1" }, expect.objectContaining({ taskId: "task-9", attempt: 2 }));
  });

  it("takes nobody's envelope for it", async () => {
    expect(await mounted().answer({ body: good })).toMatchObject({ status: 400 });
  });

  it("creates its task anew for RetryAfter", async () => {
    const { answer, sent } = mounted(() => {
      throw new RetryAfter(5);
    });
    const headers = { "x-cloudtasks-taskname": "task-9" };
    expect(await answer({ headers, body: '{"id":"1"}' })).toMatchObject({ status: 200 });
    expect(sent).toMatchObject([{ id: "task-9", route: { path: "accounts.mail" }, payloadJson: '{"id":"1"}' }]);
  });
});

describe("a handler's options", () => {
  const contract = new TaskContract({ path: "x.contract" });
  const wrong: readonly [options: object, code: TasksErrorCode, text: string][] = [
    [{ bodylimit: 5 }, "INVALID_OPTION", "push handler: unknown option bodylimit, did you mean bodyLimit?"],
    [{ rout: contract }, "INVALID_OPTION", "push handler: unknown option rout, did you mean route?"],
    [{ bodyLimit: 0 }, "INVALID_OPTION", "expected bodyLimit to be a whole number of bytes above 0, got 0"],
    [{ bodyLimit: 1.5 }, "INVALID_OPTION", "got 1.5"],
    [{ bodyLimit: "1mb" }, "INVALID_OPTION", 'got "1mb"'],
    [{ route: { path: "x.other" } }, "UNKNOWN_ROUTE", 'got "x.other"'],
    [{ route: contract }, "INVALID_OPTION", 'expected route to have a body, got the contract "x.contract"'],
  ];

  it.each(wrong)("%j are refused", (options, code, text) => {
    const tasks = createTasks({ ...createScene().options, routes: [contract] });
    expect(refusalOf(() => createPushHandler(tasks, options), code)).toContain(text);
  });
});

describe("while a framework only builds", () => {
  const building = { NEXT_PHASE: "phase-production-build" };

  it("a handler is built without looking at anything, which is made up for at the first request", async () => {
    const auth = vi.fn(noAuth());
    const { answer } = service(undefined, { auth }, { env: building });
    expect(auth).not.toHaveBeenCalled();
    for (let count = 0; count < 2; count++) expect(await answer()).toMatchObject({ status: 200 });
    expect(auth).toHaveBeenCalledOnce();
  });

  it("an incomplete environment is no error; it fails closed at every request afterwards", async () => {
    const { answer, lines } = service(undefined, {}, { env: { ...building, NODE_ENV: "production" } });
    expect(lines).toEqual([]);
    const request = new FakeRequest({ body: good });
    for (let count = 1; count <= 2; count++) {
      expect(await answer(request)).toEqual({ status: 500, headers: {} });
      expect(lines).toHaveLength(count);
      expect(lines[count - 1]?.fields.error).toMatch(/^TasksError: noAuth: expected authentication in production/);
    }
    expect(request.reads).toBe(0);
  });
});
