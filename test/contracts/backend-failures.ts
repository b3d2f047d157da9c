import { expect, it } from "vitest";
import { Busy, Discard } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { type BackendSubject, openScene } from "./backend-subject.ts";

/** The part of the contract on tasks that fail, give up or send their delivery back. */
export function describeFailures(subject: BackendSubject): void {
  const scene = () => openScene(subject);

  it("parks what is discarded, and redrives or drops it when told to", async () => {
    const { options, adopt, recorder } = await scene();
    let useless = true;
    const attempts: number[] = [];
    const task = new TaskRoute({
      path: "x.task",
      run: (_payload, { attempt }) => {
        attempts.push(attempt);
        if (useless) throw new Discard("no use");
      },
    });
    const tasks = await adopt(createTasks({ ...options, routes: [task] }));
    await tasks.enqueue(task, { kept: 1 }, { id: "first" });
    await recorder.outcomes(1, "discarded");
    await tasks.enqueue(task, {}, { id: "second" });
    await recorder.outcomes(2, "discarded");
    const letters = await tasks.deadLetters.list();
    expect(letters.map(({ taskId }) => taskId)).toEqual(["first", "second"]);
    expect(letters[0]).toMatchObject({
      path: "x.task",
      taskName: "task",
      kwargs: { kept: 1 },
      reason: "discarded",
      error: "Discard: no use",
      attempts: 1,
    });
    expect([await tasks.deadLetters.drop("second"), await tasks.deadLetters.drop("second")]).toEqual([true, false]);
    useless = false;
    expect(await tasks.deadLetters.redrive("first")).toBe(true);
    expect(await tasks.deadLetters.redrive("second")).toBe(false);
    const [redriven] = await recorder.outcomes(1, "done");
    expect(redriven).toMatchObject({ taskId: "first", attempt: 1 });
    expect(attempts).toEqual([1, 1, 1]);
    expect(await tasks.deadLetters.list()).toEqual([]);
  });

  it(
    subject.inline ? "reports a failure and does not retry it" : "retries a failure, and parks it after maxAttempts",
    async () => {
      const { options, adopt, recorder } = await scene();
      const boom = () => {
        throw new Error("boom");
      };
      const settings = { maxAttempts: 3, minRetryDelay: 0, maxRetryDelay: 0 };
      const task = new TaskRoute({ path: "x.task", ...settings, run: boom });
      const tasks = await adopt(createTasks({ ...options, routes: [task] }));
      const { id } = await tasks.enqueue(task);
      const finished = await recorder.outcomes(subject.inline ? 1 : 3);
      const ends = finished.map(({ attempt, outcome }) => [attempt, outcome.type]);
      const letter = { taskId: id, reason: "exhausted", error: "Error: boom", attempts: 3 };
      const failures = [1, 2].map((attempt) => [attempt, "failed"]);
      expect(ends).toEqual(subject.inline ? [[1, "failed"]] : [...failures, [3, "discarded"]]);
      expect(await tasks.deadLetters.list()).toMatchObject(subject.inline ? [] : [letter]);
    },
  );

  it.skipIf(subject.inline)("delivers again what was sent back, without counting it where it can", async () => {
    const { options, adopt, clock, recorder } = await scene();
    let open = false;
    const task = new TaskRoute({
      path: "x.task",
      // The same as the task asks for: Pub/Sub keeps to its own.
      minRetryDelay: 30,
      maxRetryDelay: 30,
      run: () => {
        if (!open) throw new Busy("later", { retryAfter: 30 });
      },
    });
    const tasks = await adopt(createTasks({ ...options, routes: [task] }));
    await tasks.enqueue(task);
    for (let count = 1; count <= 3; count++) {
      await recorder.outcomes(count, "busy");
      open = count === 3;
      await clock.elapse(30);
    }
    await recorder.outcomes(1, "done");
    expect(recorder.started.map(({ attempt }) => attempt)).toEqual(
      subject.countsNacks === true ? [1, 2, 3, 4] : [1, 1, 1, 1],
    );
  });
}
