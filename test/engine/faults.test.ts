import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { local } from "../../src/backends/local.ts";
import { localHttp } from "../../src/backends/local-http.ts";
import type { FaultOptions } from "../../src/core/fault-options.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import type { Fault, Mishap } from "../../src/engine/fault.ts";
import { RandomFaults } from "../../src/engine/faults.ts";
import { Message } from "../../src/engine/message.ts";
import { recordLog } from "../support/log.ts";
import { queueFile } from "../support/queue-file.ts";
import { refusalOf } from "../support/refusal.ts";
import { done, hostOf, laneOf, route, ScriptedEngine } from "./scripted.ts";

const task = route("x.task", { ackDeadline: 60, minRetryDelay: 10, maxRetryDelay: 10 });

const noop = new TaskRoute({ path: "x.noop", run: () => {} });

/** An engine whose first delivery is disturbed, and nothing after it. */
function disturbedOnce(first: Fault): ScriptedEngine {
  let asked = 0;
  return new ScriptedEngine([task], () => done, { faults: { next: () => (asked++ === 0 ? first : undefined) } });
}

describe("a delivery that is disturbed", () => {
  it.each<[mishap: Mishap, arrivals: number[], attempts: number[], deliveries: number[]]>([
    ["failure", [10], [2], [2]],
    ["drop", [0, 70], [1, 1], [1, 2]],
    ["duplicate", [0, 0], [1, 1], [1, 1]],
    ["crash", [0, 0], [1, 1], [1, 2]],
    ["reorder", [0], [1], [1]],
  ])("by %s arrives at %j, as attempts %j and deliveries %j", async (mishap, times, attempts, deliveries) => {
    const run = disturbedOnce({ mishap, latency: 0 });
    const receipt = run.publish(task);
    await run.pass(3600);
    expect(run.times).toEqual(times);
    expect(run.arrivals.map(({ attempt }) => attempt)).toEqual(attempts);
    expect(run.arrivals.map(({ delivery }) => delivery)).toEqual(deliveries);
    expect(await receipt.outcome?.()).toBe(done);
    expect(await run.engine.deadLetters.list()).toEqual([]);
  });

  it("by latency arrives later, in a place of its own meanwhile", async () => {
    const run = disturbedOnce({ mishap: undefined, latency: 2.5 });
    run.publish(task);
    await run.pass(1);
    expect([run.times, run.engine.inFlight]).toEqual([[], 1]);
    await run.pass(10);
    expect(run.times).toEqual([2.5]);
  });

  it("by latency goes to whoever runs its route by then", async () => {
    const run = disturbedOnce({ mishap: undefined, latency: 2 });
    const taken: string[] = [];
    run.publish(task, { id: "late" });
    await run.pass(1);
    run.engine.attach({
      ...hostOf(task),
      generation: 2,
      deliver: async ({ id }) => {
        taken.push(id);
        return done;
      },
    });
    await run.pass(60);
    expect([run.arrivals, taken]).toEqual([[], ["late"]]);
  });

  it("by latency is not delivered when the engine is closed meanwhile, and leaves no timer", async () => {
    const run = disturbedOnce({ mishap: "drop", latency: 3600 });
    const receipt = run.publish(task) as Message;
    await run.pass(1);
    run.engine.close();
    expect(run.clock.waiting).toBe(0);
    expect(await receipt.outcome()).toMatchObject({ type: "busy", reason: "draining" });
    expect([receipt.isInFlight, receipt.delivery, run.engine.unfinished, run.engine.inFlight]).toEqual([
      false,
      1,
      1,
      0,
    ]);
    await run.pass(86_400);
    expect(run.arrivals).toEqual([]);
  });

  it("by latency is back in its file, undelivered, when the client is closed meanwhile", async () => {
    const file = queueFile();
    const clock = new VirtualClock();
    const { logger } = recordLog();
    const client = (latencySeconds: number) =>
      createTasks({ routes: [noop], backend: local({ file, faults: { latencySeconds } }), clock, logger, env: {} });
    const late = client(3600);
    await late.enqueue(noop, {}, { id: "late" });
    await clock.advance(1000);
    await late.close();
    expect(clock.waiting).toBe(0);
    const database = new DatabaseSync(file);
    const kept = database.prepare("SELECT task_id, in_flight, lost FROM messages").all();
    database.close();
    expect(kept.map((row) => ({ ...row }))).toEqual([{ task_id: "late", in_flight: 0, lost: 0 }]);
  });

  it("by reorder goes behind the others", async () => {
    const run = disturbedOnce({ mishap: "reorder", latency: 0 });
    for (const id of ["first", "second", "third"]) run.publish(task, { id });
    await run.pass(0);
    expect(run.arrivals.map(({ id }) => id)).toEqual(["second", "third", "first"]);
  });

  it("is logged", async () => {
    const run = disturbedOnce({ mishap: "drop", latency: 1 });
    run.publish(task, { id: "hit" });
    await run.pass(3600);
    expect(run.lines).toMatchObject([{ level: "info", fields: { taskId: "hit", fault: "drop", latency: 1 } }]);
  });

  it.each<[mishap: Mishap, error: string]>([
    ["failure", "InjectedFailure: a failure was injected before the task was run"],
    ["drop", "expected an acknowledgement within 60 s, got none"],
    ["crash", "got the end of the process 50 times while it ran"],
  ])("by %s without end is parked in the end", async (mishap, error) => {
    const run = new ScriptedEngine([task], () => done, { faults: { next: () => ({ mishap, latency: 0 }) } });
    run.publish(task, { id: "unlucky" });
    await run.pass(86_400);
    expect(await run.engine.deadLetters.list()).toMatchObject([
      { taskId: "unlucky", reason: "undeliverable", error: expect.stringContaining(error) },
    ]);
    expect(run.engine.unfinished).toBe(0);
    expect(run.arrivals).toHaveLength(mishap === "failure" ? 0 : 50);
  });
});

