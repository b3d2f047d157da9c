import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { TaskContext } from "../../src/core/context.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createScene, deliver, type SceneOptions } from "../support/scene.ts";

const busy = { type: "busy", reason: "draining", retryAfter: 10 };

/** A client with one task under way, and when its `close` was done, in seconds after it was asked for. */
function closing(
  run: (payload: object, ctx: TaskContext) => unknown,
  options: object = {},
  scenery: SceneOptions = {},
) {
  const scene = createScene(scenery);
  const route = new TaskRoute({ path: "x.a", run, maxConcurrency: 1, maxAttempts: 1 });
  const tasks = createTasks({ ...scene.options, ...options, routes: [route] });
  const outcome = deliver(tasks, { taskName: "a" });
  const asked = scene.clock.now();
  const close = () => tasks.close().then(() => (scene.clock.now() - asked) / 1000);
  return { ...scene, tasks, route, outcome, close };
}

const obedient = (_payload: object, { signal }: TaskContext): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));

describe("closing a client", () => {
  it("waits for the tasks under way, and no longer", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { clock, outcome, close } = closing(() => promise);
    const closed = close();
    await clock.advance(3000);
    resolve("done");
    expect(await closed).toBe(3);
    expect(await outcome).toEqual({ type: "done", result: "done" });
    expect(clock.pending).toBe(0);
  });

  it.each([
    [{}, 8],
    [{ drainTimeout: 20 }, 20],
    [{ drainTimeout: 0 }, 0],
  ])(
    "with %j aborts their signals after %i s; they are sent back, and it costs them no attempt",
    async (options, at) => {
      const { clock, outcome, close, letters, lines } = closing(obedient, options);
      const closed = close();
      await clock.advance(30_000);
      expect(await closed).toBe(at);
      expect(await outcome).toEqual(busy);
      expect(letters).toEqual([]);
      expect(lines).toMatchObject([{ message: "a delivery was sent back", fields: { reason: "draining" } }]);
    },
  );

  it("gives tasks that ignore their signal one second more, and says that they are left", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { clock, outcome, close, lines } = closing(() => promise);
    const closed = close();
    await clock.advance(9000);
    expect(await closed).toBe(9);
    expect(lines).toMatchObject([
      { level: "warn", message: expect.stringContaining("ignore their signal"), fields: { running: 1 } },
    ]);
    resolve("after all");
    expect(await outcome).toEqual({ type: "done", result: "after all" });
  });

  it("tells the signal that the client closed, not that time was up", async () => {
    let reason: unknown;
    const { clock, close } = closing((payload, ctx) => {
      ctx.signal.addEventListener("abort", () => {
        reason = ctx.signal.reason;
      });
      return obedient(payload, ctx);
    });
    const closed = close();
    await clock.advance(8000);
    await closed;
    expect(reason).toMatchObject({ code: "CLOSED" });
  });

  it("sends away deliveries that come meanwhile and afterwards, before they are looked at", async () => {
    const { clock, tasks, close } = closing(obedient);
    expect(tasks.runtime.executor.admit()).toBeUndefined();
    const closed = close();
    expect(tasks.runtime.executor.admit()).toEqual(busy);
    await clock.advance(8000);
    await closed;
    expect(tasks.runtime.executor.admit()).toEqual(busy);
  });

  it("sends away at once those that wait for a slot", async () => {
    const { clock, tasks, close, outcome } = closing(obedient);
    const waiting = deliver(tasks, { taskName: "a" });
    const closed = close();
    expect(await waiting).toEqual(busy);
    await clock.advance(8000);
    expect([await outcome, await closed]).toEqual([busy, 8]);
  });

  it("starts nothing that was let in before and is ready only now", async () => {
    const checked = Promise.withResolvers<boolean>();
    const run = vi.fn();
    const scene = createScene();
    const payload = z.object({}).refine(() => checked.promise);
    const tasks = createTasks({ ...scene.options, routes: [new TaskRoute({ path: "x.a", payload, run })] });
    const outcome = deliver(tasks, { taskName: "a" });
    const closed = tasks.close();
    checked.resolve(true);
    await closed;
    expect(await outcome).toEqual(busy);
    expect(run).not.toHaveBeenCalled();
  });

  it("starts nothing that was handed a slot in the same moment", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const run = vi.fn(() => promise);
    const { tasks, outcome, clock } = closing(run);
    const waiting = deliver(tasks, { taskName: "a" });
    const closed = promise.then(() => tasks.close());
    resolve();
    await clock.advance(0);
    await closed;
    expect([await outcome, await waiting]).toMatchObject([{ type: "done" }, busy]);
    expect(run).toHaveBeenCalledOnce();
  });

  it("lets tasks under way enqueue others until they are done", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { clock, outcome, close, sent } = closing(async (_payload, ctx) => {
      await promise;
      await ctx.enqueue({ path: "x.a" }, {});
    });
    const closed = close();
    resolve();
    await clock.advance(0);
    await closed;
    expect(await outcome).toMatchObject({ type: "done" });
    expect(sent).toHaveLength(1);
  });

  it("closes the backend once, after the tasks, however often it is asked for", async () => {
    const order: string[] = [];
    const overrides = { close: async () => void order.push("backend closed") };
    const { promise, resolve } = Promise.withResolvers<void>();
    const run = () => promise.then(() => void order.push("task done"));
    const { tasks, route, clock } = closing(run, {}, { overrides });
    await tasks.enqueue(route, {});
    const both = [tasks.close(), tasks.close()];
    resolve();
    await clock.advance(0);
    await Promise.all([...both, tasks.close()]);
    expect(order).toEqual(["task done", "backend closed"]);
  });

  it("builds no backend that was never needed", async () => {
    const backend = vi.fn(createScene().options.backend);
    const tasks = createTasks({ ...createScene().options, backend, routes: [] });
    await tasks.close();
    expect(backend).not.toHaveBeenCalled();
  });

  it("refuses to enqueue afterwards", async () => {
    const { tasks, route } = closing(() => "done");
    await tasks.close();
    const closed = { name: "TasksError", code: "CLOSED" };
    await expect(tasks.enqueue(route, {})).rejects.toMatchObject(closed);
    await expect(tasks.enqueueMany(route, [{ payload: {} }])).rejects.toMatchObject(closed);
  });

  it("happens at the end of an await using block", async () => {
    const overrides = { close: vi.fn(() => Promise.resolve()) };
    const scene = createScene({ overrides });
    const route = new TaskRoute({ path: "x.a", run: () => {} });
    {
      await using tasks = createTasks({ ...scene.options, routes: [route] });
      await tasks.enqueue(route, {});
      expect(overrides.close).not.toHaveBeenCalled();
    }
    expect(overrides.close).toHaveBeenCalledOnce();
  });
});
