import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { immediate } from "../../src/backends/immediate.ts";
import { local } from "../../src/backends/local.ts";
import { TaskContract } from "../../src/core/contract.ts";
import { Discard, RetryAfter } from "../../src/core/errors.ts";
import type { Middleware } from "../../src/core/invoke.ts";
import { type Logger, silentLogger } from "../../src/core/logger.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { createPushHandler } from "../../src/push/handle.ts";
import { noAuth } from "../../src/push/no-auth.ts";
import { sharedSecret } from "../../src/push/shared-secret.ts";
import { createScene, deliver } from "../support/scene.ts";

const boom = (): never => {
  throw new Error("EPIPE");
};
const broken: Logger = { debug: boom, info: boom, warn: boom, error: boom };
const stranger = { method: "POST", header: () => undefined, body: () => "{}" };

/** An error that cannot be looked at. */
class Unreadable extends Error {
  override get message(): string {
    throw new Error("getter");
  }
}

describe("production", () => {
  const task = new TaskRoute({ path: "x.task", run: () => {} });

  it.each([
    ["undefined", undefined],
    ["a selection without the platform's marks", { TASKS_NAMESPACE: "shop" }],
  ])("is known by the process's own variables although env is %s", (_what, env) => {
    vi.stubEnv("K_SERVICE", "shop");
    try {
      const options = { routes: [task], logger: silentLogger, ...(env === undefined ? {} : { env }) };
      for (const client of [createTasks(options), createTasks({ ...options, auth: noAuth() })]) {
        expect(() => createPushHandler(client)).toThrow(/in production|TASKS_SERVICE_ACCOUNT/);
      }
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe("a logger that throws", () => {
  it("ends neither a push nor the process", async () => {
    const task = new TaskRoute({ path: "x.task", run: () => Promise.reject(new Error("no")) });
    const auth = sharedSecret("a-secret-of-enough-letters");
    const tasks = createTasks({ routes: [task], backend: immediate(), logger: broken, auth, env: {} });
    expect(await createPushHandler(tasks).handle(stranger)).toMatchObject({ status: 403 });
    expect(await (await tasks.enqueue(task)).outcome()).toMatchObject({ type: "failed" });
  });

  it("does not keep the engine from parking what nobody can take", async () => {
    const clock = new VirtualClock();
    const nobodys = new TaskContract({ path: "x.task", maxAttempts: 1 });
    const tasks = createTasks({ routes: [nobodys], backend: local(), logger: broken, clock, env: {} });
    const { id } = await tasks.enqueue(nobodys);
    await clock.advance(3_600_000);
    expect(await tasks.deadLetters.list()).toMatchObject([{ taskId: id, reason: "undeliverable" }]);
    await tasks.close();
  });
});

describe("an error that cannot be described", () => {
  it("parks its task all the same, in the last attempt", async () => {
    const task = new TaskRoute({ path: "x.task", maxAttempts: 1, run: () => Promise.reject(new Unreadable()) });
    const tasks = createTasks({ routes: [task], backend: immediate(), logger: silentLogger, env: {} });
    expect(await (await tasks.enqueue(task)).outcome()).toMatchObject({ type: "discarded", reason: "exhausted" });
    expect(await tasks.deadLetters.list()).toMatchObject([{ error: "an error that cannot be described" }]);
  });
});

describe("a result whose then throws", () => {
  it("fails the run and gives its place back", async () => {
    const { options } = createScene();
    const hostile = {
      // biome-ignore lint/suspicious/noThenProperty: that it is one is the point.
      get then() {
        throw new Error("getter");
      },
    };
    const task = new TaskRoute({ path: "x.task", run: () => hostile });
    const tasks = createTasks({ ...options, routes: [task] });
    expect(await deliver(tasks, { taskName: "task" })).toMatchObject({ type: "failed" });
    expect(tasks.runtime.executor.running).toBe(0);
  });
});

describe("a middleware that forgets to return what next gave it", () => {
  const forgetful: Middleware = (_info, next) => {
    void next();
  };

  it.each<[what: string, run: () => Promise<unknown>, outcome: object]>([
    [
      "waits for the work",
      () => new Promise((resolve) => setImmediate(() => resolve("ran"))),
      { type: "done", result: "ran" },
    ],
    ["fails with the work", () => Promise.reject(new Error("the work failed")), { type: "failed" }],
    [
      "fails with work that goes on",
      () => new Promise((_, no) => setImmediate(() => no(new Error()))),
      { type: "failed" },
    ],
  ])("%s", async (_what, run, outcome) => {
    const { options } = createScene();
    const task = new TaskRoute({ path: "x.task", run });
    const tasks = createTasks({ ...options, routes: [task], middleware: [forgetful] });
    expect(await deliver(tasks, { taskName: "task" })).toMatchObject(outcome);
  });

  it("does not end before the work although it has a result of its own", async () => {
    const { options } = createScene();
    let ended = false;
    const run = () =>
      new Promise<void>((resolve) =>
        setImmediate(() => {
          ended = true;
          resolve();
        }),
      );
    const hasty: Middleware = (_info, next) => {
      void next();
      return "mine";
    };
    const tasks = createTasks({ ...options, routes: [new TaskRoute({ path: "x.task", run })], middleware: [hasty] });
    expect([await deliver(tasks, { taskName: "task" }), ended]).toEqual([{ type: "done", result: "mine" }, true]);
  });
});

describe("dead letters of one task id", () => {
  it("stand side by side, and are redriven and dropped together", async () => {
    let fixed = false;
    const seen: unknown[] = [];
    const gives = (payload: object) => {
      if (!fixed) throw new Discard();
      seen.push(payload);
    };
    const mail = new TaskRoute({ path: "x.mail", run: gives });
    const bill = new TaskRoute({ path: "x.bill", run: gives });
    const tasks = createTasks({ routes: [mail, bill], backend: immediate(), logger: silentLogger, env: {} });
    await tasks.enqueue(mail, { n: 1 }, { id: "order-42" });
    await tasks.enqueue(bill, { n: 2 }, { id: "order-42" });
    await tasks.enqueue(mail, { n: 3 }, { id: "order-42" });
    expect((await tasks.deadLetters.list()).map(({ kwargs }) => kwargs)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    fixed = true;
    expect(await tasks.deadLetters.redrive("order-42")).toBe(true);
    expect([seen, await tasks.deadLetters.list()]).toEqual([[{ n: 1 }, { n: 2 }, { n: 3 }], []]);
  });

  it("stay where an inline rerun fails again", async () => {
    let thrown: Error = new Discard();
    const task = new TaskRoute({ path: "x.task", run: () => Promise.reject(thrown) });
    const tasks = createTasks({ routes: [task], backend: immediate(), logger: silentLogger, env: {} });
    const { id } = await tasks.enqueue(task);
    thrown = new Error("still broken");
    await expect(tasks.deadLetters.redrive(id)).rejects.toThrow("still broken");
    expect(await tasks.deadLetters.list()).toMatchObject([{ taskId: id }]);
  });
});

describe("closing", () => {
  it("waits for a dead letter that is being kept, before it closes the backend", async () => {
    const order: string[] = [];
    const scene = createScene();
    const kept = Promise.withResolvers<void>();
    const deadLetters = { park: () => kept.promise.then(() => void order.push("kept")) };
    const backend = () => ({
      name: "slow",
      capabilities: {
        delay: false,
        dedupe: false,
        priority: false,
        ordering: false,
        durable: true,
        results: false,
        overlap: true,
      },
      send: boom,
      deadLetters,
      close: async () => void order.push("closed"),
    });
    const task = new TaskRoute({ path: "x.task", run: () => Promise.reject(new Discard()) });
    const tasks = createTasks({ ...scene.options, backend, routes: [task] });
    const outcome = deliver(tasks, { taskName: "task" });
    const closed = tasks.close();
    await scene.clock.advance(0);
    expect(order).toEqual([]);
    kept.resolve();
    await closed;
    expect([await outcome, order]).toMatchObject([{ type: "discarded" }, ["kept", "closed"]]);
  });
});

describe("what never answers", () => {
  it("is a no, when it is the ready check", async () => {
    const { options, clock } = createScene();
    const task = new TaskRoute({ path: "x.task", run: () => {} });
    const tasks = createTasks({ ...options, routes: [task], ready: () => new Promise(() => {}) });
    const admitted = Promise.resolve(tasks.runtime.executor.admit());
    await clock.advance(5000);
    expect(await admitted).toMatchObject({ type: "busy", reason: "not-ready" });
  });

  it("is sent back before the deadline, when it is the schema", async () => {
    const { options, clock } = createScene();
    const payload = z.object({}).refine(() => new Promise<boolean>(() => {}));
    const task = new TaskRoute({ path: "x.task", ackDeadline: 10, payload, run: () => {} });
    const tasks = createTasks({ ...options, routes: [task] });
    const outcome = deliver(tasks, { taskName: "task" });
    await clock.advance(8000);
    expect(await outcome).toMatchObject({ type: "busy" });
  });

  it("changes nothing, when it is the disposal of a context", async () => {
    const { options, clock, lines } = createScene();
    const context = () => ({ [Symbol.asyncDispose]: () => new Promise<void>(() => {}) });
    const tasks = createTasks({ ...options, context, routes: [new TaskRoute({ path: "x.task", run: () => "ran" })] });
    const outcome = deliver(tasks, { taskName: "task" });
    await clock.advance(5000);
    expect(await outcome).toEqual({ type: "done", result: "ran" });
    expect(lines).toMatchObject([{ message: "a task's context could not be disposed of" }]);
  });
});

describe("a context", () => {
  it("that is a function is disposed of as well", async () => {
    const disposed = vi.fn();
    const client = Object.assign(() => {}, { [Symbol.dispose]: disposed });
    const { options } = createScene();
    const tasks = createTasks({
      ...options,
      context: () => client,
      routes: [new TaskRoute({ path: "x.t", run: () => {} })],
    });
    await deliver(tasks, { taskName: "t" });
    expect(disposed).toHaveBeenCalledOnce();
  });

  it("that comes after the deadline is disposed of, and the task is not run", async () => {
    const { options, clock } = createScene();
    const disposed = vi.fn();
    const run = vi.fn();
    const made = Promise.withResolvers<Disposable>();
    const task = new TaskRoute({ path: "x.t", ackDeadline: 10, run });
    const tasks = createTasks({ ...options, context: () => made.promise, routes: [task] });
    const outcome = deliver(tasks, { taskName: "t" });
    await clock.advance(15_000);
    made.resolve({ [Symbol.dispose]: disposed });
    expect(await outcome).toMatchObject({ type: "failed" });
    await clock.advance(0);
    expect([run.mock.calls, disposed.mock.calls.length]).toEqual([[], 1]);
  });
});

describe("a refused payload", () => {
  it("is told in the log by number and kind of its issues alone", async () => {
    const { options, lines } = createScene();
    const payload = z.strictObject({ balances: z.record(z.string(), z.number()) });
    const tasks = createTasks({ ...options, routes: [new TaskRoute({ path: "x.t", payload, run: () => {} })] });
    await deliver(tasks, { taskName: "t", kwargs: { balances: { "alice@example.com": "x" }, "secret-4111": 1 } });
    const text = JSON.stringify(lines);
    expect(text).toContain("2 issues, ");
    expect(text).not.toMatch(/alice|4111/);
  });

  it("is told in the log with our own reason where no schema refused it, and without what a schema threw", async () => {
    const { options, lines } = createScene();
    const payload = z.strictObject({}).refine(() => {
      throw new Error("secret-4111");
    });
    const routes = [
      new TaskRoute({ path: "x.t", args: ["id"], run: () => {} }),
      new TaskRoute({ path: "x.u", payload, run: () => {} }),
    ];
    const tasks = createTasks({ ...options, routes });
    await deliver(tasks, { taskName: "t", args: ["4111", "4111"] });
    await deliver(tasks, { taskName: "u" });
    const text = JSON.stringify(lines);
    expect(text).toContain("expected at most 1 positional argument");
    expect(text).toContain("the schema threw");
    expect(text).not.toContain("4111");
  });
});

describe("production with Cloud Tasks", () => {
  it("refuses a backend that keeps no dead letters durably", () => {
    const task = new TaskRoute({ path: "x.t", via: "cloud-tasks", run: () => {} });
    const tasks = createTasks({
      routes: [task],
      backend: local({ allowInProduction: true }),
      logger: silentLogger,
      env: { K_SERVICE: "shop", TASKS_NAMESPACE: "shop" },
    });
    expect(() => tasks.start()).toThrow(/dead letters durably/);
  });
});

describe("closing a client with a push handler", () => {
  it("waits for a task that is being created anew, before it closes the backend", async () => {
    const order: string[] = [];
    const scene = createScene();
    const sent = Promise.withResolvers<void>();
    const backend = () => ({
      name: "slow",
      capabilities: {
        delay: true,
        dedupe: false,
        priority: false,
        ordering: false,
        durable: true,
        results: false,
        overlap: true,
      },
      send: async ({ id }: { id: string }) => {
        await sent.promise;
        order.push("created anew");
        return { id, deduplicated: false };
      },
      close: async () => void order.push("closed"),
    });
    const task = new TaskRoute({ path: "x.task", run: () => Promise.reject(new RetryAfter(5)) });
    const tasks = createTasks({ ...scene.options, backend, routes: [task], auth: noAuth() });
    const body = () => JSON.stringify({ task_id: "1", task_name: "task", args: [], kwargs: {} });
    const answered = createPushHandler(tasks).handle({ ...stranger, body });
    await scene.clock.advance(0);
    const closed = tasks.close();
    await scene.clock.advance(0);
    expect(order).toEqual([]);
    sent.resolve();
    await closed;
    expect([await answered, order]).toMatchObject([{ status: 200 }, ["created anew", "closed"]]);
  });
});