describe("faults by chance", () => {
  const message = (number: number) =>
    new Message(
      {
        id: String(number),
        route: task,
        payloadJson: "{}",
        enqueuedAt: 0,
        runAt: undefined,
        dedupe: undefined,
        priority: undefined,
        carriedAttempts: 0,
      },
      laneOf(task),
      number,
      0,
    );
  const drawn = (options: FaultOptions, count = 2000) => {
    const faults = new RandomFaults(options);
    return Array.from({ length: count }, (_, number) => faults.next(message(number)));
  };

  it.each<[option: keyof FaultOptions, mishap: Mishap]>([
    ["failureRate", "failure"],
    ["dropRate", "drop"],
    ["duplicateRate", "duplicate"],
    ["reorderRate", "reorder"],
  ])("hit the share that %s says, and differ by seed", (option, mishap) => {
    const hit = (seed: number, rate: number) =>
      drawn({ [option]: rate, seed }).flatMap((fault, index) => (fault?.mishap === mishap ? [index] : []));
    expect(hit(1, 0)).toEqual([]);
    expect(hit(1, 1)).toHaveLength(2000);
    expect(hit(1, 0.25).length).toBeGreaterThan(420);
    expect(hit(1, 0.25).length).toBeLessThan(580);
    expect(hit(1, 0.25)).toEqual(hit(1, 0.25));
    expect(hit(1, 0.25)).not.toEqual(hit(2, 0.25));
  });

  it("delay each delivery by its latency, more or less", () => {
    expect(new Set(drawn({ latencySeconds: 3 }).map((fault) => fault?.latency))).toEqual(new Set([3]));
    const varied = drawn({ latencySeconds: 2, latencyJitter: 0.5, seed: 1 }).map((fault) => fault?.latency ?? 0);
    expect(Math.min(...varied)).toBeGreaterThanOrEqual(1);
    expect(Math.min(...varied)).toBeLessThan(1.02);
    expect(Math.max(...varied)).toBeLessThanOrEqual(3);
    expect(Math.max(...varied)).toBeGreaterThan(2.98);
  });

  it("put back and repeat a message once, even at a rate of 1", () => {
    const faults = new RandomFaults({ reorderRate: 1, duplicateRate: 1 });
    const one = message(1);
    expect([1, 2, 3, 4].map(() => faults.next(one)?.mishap)).toEqual(["reorder", "duplicate", "reorder", undefined]);
  });

  it.each<[options: object, text: string]>([
    [{ dropRate: 1.1 }, "faults: expected dropRate to be a number of 0–1, got 1.1"],
    [{ failureRate: Number.NaN }, "expected failureRate to be a number of 0–1, got NaN"],
    [{ latencySeconds: -1 }, "expected latencySeconds to be a number of 0–3600 seconds, got -1"],
    [{ seed: 1.5 }, "expected seed to be a whole number of 0–4294967295, got 1.5"],
    [{ droprate: 1 }, "faults: unknown option droprate, did you mean dropRate?"],
  ])("are refused with %j", (options, text) => {
    expect(refusalOf(() => new RandomFaults(options), "INVALID_OPTION")).toContain(text);
  });
});

describe("a local backend with faults", () => {
  const settings = { clock: new VirtualClock(), logger: recordLog().logger };

  it.each([
    ["local", (faults: FaultOptions) => local({ faults, allowInProduction: true })],
    ["local-http", (faults: FaultOptions) => localHttp({ faults, allowInProduction: true })],
  ])("is refused in production: %s", (_, backend) => {
    const env = { K_SERVICE: "shop", TASKS_NAMESPACE: "shop" };
    const tasks = createTasks({ ...settings, env, routes: [noop], backend: backend({ dropRate: 0.1 }) });
    expect(refusalOf(() => tasks.runtime.backend, "INVALID_CONFIG")).toContain("faults: expected none in production");
    const undisturbed = createTasks({ ...settings, env, routes: [noop], backend: backend({ dropRate: 0 }) });
    expect(undisturbed.runtime.backend.capabilities.durable).toBe(false);
  });

  it("is refused in production with the variables, whatever the backend", () => {
    const env = { K_SERVICE: "shop", TASKS_NAMESPACE: "shop", TASKS_FAULT_DROP_RATE: "0.1" };
    const tasks = createTasks({ ...settings, env, routes: [noop], backend: local({ allowInProduction: true }) });
    expect(refusalOf(() => tasks.runtime.backend, "INVALID_CONFIG")).toContain("faults: expected none in production");
  });

  it("says its seed; takes it from options, else from the variables", () => {
    const seedOf = (env: Record<string, string>, faults?: FaultOptions) => {
      const { logger, lines } = recordLog();
      const backend = local(faults === undefined ? {} : { faults });
      void createTasks({ ...settings, logger, env, routes: [noop], backend }).runtime.backend;
      return lines.map(({ level, fields }) => [level, fields?.seed]);
    };
    const env = { TASKS_FAULT_DROP_RATE: "0.1", TASKS_FAULT_SEED: "7" };
    expect(seedOf(env)).toEqual([["warn", 7]]);
    expect(seedOf(env, { failureRate: 0.1, seed: 8 })).toEqual([["warn", 8]]);
    expect(seedOf({}, { failureRate: 0.1 })).toEqual([["warn", expect.any(Number)]]);
    expect(seedOf(env, {})).toEqual([]);
    expect(seedOf({})).toEqual([]);
  });
});
