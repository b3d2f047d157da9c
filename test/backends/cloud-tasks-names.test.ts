import { describe, expect, it } from "vitest";
import { cloudTasks } from "../../src/backends/cloud-tasks.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { closeQueueScenes } from "./queue-scene.ts";
import { codeOf, open, QUEUE, task } from "./queued-client.ts";

closeQueueScenes();

describe("a dedupe key", () => {
  const minute = { dedupeKey: "order-1", dedupeWindow: 60 };

  it("holds one task within a window, and its receipt carries the id of the one that is there", async () => {
    const { scene, tasks } = await open(task);
    const first = await tasks.enqueue(task, { n: 1 }, minute);
    const second = await tasks.enqueue(task, { n: 2 }, minute);
    const other = await tasks.enqueue(task, {}, { ...minute, dedupeKey: "order-2" });
    expect([first, second, other].map(({ deduplicated }) => deduplicated)).toEqual([false, true, false]);
    expect(second.id).toBe(first.id);
    const seen = await scene.tasksOf(QUEUE);
    expect(seen.map(({ body }) => JSON.parse(body).task_id).toSorted()).toEqual([first.id, other.id].toSorted());
    await scene.pass(60);
    const third = await tasks.enqueue(task, {}, minute);
    expect([third.deduplicated, third.id === first.id]).toEqual([false, false]);
  });

  it("holds though its task has been done meanwhile, in another process as well", async () => {
    const { scene, tasks } = await open(task);
    const first = await tasks.enqueue(task, {}, minute);
    await scene.dispatchAll(QUEUE);
    const elsewhere = createTasks({ ...scene.options, routes: [task], backend: cloudTasks() });
    expect(await elsewhere.enqueue(task, {}, minute)).toMatchObject({ id: first.id, deduplicated: true });
    await elsewhere.close();
    expect(scene.recorder.started).toHaveLength(1);
  });

  it("holds in windows that begin at multiples of their length", async () => {
    const { scene, tasks } = await open(task);
    await scene.pass(59);
    const before = await tasks.enqueue(task, {}, minute);
    await scene.pass(1);
    const after = await tasks.enqueue(task, {}, minute);
    expect([before.deduplicated, after.deduplicated, before.id === after.id]).toEqual([false, false, false]);
  });

  it.each([undefined, 3600])("holds for an hour at most: a window of %s is taken", async (dedupeWindow) => {
    const { tasks } = await open(task);
    const options = { dedupeKey: "k", ...(dedupeWindow && { dedupeWindow }) };
    await tasks.enqueue(task, {}, options);
    expect(await tasks.enqueue(task, {}, options)).toMatchObject({ deduplicated: true });
  });

  it("holds for an hour at most, and longer is refused", async () => {
    const { tasks } = await open(task);
    const [code, message] = await codeOf(tasks.enqueue(task, {}, { dedupeKey: "k", dedupeWindow: 3601 }));
    expect(code).toBe("UNSUPPORTED");
    expect(message).toContain("expected dedupeWindow of at most 3600 seconds");
  });
});

describe("a task that is sent twice", () => {
  it("is there once when its caller tries again under its id, and told so", async () => {
    const { scene, tasks } = await open(task);
    const first = await tasks.enqueue(task, {}, { id: "order-1" });
    const again = await tasks.enqueue(task, {}, { id: "order-1" });
    expect([first, again]).toMatchObject([
      { id: "order-1", deduplicated: false },
      { id: "order-1", deduplicated: true },
    ]);
    expect(await scene.tasksOf(QUEUE)).toHaveLength(1);
  });

  it("is there as often as it is sent where its name is left to Cloud Tasks, unless it has a key", async () => {
    const { scene, tasks } = await open(task, { named: false });
    for (let count = 0; count < 2; count++) await tasks.enqueue(task, {}, { id: "order-1" });
    for (let count = 0; count < 2; count++) await tasks.enqueue(task, {}, { dedupeKey: "k" });
    const names = (await scene.tasksOf(QUEUE)).map(({ name }) => name.slice(name.lastIndexOf("/") + 1));
    expect(names.map((name) => /^[0-9a-f]{64}$/.test(name)).toSorted()).toEqual([false, false, true]);
  });
});
