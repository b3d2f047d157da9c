import { describe, expect, it } from "vitest";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { bodiesOf, type Interception } from "./endpoint.ts";
import { atOnce, createPushedScene } from "./pushed-scene.ts";
import { closeScenes } from "./scene.ts";

closeScenes();

describe("an endpoint of the local-http backend", () => {
  /** Enqueues a task that meets these answers first, and tells the attempts that its body then saw. */
  async function attemptsAfter(...interceptions: Interception[]): Promise<number[]> {
    const { options, adopt, endpoint, recorder } = await createPushedScene();
    const task = new TaskRoute({ path: "x.task", ...atOnce, run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    endpoint.interceptions.push(...interceptions);
    await tasks.enqueue(task);
    await recorder.outcomes(1, "done");
    expect(endpoint.interceptions).toEqual([]);
    return recorder.started.map(({ attempt }) => attempt);
  }

  it.each<[how: string, intercept: Interception, attempt: number]>([
    ["answers 404, a nack", (response) => response.writeHead(404).end(), 2],
    ["answers 500", (response) => response.writeHead(500).end(), 2],
    ["answers 400, since a later deployment may know the task", (response) => response.writeHead(400).end(), 1],
    ["cuts the connection", (response) => response.destroy(), 2],
    [
      "cuts the connection while it answers",
      (response) => {
        response.writeHead(200, { "content-length": 10 });
        response.write("half");
        response.flushHeaders();
        setImmediate(() => response.destroy());
      },
      2,
    ],
  ])("gets a task again that it %s", async (_, intercept, attempt) => {
    expect(await attemptsAfter(intercept)).toEqual([attempt]);
  });

  it.each([102, 200, 201, 202, 204])(
    "has taken a task that it answers with %i, and does not get it again",
    async (status) => {
      const { options, adopt, endpoint, recorder, lines } = await createPushedScene();
      const task = new TaskRoute({ path: "x.task", ...atOnce, run: () => {} });
      const tasks = adopt(createTasks({ ...options, routes: [task] }));
      endpoint.interceptions.push((response) => {
        if (status === 102) response.writeProcessing();
        response.writeHead(status === 102 ? 500 : status).end();
      });
      await tasks.enqueue(task, {}, { id: "first" });
      await tasks.enqueue(task, {}, { id: "second" });
      await recorder.outcomes(1, "done");
      await tasks.close();
      expect(recorder.started.map(({ taskId }) => taskId)).toEqual(["second"]);
      expect(endpoint.received).toHaveLength(2);
      expect(lines).toEqual([]);
    },
  );

  it("gets a task again that it does not answer within the ack deadline", async () => {
    const { options, adopt, clock, endpoint, recorder } = await createPushedScene();
    const task = new TaskRoute({ path: "x.task", ...atOnce, ackDeadline: 10, run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    const hanging = Promise.withResolvers<void>();
    endpoint.interceptions.push(() => hanging.resolve());
    await tasks.enqueue(task);
    await hanging.promise;
    await clock.advance(10_000);
    const [done] = await recorder.outcomes(1, "done");
    expect(done).toMatchObject({ attempt: 2 });
    expect(bodiesOf(endpoint).map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2]);
  });

  it("may be down when a task is enqueued, which costs no attempt", async () => {
    const { options, adopt, clock, endpoint, recorder } = await createPushedScene();
    const task = new TaskRoute({ path: "x.task", run: () => {} });
    const tasks = adopt(createTasks({ ...options, routes: [task] }));
    await endpoint.stop();
    await tasks.enqueue(task);
    await clock.elapse(0.1);
    await clock.elapse(0.2);
    await endpoint.resume();
    await clock.elapse(0.4);
    const [done] = await recorder.outcomes(1);
    expect(done).toMatchObject({ attempt: 1, outcome: { type: "done" } });
    expect(bodiesOf(endpoint)[0]?.message.attributes).toEqual({ "taskroute-carried-attempts": "-3" });
  });

  it("gets no more pushes at once than the backend and the route allow", async () => {
    const { options, adopt, recorder } = await createPushedScene({ maxInFlight: 3 });
    let [running, most, mostOfSingle] = [0, 0, 0];
    const run = async (single: boolean): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      if (single) mostOfSingle = Math.max(mostOfSingle, 1 + singles++);
      await new Promise(setImmediate);
      running -= 1;
      if (single) singles -= 1;
    };
    let singles = 0;
    const plain = new TaskRoute({ path: "x.plain", run: () => run(false) });
    const single = new TaskRoute({ path: "x.single", maxConcurrency: 1, run: () => run(true) });
    const tasks = adopt(createTasks({ ...options, routes: [plain, single] }));
    for (let count = 0; count < 15; count++) await tasks.enqueue(count % 2 === 0 ? plain : single);
    await recorder.outcomes(15, "done");
    expect(recorder.finished).toHaveLength(15);
    expect(most).toBeLessThanOrEqual(3);
    expect(mostOfSingle).toBe(1);
  });
});
