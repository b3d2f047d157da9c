import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it, vi } from "vitest";
import type { TaskContext } from "../../src/core/context.ts";
import { Discard } from "../../src/core/errors.ts";
import type { Middleware } from "../../src/core/invoke.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createScene, deliver } from "../support/scene.ts";

const failure = new Error("broken");
const fail = (): never => {
  throw failure;
};
const failed = { type: "failed", error: failure, retryAfter: undefined };

describe("the context of a run", () => {
  const deliverIn = (context: () => unknown, run: (payload: object, ctx: TaskContext) => unknown) => {
    const scene = createScene();
    const tasks = createTasks({
      ...scene.options,
      context,
      routes: [new TaskRoute({ path: "x.a", ackDeadline: 10, run })],
    });
    return { ...scene, tasks, outcome: deliver(tasks, { taskName: "a", kwargs: { id: "1" } }) };
  };

  it("is made anew for every run, from its payload and context", async () => {
    const { options } = createScene();
    const seen: unknown[] = [];
    const context = vi.fn(({ payload, ctx }: { payload: unknown; ctx: TaskContext }) => ({ payload, id: ctx.taskId }));
    const route = new TaskRoute({ path: "x.a", run: (_payload, ctx: TaskContext<object>) => seen.push(ctx.context) });
    const tasks = createTasks({ ...options, context, routes: [route] });
    await deliver(tasks, { taskName: "a", kwargs: { n: 1 }, taskId: "one" });
    await deliver(tasks, { taskName: "a", kwargs: { n: 2 }, taskId: "two" });
    expect(seen).toEqual([
      { payload: { n: 1 }, id: "one" },
      { payload: { n: 2 }, id: "two" },
    ]);
    expect(context).toHaveBeenCalledTimes(2);
  });

  it("may be made later", async () => {
    const { outcome } = deliverIn(
      async () => "app",
      (_payload, ctx) => ctx.context,
    );
    expect(await outcome).toEqual({ type: "done", result: "app" });
  });

  it.each([undefined, null, "text", 5, {}, { [Symbol.dispose]: "no function" }])(
    "needs no disposal: %o",
    async (app) => {
      const { outcome, lines } = deliverIn(
        () => app,
        (_payload, ctx) => ctx.context,
      );
      expect(await outcome).toEqual({ type: "done", result: app });
      expect(lines).toEqual([]);
    },
  );

  const untilAborted = (_payload: object, { signal }: TaskContext): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const ends: readonly [end: string, run: (payload: object, ctx: TaskContext) => unknown, type: string][] = [
    ["success", async () => "done", "done"],
    ["success at once", () => "done", "done"],
    ["failure", async () => fail(), "failed"],
    ["failure at once", fail, "failed"],
    ["a timeout", untilAborted, "failed"],
  ];

  describe.each(ends)("after %s", (_end, run, type) => {
    const disposals: readonly [how: string, make: (note: () => void) => object][] = [
      ["at once", (note) => ({ [Symbol.dispose]: note })],
      ["later", (note) => ({ [Symbol.asyncDispose]: async () => note() })],
      [
        "later where it can be disposed of either way",
        (note) => ({ [Symbol.dispose]: fail, [Symbol.asyncDispose]: note }),
      ],
    ];

    it.each(disposals)("is disposed of %s, once, before the delivery is answered", async (_how, make) => {
      const disposed = vi.fn();
      const { outcome, clock, lines } = deliverIn(() => make(disposed), run);
      await clock.advance(10_000);
      expect(await outcome).toMatchObject({ type });
      expect(disposed).toHaveBeenCalledOnce();
      expect(lines).toHaveLength(type === "done" ? 0 : 1);
    });

    it.each([
      ["throws", { [Symbol.dispose]: fail }],
      ["rejects", { [Symbol.asyncDispose]: async () => fail() }],
    ])("does not change the outcome when disposal %s, which is logged", async (_how, app) => {
      const { outcome, clock, lines } = deliverIn(() => app, run);
      await clock.advance(10_000);
      expect(await outcome).toMatchObject({ type });
      expect(lines[0]).toMatchObject({
        level: "error",
        message: "a task's context could not be disposed of",
        fields: { task: "x.a", error: "Error: broken" },
      });
    });
  });

  it("is disposed of as a method of itself", async () => {
    class Connection {
      #open = true;
      [Symbol.dispose](): void {
        this.#open = false;
      }
      get open(): boolean {
        return this.#open;
      }
    }
    const connection = new Connection();
    await deliverIn(
      () => connection,
      () => {},
    ).outcome;
    expect(connection.open).toBe(false);
  });

  it("stays while a task that ignores its signal is still using it", async () => {
    const disposed = vi.fn();
    const { promise, resolve } = Promise.withResolvers<void>();
    const { outcome, clock } = deliverIn(
      () => ({ [Symbol.dispose]: disposed }),
      () => promise,
    );
    await clock.advance(10_000);
    expect(await outcome).toMatchObject({ type: "failed" });
    expect(disposed).not.toHaveBeenCalled();
    resolve();
    await clock.advance(0);
    expect(disposed).toHaveBeenCalledOnce();
  });

  it.each([
    ["throws", fail],
    ["rejects", async () => fail()],
  ])("fails the run when making it %s, and the task is not begun", async (_how, context) => {
    const run = vi.fn();
    const { outcome } = deliverIn(context, run);
    expect(await outcome).toEqual(failed);
    expect(run).not.toHaveBeenCalled();
  });
});

