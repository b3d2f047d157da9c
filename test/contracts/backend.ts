import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Discard } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { closeScenes } from "../backends/scene.ts";
import { describeCapabilities } from "./backend-capabilities.ts";
import { describeFailures } from "./backend-failures.ts";
import { type BackendSubject, expectRefusal, openScene } from "./backend-subject.ts";

/** What every backend does, whatever it delivers through; a new one joins in `backends.test.ts`. */
export function describeBackend(name: string, subject: BackendSubject): void {
  const scene = () => openScene(subject);

  describe(`${name} backend`, () => {
    closeScenes();

    it("has the task once enqueue has resolved, and runs it under the id that enqueue returned", async () => {
      const { options, adopt, recorder } = await scene();
      const task = new TaskRoute({ path: "x.task", run: () => {} });
      const tasks = await adopt(createTasks({ ...options, routes: [task] }));
      const run = await tasks.enqueue(task);
      expect(run).toMatchObject({ id: expect.stringMatching(/^[0-9a-f-]{36}$/), deduplicated: false });
      await recorder.outcomes(1, "done");
      expect(recorder.order.map((event) => event.split(" "))).toEqual(
        expect.arrayContaining(["enqueued", "started", "finished"].map((kind) => [kind, run.id])),
      );
    });

    it("hands over the payload as JSON carries it, parsed by the schema once more", async () => {
      const { options, adopt, recorder } = await scene();
      const seen: unknown[] = [];
      const order = z.object({ at: z.coerce.date<Date | string>(), count: z.coerce.number().default(3) });
      const typed = new TaskRoute({ path: "x.typed", payload: order, run: (payload) => void seen.push(payload) });
      const plain = new TaskRoute({ path: "x.plain", run: (payload) => void seen.push(payload) });
      const tasks = await adopt(createTasks({ ...options, routes: [typed, plain] }));
      const at = new Date("2026-05-06T07:08:09Z");
      const text = 'Zoë ✓ \u2028 "quoted" \\ <script>';
      await tasks.enqueue(typed, { at });
      await recorder.outcomes(1, "done");
      await tasks.enqueue(plain, { at, text, nothing: undefined, list: [1, [null, { deep: true }]] });
      await recorder.outcomes(2, "done");
      expect(seen).toEqual([
        { at, count: 3 },
        { at: at.toISOString(), text, list: [1, [null, { deep: true }]] },
      ]);
      expect(seen[1]).not.toHaveProperty("nothing");
    });

    it("tells a task all about its run", async () => {
      const { options, adopt, clock, recorder } = await scene();
      const seen: unknown[] = [];
      const task = new TaskRoute({
        path: "accounts.greet",
        ackDeadline: 60,
        maxAttempts: 7,
        run: (_payload, ctx) => {
          const { taskId, name, path, attempt, maxAttempts, messageId, enqueuedAt, scheduledFor, deadline } = ctx;
          const numbers = { attempt, maxAttempts, aborted: ctx.signal.aborted };
          seen.push({ taskId, name, path, ...numbers, messageId, enqueuedAt, scheduledFor, deadline });
        },
      });
      const tasks = await adopt(createTasks({ ...options, routes: [task] }));
      const now = clock.now();
      const { id } = await tasks.enqueue(task);
      await recorder.outcomes(1, "done");
      expect(seen).toEqual([
        {
          taskId: id,
          name: "greet",
          path: "accounts.greet",
          attempt: 1,
          maxAttempts: 7,
          messageId: expect.stringMatching(/./),
          enqueuedAt: new Date(now),
          scheduledFor: undefined,
          deadline: new Date(now + 60_000),
          aborted: false,
        },
      ]);
    });

    it("sends nothing of a route that is not listed, or of a wrong payload", async () => {
      const { options, adopt, recorder } = await scene();
      const task = new TaskRoute({ path: "x.task", payload: z.object({ id: z.string() }), run: () => {} });
      const other = new TaskRoute({ path: "x.other", run: () => {} });
      const tasks = await adopt(createTasks({ ...options, routes: [task] }));
      await expectRefusal(tasks.enqueue(other as never, {} as never), "UNKNOWN_ROUTE");
      await expectRefusal(tasks.enqueue(task, { id: 42 } as never), "INVALID_PAYLOAD");
      await expectRefusal(
        tasks.enqueueMany(task, [{ payload: { id: "1" } }, { payload: { id: 2 } as never }]),
        "INVALID_PAYLOAD",
      );
      await tasks.enqueue(task, { id: "42" });
      await recorder.outcomes(1);
      expect([recorder.enqueued.length, recorder.started.length, recorder.finished.length]).toEqual([1, 1, 1]);
    });

    it("takes many tasks at once, and answers for each in order", async () => {
      const { options, adopt, recorder } = await scene();
      const seen: number[] = [];
      const task = new TaskRoute({
        path: "x.task",
        payload: z.object({ n: z.number() }),
        run: ({ n }) => void seen.push(n),
      });
      const tasks = await adopt(createTasks({ ...options, routes: [task] }));
      const items = Array.from({ length: 20 }, (_, n) => ({ payload: { n }, id: `task-${n}` }));
      const { accepted, failed } = await tasks.enqueueMany(task, items);
      expect(accepted.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
      expect(failed).toEqual([]);
      await recorder.outcomes(20, "done");
      expect(seen.toSorted((a, b) => a - b)).toEqual(items.map(({ payload }) => payload.n));
    });

    it("lets a task enqueue another one", async () => {
      const { options, adopt, recorder } = await scene();
      const seen: unknown[] = [];
      const second = new TaskRoute({ path: "x.second", run: (payload) => void seen.push(payload) });
      const first = new TaskRoute({ path: "x.first", run: (_, ctx) => ctx.enqueue(second, { from: ctx.taskId }) });
      const tasks = await adopt(createTasks({ ...options, routes: [first, second] }));
      const { id } = await tasks.enqueue(first);
      await recorder.outcomes(2, "done");
      expect(seen).toEqual([{ from: id }]);
    });

    it("calls the hooks once each, in order", async () => {
      const { options, adopt, recorder } = await scene();
      const task = new TaskRoute({ path: "x.task", run: () => "result" });
      const tasks = await adopt(createTasks({ ...options, routes: [task] }));
      const { id } = await tasks.enqueue(task);
      await recorder.outcomes(1);
      // Inline, a task has run before it can be said that it was accepted.
      const kinds = subject.inline ? ["started", "finished", "enqueued"] : ["enqueued", "started", "finished"];
      expect(recorder.order).toEqual(kinds.map((kind) => `${kind} ${id}`));
      const [started] = recorder.started;
      expect(started).toEqual({
        taskId: id,
        name: "task",
        path: "x.task",
        attempt: 1,
        maxAttempts: 10,
        messageId: expect.stringMatching(/./),
        scheduledFor: undefined,
      });
      expect(recorder.finished).toEqual([{ ...started, outcome: { type: "done", result: "result" }, duration: 0 }]);
    });

    it.each<[how: string, fail: () => unknown]>([
      [
        "throw",
        () => {
          throw new Error("hook is broken");
        },
      ],
      ["reject", () => Promise.reject(new Error("hook is broken"))],
    ])("is not disturbed by hooks that %s", async (_, fail) => {
      const { options, adopt, lines } = await scene();
      const ran = Promise.withResolvers<void>();
      const task = new TaskRoute({ path: "x.task", run: () => ran.resolve() });
      const hooks = { enqueued: fail, started: fail, finished: fail };
      const tasks = await adopt(createTasks({ ...options, hooks, routes: [task] }));
      await tasks.enqueue(task);
      await ran.promise;
      expect(await tasks.deadLetters.list()).toEqual([]);
      await tasks.close();
      const logged = lines.filter(({ message }) => message.startsWith("a hook threw"));
      expect(logged).toHaveLength(3);
    });

    describeFailures(subject);

    describeCapabilities(subject);

    it("waits for what runs when it is closed, and leaves no timer", async () => {
      const { options, adopt, clock, recorder } = await scene();
      const started = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      const task = new TaskRoute({
        path: "x.task",
        run: async () => {
          started.resolve();
          await release.promise;
        },
      });
      const tasks = await adopt(createTasks({ ...options, routes: [task] }));
      const enqueued = tasks.enqueue(task);
      await started.promise;
      let closed = false;
      const closing = tasks.close().then(() => {
        closed = true;
      });
      await clock.advance(1000);
      expect(closed).toBe(false);
      release.resolve();
      await Promise.all([enqueued, closing]);
      expect(recorder.finished).toMatchObject([{ outcome: { type: "done" } }]);
      if (subject.sharesClock !== true) expect(clock.pending).toBe(0);
    });

    it("says whether it is durable", async () => {
      const { options, adopt } = await scene();
      const tasks = await adopt(
        createTasks({ ...options, routes: [new TaskRoute({ path: "x.task", run: () => {} })] }),
      );
      expect(tasks.runtime.backend.capabilities.durable).toBe(subject.durable);
    });

    it.skipIf(!subject.durable)("has what it accepted for the next client, when this one is closed", async () => {
      const { options, adopt, clock, recorder } = await scene();
      const seen: object[] = [];
      const task = new TaskRoute({ path: "x.task", run: (payload) => void seen.push(payload) });
      const open = () => adopt(createTasks({ ...options, routes: [task] }));
      const first = await open();
      const waiting = await first.enqueue(task, { n: 1 }, { delay: 60 });
      await first.close();
      expect(seen).toEqual([]);
      await (await open()).start();
      await clock.elapse(60);
      expect(await recorder.outcomes(1, "done")).toMatchObject([{ taskId: waiting.id, attempt: 1 }]);
      expect(seen).toEqual([{ n: 1 }]);
    });

    it("takes nothing more once it is closed, however often, not even a redrive", async () => {
      const { options, adopt, recorder } = await scene();
      const task = new TaskRoute({ path: "x.task", run: () => Promise.reject(new Discard()) });
      const open = () => adopt(createTasks({ ...options, routes: [task] }));
      const tasks = await open();
      await tasks.enqueue(task, {}, { id: "parked" });
      await recorder.outcomes(1, "discarded");
      await Promise.all([tasks.close(), tasks.close()]);
      await tasks.close();
      await expectRefusal(tasks.enqueue(task), "CLOSED");
      await expectRefusal(tasks.deadLetters.redrive("parked"), "CLOSED");
      const { deadLetters } = subject.durable ? await open() : tasks;
      expect(await deadLetters.list()).toMatchObject([{ taskId: "parked" }]);
      expect(recorder.started).toHaveLength(1);
    });
  });
}
