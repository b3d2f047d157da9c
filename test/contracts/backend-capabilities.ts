import { expect, it } from "vitest";
import { Discard } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { refusalOf } from "../support/refusal.ts";
import { type BackendSubject, expectRefusal, openScene } from "./backend-subject.ts";

/** The part of the contract on what a backend declares: it does what it says it can, and refuses the rest. */
export function describeCapabilities(subject: BackendSubject): void {
  const scene = () => openScene(subject);

  it("delays as it declares, never early, or refuses to", async () => {
    const { options, adopt, clock, recorder } = await scene();
    const ran: number[] = [];
    const task = new TaskRoute({ path: "x.task", run: () => void ran.push(clock.now() - start) });
    const tasks = await adopt(createTasks({ ...options, routes: [task] }));
    const start = clock.now();
    const moment = new Date(start + 90_000);
    if (!tasks.runtime.backend.capabilities.delay) {
      await expectRefusal(tasks.enqueue(task, {}, { delay: 60 }), "UNSUPPORTED");
      await expectRefusal(tasks.enqueue(task, {}, { runAt: moment }), "UNSUPPORTED");
      return;
    }
    await tasks.enqueue(task, {}, { runAt: new Date(start - 1) });
    await recorder.outcomes(1, "done");
    await tasks.enqueue(task, {}, { delay: 60 });
    if (!subject.inline) await clock.elapse(60);
    await recorder.outcomes(2, "done");
    await tasks.enqueue(task, {}, { runAt: moment });
    if (!subject.inline) await clock.elapse(30);
    await recorder.outcomes(3, "done");
    expect(ran).toEqual(subject.inline ? [0, 0, 0] : [0, 60_000, 90_000]);
  });

  it("dedupes as it declares, or refuses to", async () => {
    const { options, adopt, clock, recorder } = await scene();
    const task = new TaskRoute({ path: "x.task", run: () => {} });
    const tasks = await adopt(createTasks({ ...options, routes: [task] }));
    const options60 = { dedupeKey: "order-1", dedupeWindow: 60 };
    if (!tasks.runtime.backend.capabilities.dedupe) {
      await expectRefusal(tasks.enqueue(task, {}, options60), "UNSUPPORTED");
      return;
    }
    const first = await tasks.enqueue(task, {}, options60);
    const second = await tasks.enqueue(task, {}, options60);
    expect([first.deduplicated, second.deduplicated, second.id === first.id]).toEqual([false, true, true]);
    await recorder.outcomes(1, "done");
    await clock.advance(60_000);
    const third = await tasks.enqueue(task, {}, options60);
    expect([third.deduplicated, third.id === first.id]).toEqual([false, false]);
    await recorder.outcomes(2, "done");
    expect(recorder.enqueued.map(({ deduplicated }) => deduplicated)).toEqual([false, true, false]);
    expect(recorder.started.map(({ taskId }) => taskId)).toEqual([first.id, third.id]);
  });

  it("knows priorities as it declares, or refuses them", async () => {
    const { options, adopt, recorder } = await scene();
    const task = new TaskRoute({ path: "x.task", queue: { priorities: { high: {} } }, run: () => {} });
    const tasks = await adopt(createTasks({ ...options, routes: [task] }));
    const enqueued = tasks.enqueue(task, {}, { priority: "high" });
    if (!tasks.runtime.backend.capabilities.priority) await expectRefusal(enqueued, "UNSUPPORTED");
    else {
      await enqueued;
      await recorder.outcomes(1, "done");
    }
  });

  it("keeps the order of a key as it declares, past a failure, or refuses to", async () => {
    const { options, adopt, recorder } = await scene();
    const started: string[] = [];
    const task = new TaskRoute({
      path: "x.task",
      ordered: true,
      minRetryDelay: 0,
      maxRetryDelay: 0,
      maxAttempts: 3,
      run: (_payload, { taskId, attempt }) => {
        started.push(`${taskId} ${attempt}`);
        if (taskId === "first" && attempt < 3) throw new Error("not yet");
      },
    });
    const tasks = createTasks({ ...options, routes: [task] });
    const enqueue = (id: string) => tasks.enqueue(task, {}, { id, orderingKey: "user-42" });
    if (!tasks.runtime.backend.capabilities.ordering) {
      await expectRefusal(enqueue("first"), "UNSUPPORTED");
      await tasks.close();
      return;
    }
    await adopt(tasks);
    await Promise.all([enqueue("first"), enqueue("second"), enqueue("third")]);
    await recorder.outcomes(subject.inline ? 2 : 3, "done");
    const attempts = subject.inline ? ["first 1"] : ["first 1", "first 2", "first 3"];
    expect(started).toEqual([...attempts, "second 1", "third 1"]);
  });

  it("keeps results as it declares, or refuses to", async () => {
    const { options, adopt } = await scene();
    const at = new Date("2026-05-06T07:08:09Z");
    const good = new TaskRoute({ path: "x.good", run: () => ({ at, nothing: undefined }) });
    const silent = new TaskRoute({ path: "x.silent", run: () => {} });
    const cause = new Discard("no use");
    const bad = new TaskRoute({ path: "x.bad", run: () => Promise.reject(cause) });
    const tasks = await adopt(createTasks({ ...options, routes: [good, silent, bad] }));
    const runs = [await tasks.enqueue(good), await tasks.enqueue(silent), await tasks.enqueue(bad)] as const;
    if (!tasks.runtime.backend.capabilities.results) {
      for (const run of runs) {
        await expectRefusal(run.result(), "UNSUPPORTED");
        await expectRefusal(run.outcome(), "UNSUPPORTED");
      }
      return;
    }
    expect(await runs[0].result()).toEqual({ at: at.toISOString() });
    expect(await runs[0].outcome()).toEqual({ type: "done", result: { at, nothing: undefined } });
    expect(await runs[1].result()).toBeUndefined();
    await expect(runs[2].result()).rejects.toMatchObject({ code: "TASK_FAILED", cause });
    expect(await runs[2].outcome()).toMatchObject({ type: "discarded", error: cause });
  });

  it("tells overlapping runs of a schedule as it declares, or refuses routes that need it", async () => {
    const { options, adopt } = await scene();
    const task = new TaskRoute({ path: "x.task", schedule: "0 9 * * *", overlap: "skip", run: () => {} });
    const { overlap } = createTasks({ ...options, routes: [] }).runtime.backend.capabilities;
    const tasks = createTasks({ ...options, routes: [task] });
    if (overlap) await (await adopt(tasks)).start();
    else refusalOf(() => tasks.start(), "UNSUPPORTED");
  });
}