describe("middleware", () => {
  const deliverThrough = async (middleware: readonly Middleware[], run: (payload: object) => unknown) => {
    const { options } = createScene();
    const tasks = createTasks({ ...options, middleware, routes: [new TaskRoute({ path: "x.a", run })] });
    return deliver(tasks, { taskName: "a", kwargs: { id: "1" } });
  };

  it("wraps the run, the first one outermost", async () => {
    const order: string[] = [];
    const layer =
      (name: string): Middleware =>
      async (_info, next) => {
        order.push(`${name} in`);
        const result = await next();
        order.push(`${name} out`);
        return `${name}(${result})`;
      };
    const outcome = await deliverThrough([layer("a"), layer("b"), layer("c")], () => order.push("run") && "ran");
    expect(order).toEqual(["a in", "b in", "c in", "run", "c out", "b out", "a out"]);
    expect(outcome).toEqual({ type: "done", result: "a(b(c(ran)))" });
  });

  it("sees the payload as the task does, and the context that was made", async () => {
    const seen = vi.fn();
    const tasks = createTasks({
      ...createScene().options,
      context: () => "app",
      middleware: [({ payload, ctx }, next) => seen(payload, ctx.path, ctx.context) ?? next()],
      routes: [new TaskRoute({ path: "x.a", run: () => "ran" })],
    });
    expect(await deliver(tasks, { taskName: "a", kwargs: { id: "1" } })).toEqual({ type: "done", result: "ran" });
    expect(seen).toHaveBeenCalledExactlyOnceWith({ id: "1" }, "x.a", "app");
  });

  it.each([
    ["throws at once", fail],
    ["rejects", async () => fail()],
  ])("may turn what a task %s into another error", async (_how, run) => {
    const outcome = await deliverThrough(
      [(_info, next) => next().catch((cause) => Promise.reject(new Discard("given up", { cause })))],
      run,
    );
    expect(outcome).toMatchObject({ type: "discarded", reason: "discarded", error: { cause: failure } });
  });

  it("may turn a failure into a result", async () => {
    const outcome = await deliverThrough([(_info, next) => next().catch(() => "instead")], fail);
    expect(outcome).toEqual({ type: "done", result: "instead" });
  });

  it("may leave the task out", async () => {
    const run = vi.fn();
    const inner = vi.fn();
    expect(await deliverThrough([() => "cached", inner], run)).toEqual({ type: "done", result: "cached" });
    expect([run.mock.calls, inner.mock.calls]).toEqual([[], []]);
  });

  it.each([
    ["throws", fail],
    ["rejects", async () => fail()],
  ])("that %s fails the run", async (_how, layer) => {
    expect(await deliverThrough([layer], () => "ran")).toEqual(failed);
  });

  it("may run the task in a scope of its own", async () => {
    const scope = new AsyncLocalStorage<string>();
    const outcome = await deliverThrough([({ ctx }, next) => scope.run(ctx.taskId, next)], async () =>
      scope.getStore(),
    );
    expect(outcome).toEqual({ type: "done", result: "task-1" });
  });
});
