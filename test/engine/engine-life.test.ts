import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { isTasksError } from "../../src/core/errors.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { Message } from "../../src/engine/message.ts";
import { recordLog } from "../support/log.ts";
import { type Arrival, done, failed, hostOf, rejected, route, ScriptedEngine } from "./scripted.ts";

const DAY = 86_400;
const task = route("x.task");

describe("an engine at work", () => {
  it("tells what is unfinished and what is in flight", async () => {
    const run = new ScriptedEngine([task], () => run.after(5).then(() => done), { maxInFlight: 2 });
    const counts = () => [run.engine.unfinished, run.engine.inFlight];
    for (let count = 0; count < 3; count++) run.publish(task);
    run.publish(task, { delay: 60 });
    expect(counts()).toEqual([4, 0]);
    await run.pass(0);
    expect(counts()).toEqual([4, 2]);
    await run.pass(5);
    expect(counts()).toEqual([2, 1]);
    const seen: string[] = [];
    const idle = run.engine.whenIdle().then(() => seen.push(`idle at ${run.seconds}`));
    await run.pass(60);
    await idle;
    expect(seen).toEqual(["idle at 65"]);
    expect(counts()).toEqual([0, 0]);
    await run.engine.whenIdle();
  });

  it.each([100, 10_000])(
    "leaves the event loop its turns, however much waits, with %i at once",
    async (maxInFlight) => {
      const run = new ScriptedEngine([task], () => done, { maxInFlight });
      for (let count = 0; count < 5000; count++) run.publish(task);
      await turn();
      expect(run.arrivals.length).toBeGreaterThan(0);
      expect(run.arrivals.length).toBeLessThanOrEqual(256);
      await run.engine.whenIdle();
      expect(run.arrivals).toHaveLength(5000);
    },
  );

  it("delivers what waits to the host that it is attached to", async () => {
    const run = new ScriptedEngine([task]);
    run.publish(task, { id: "waiting", delay: 10 });
    const taken: string[] = [];
    const renewed = route("x.task", { minRetryDelay: 1 });
    run.engine.attach({
      generation: 2,
      routes: [renewed],
      logger: recordLog().logger,
      skipped: () => {},
      deliver: async ({ task: { id } }) => {
        taken.push(`${id} at ${run.seconds}`);
        return taken.length === 1 ? failed() : done;
      },
    });
    await run.pass(20);
    expect(run.arrivals).toEqual([]);
    expect(taken).toEqual(["waiting at 10", "waiting at 11"]);
  });

  it("numbers its messages like Pub/Sub, and never twice, a later engine's above an earlier one's", async () => {
    const ids: string[] = [];
    const clock = new VirtualClock();
    for (let engines = 0; engines < 2; engines++) {
      const answer = (_: Arrival, { messageId }: Message) => {
        ids.push(messageId);
        return done;
      };
      const run = new ScriptedEngine([task], answer, { clock });
      for (let count = 0; count < 3; count++) run.publish(task);
      await run.pass(1);
    }
    expect(ids.every((id) => /^\d{16}$/.test(id))).toBe(true);
    expect(ids).toEqual([...new Set(ids)].sort());
    expect(ids).toHaveLength(6);
  });

  it.each([0, -1, 1.5, Number.NaN])("is refused with %d deliveries at once", (maxInFlight) => {
    const host = hostOf();
    let refusal: unknown;
    try {
      new Engine(host, { clock: new VirtualClock(), maxInFlight });
    } catch (error) {
      refusal = error;
    }
    expect(isTasksError(refusal, "INVALID_OPTION")).toBe(true);
  });
});

describe("an engine that is closed", () => {
  it("leaves no timer, delivers nothing more, and tells whoever waits for what will not run", async () => {
    const limited = route("x.limited", { queue: { ratePerSecond: 1 } });
    const run = new ScriptedEngine([task, limited], ({ path }) =>
      path === "x.limited" ? done : run.after(5).then(() => failed()),
    );
    const inFlight = run.publish(task);
    run.publish(limited);
    await run.pass(0);
    const waiting = [run.publish(limited), run.publish(limited), run.publish(task, { delay: 60 })];
    await run.pass(0);
    expect(run.clock.pending).toBe(3);
    run.engine.close();
    const abandoned = { type: "busy", reason: "draining" };
    // Left are the timers of what is in flight.
    expect(run.clock.pending).toBe(1);
    for (const receipt of waiting) expect(await receipt.outcome?.()).toMatchObject(abandoned);
    await run.pass(DAY);
    expect(await inFlight.outcome?.()).toMatchObject(abandoned);
    expect(run.arrivals).toHaveLength(2);
    expect(run.clock.pending).toBe(0);
    expect(run.engine.unfinished).toBe(4);
  });

  it("lets what is in flight finish", async () => {
    const run = new ScriptedEngine([task], () => run.after(5).then(() => done));
    const receipt = run.publish(task);
    await run.pass(0);
    run.engine.close();
    await run.pass(5);
    expect(await receipt.outcome?.()).toBe(done);
    expect([run.engine.unfinished, run.engine.inFlight]).toEqual([0, 0]);
  });

  it("takes no more tasks, and keeps the dead letters that it is asked to redrive", async () => {
    const run = new ScriptedEngine([task], () => rejected);
    run.publish(task, { id: "parked" });
    await run.pass(365 * DAY);
    run.engine.close();
    run.engine.publishTick(task, new Date());
    let refusal: unknown;
    try {
      run.publish(task);
    } catch (error) {
      refusal = error;
    }
    expect(isTasksError(refusal, "CLOSED")).toBe(true);
    const redrive = await run.engine.deadLetters.redrive("parked").catch((error: unknown) => error);
    expect(isTasksError(redrive, "CLOSED")).toBe(true);
    expect(await run.engine.deadLetters.list()).toMatchObject([{ taskId: "parked" }]);
  });
});
