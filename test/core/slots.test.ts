import { describe, expect, it } from "vitest";
import { TaskRoute } from "../../src/core/route.ts";
import { Slots } from "../../src/core/slots.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { createScene, deliver } from "../support/scene.ts";

/** Waits for slots of one, and notes in which order they come. */
function oneSlot() {
  const clock = new VirtualClock();
  const slots = new Slots(1, clock, 300_000);
  const order: string[] = [];
  const wait = (who: string): void => {
    void Promise.resolve(slots.acquire()).then((taken) => order.push(`${who} ${taken}`));
  };
  return { clock, slots, order, wait };
}

describe("a slot", () => {
  it("is taken at once, without a promise, while one is free", () => {
    const slots = new Slots(2, new VirtualClock(), 300_000);
    expect([slots.acquire(), slots.acquire()]).toEqual([true, true]);
    expect(slots.acquire()).toBeInstanceOf(Promise);
  });

  it("is waited for no longer than half the deadline, so that the run has the rest", async () => {
    const clock = new VirtualClock();
    const slots = new Slots(1, clock, 12_000);
    expect(slots.acquire()).toBe(true);
    let taken: boolean | undefined;
    void Promise.resolve(slots.acquire()).then((slot) => {
      taken = slot;
    });
    await clock.advance(5999);
    expect(taken).toBeUndefined();
    await clock.advance(1);
    expect(taken).toBe(false);
  });

  it("goes to whoever has waited longest", async () => {
    const { clock, slots, order, wait } = oneSlot();
    for (const who of ["holder", "first", "second", "third"]) wait(who);
    for (let count = 0; count < 2; count++) {
      slots.release();
      await clock.advance(0);
    }
    expect(order).toEqual(["holder true", "first true", "second true"]);
  });

  it("is waited for 10 s and no longer", async () => {
    const { clock, slots, order, wait } = oneSlot();
    wait("holder");
    wait("first");
    await clock.advance(9999);
    expect(order).toEqual(["holder true"]);
    wait("second");
    await clock.advance(1);
    expect(order).toEqual(["holder true", "first false"]);
    slots.release();
    await clock.advance(0);
    expect(order).toEqual(["holder true", "first false", "second true"]);
    expect(clock.pending).toBe(0);
  });

  it("is free again when nobody waits", () => {
    const { slots } = oneSlot();
    expect(slots.acquire()).toBe(true);
    slots.release();
    expect(slots.acquire()).toBe(true);
  });

  it("is denied to all who wait when they are dismissed", async () => {
    const { clock, slots, order, wait } = oneSlot();
    for (const who of ["holder", "first", "second"]) wait(who);
    slots.dismiss();
    await clock.advance(0);
    expect(order).toEqual(["holder true", "first false", "second false"]);
    expect(clock.pending).toBe(0);
  });
});

describe("a route with maxConcurrency", () => {
  it("runs so many at once, and answers busy to who waited 10 s, which costs no attempt", async () => {
    const scene = createScene();
    const ends: (() => void)[] = [];
    const route = new TaskRoute({
      path: "x.a",
      maxConcurrency: 2,
      maxAttempts: 1,
      run: () => new Promise<void>((resolve) => ends.push(resolve)),
    });
    const tasks = createTasks({ ...scene.options, routes: [route] });
    const outcomes = [1, 2, 3, 4].map(() => deliver(tasks, { taskName: "a" }));
    await scene.clock.advance(0);
    expect(ends).toHaveLength(2);
    ends.shift()?.();
    await scene.clock.advance(10_000);
    expect(ends).toHaveLength(2);
    for (const end of ends) end();
    expect((await Promise.all(outcomes)).map(({ type }) => type)).toEqual(["done", "done", "done", "busy"]);
    expect(await outcomes[3]).toEqual({ type: "busy", reason: "no-slot", retryAfter: 10 });
    expect(scene.lines).toMatchObject([{ message: "a delivery was sent back", fields: { reason: "no-slot" } }]);
  });

  it("does not hold up other routes", async () => {
    const scene = createScene();
    const stuck = new TaskRoute({ path: "x.stuck", maxConcurrency: 1, run: () => new Promise<never>(() => {}) });
    const free = new TaskRoute({ path: "x.free", maxConcurrency: 1, run: () => "ran" });
    const tasks = createTasks({ ...scene.options, routes: [stuck, free] });
    void deliver(tasks, { taskName: "stuck" });
    expect(await deliver(tasks, { taskName: "free" })).toMatchObject({ type: "done" });
  });

  it("checks the payload first, so that a wrong one takes no slot", async () => {
    const scene = createScene();
    const route = new TaskRoute({ path: "x.a", args: [], maxConcurrency: 1, run: () => new Promise<never>(() => {}) });
    const tasks = createTasks({ ...scene.options, routes: [route] });
    void deliver(tasks, { taskName: "a" });
    expect(await deliver(tasks, { taskName: "a", args: [1] })).toMatchObject({ type: "rejected" });
  });
});
