import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnyRoute } from "../../src/core/declaration.ts";
import { done, failed, route, ScriptedEngine } from "./scripted.ts";

const DAY = 86_400;

describe("deliveries at once", () => {
  const lane = fc.record({
    maxConcurrency: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
    maxConcurrent: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
    /** Seconds that each task takes. */
    durations: fc.array(fc.nat(5), { maxLength: 30 }),
  });

  it("are never more than a route or the engine allows, and every task is run", async () => {
    const setting = fc.tuple(fc.array(lane, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 10 }));
    await fc.assert(
      fc.asyncProperty(setting, async ([lanes, maxInFlight]) => {
        const routes = lanes.map(({ maxConcurrency, maxConcurrent }, index) =>
          route(`x.route-${index}`, {
            ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
            queue: maxConcurrent === undefined ? {} : { maxConcurrent },
          }),
        );
        const exceeded: string[] = [];
        const running = new Map<string, number>();
        const count = (path: string, change: number): number => {
          const now = (running.get(path) ?? 0) + change;
          running.set(path, now);
          return now;
        };
        const limit = (path: string): number => {
          const { maxConcurrency = 99, maxConcurrent = 99 } = lanes[routes.findIndex((one) => one.path === path)] ?? {};
          return Math.min(maxConcurrency, maxConcurrent);
        };
        const run = new ScriptedEngine(
          routes,
          async ({ path }, { task }) => {
            if (count(path, 1) > limit(path)) exceeded.push(path);
            if (count("all", 1) > maxInFlight) exceeded.push("all");
            await run.after((JSON.parse(task.payloadJson) as { seconds: number }).seconds);
            count(path, -1);
            count("all", -1);
            return done;
          },
          { maxInFlight },
        );
        for (const [index, { durations }] of lanes.entries()) {
          for (const seconds of durations) run.publish(routes[index] as AnyRoute, { payload: { seconds } });
        }
        await run.pass(DAY);
        expect(exceeded).toEqual([]);
        expect(run.arrivals).toHaveLength(lanes.reduce((sum, { durations }) => sum + durations.length, 0));
        expect([run.engine.unfinished, run.engine.inFlight]).toEqual([0, 0]);
      }),
      { numRuns: 30 },
    );
  });

  it("are as many as a route allows, while enough wait", async () => {
    const two = route("x.two", { maxConcurrency: 2 });
    const run = new ScriptedEngine([two], () => run.after(10).then(() => done));
    for (let count = 0; count < 5; count++) run.publish(two);
    await run.pass(100);
    expect(run.times).toEqual([0, 0, 10, 10, 20]);
  });
});

describe("the rate of a route", () => {
  it("is kept over any window, retries included, and does not hold up other routes", async () => {
    const limited = route("x.limited", { queue: { ratePerSecond: 10 }, minRetryDelay: 0, maxRetryDelay: 0 });
    const free = route("x.free");
    const run = new ScriptedEngine([limited, free], ({ path, attempt }) =>
      path === "x.limited" && attempt === 1 ? failed() : done,
    );
    for (let count = 0; count < 49; count++) run.publish(limited);
    for (let count = 0; count < 50; count++) run.publish(free);
    await run.pass(0);
    run.publish(limited);
    await run.pass(0);
    expect(run.clock.pending).toBe(1);
    await run.pass(60);
    const times = run.arrivals.filter(({ path }) => path === "x.limited").map(({ at }) => at);
    expect(times).toHaveLength(100);
    for (const [first, from] of times.entries()) {
      for (const [further, until] of times.slice(first).entries()) {
        expect(further + 1).toBeLessThanOrEqual(2 + 10 * (until - from) + 1e-6);
      }
    }
    expect(times.at(-1)).toBeLessThanOrEqual(10);
    expect(run.arrivals.filter(({ path }) => path === "x.free").every(({ at }) => at === 0)).toBe(true);
  });
});

describe("routes beside each other", () => {
  const flood = route("x.flood");
  const other = route("x.other");

  it("take turns, however much waits on one of them", async () => {
    const run = new ScriptedEngine([flood, other], () => done, { maxInFlight: 10 });
    for (let count = 0; count < 1000; count++) run.publish(flood);
    for (let count = 0; count < 5; count++) run.publish(other);
    await run.pass(0);
    const places = run.arrivals.flatMap(({ path }, place) => (path === "x.other" ? [place] : []));
    expect(places).toHaveLength(5);
    expect(Math.max(...places)).toBeLessThanOrEqual(10);
  });

  it("are not held up by a flood of tasks that hang", async () => {
    const run = new ScriptedEngine([flood, other], ({ path }) =>
      path === "x.flood" ? run.after(DAY).then(() => done) : done,
    );
    for (let count = 0; count < 1000; count++) run.publish(flood);
    await run.pass(1);
    for (let count = 0; count < 3; count++) run.publish(other);
    await run.pass(0);
    expect(run.arrivals.filter(({ path }) => path === "x.other").map(({ at }) => at)).toEqual([1, 1, 1]);
  });

  it("are not held up by slow tasks that always fail", async () => {
    const poison = route("x.poison", { maxAttempts: 100, minRetryDelay: 0, maxRetryDelay: 0 });
    const run = new ScriptedEngine(
      [poison, other],
      ({ path }) => (path === "x.poison" ? run.after(10).then(() => failed()) : done),
      { maxInFlight: 4 },
    );
    for (let count = 0; count < 20; count++) run.publish(poison);
    for (let second = 0; second < 60; second++) {
      await run.pass(1);
      run.publish(other);
    }
    await run.pass(0);
    const times = run.arrivals.filter(({ path }) => path === "x.other").map(({ at }) => at);
    expect(times).toEqual(Array.from({ length: 60 }, (_, second) => second + 1));
  });
});
