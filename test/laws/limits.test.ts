import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dooms, runs } from "./chance.ts";
import type { LifeOptions, RouteSpec, Run } from "./life.ts";
import { World } from "./world.ts";

const DAY = 86_400;

/** Limits of a route; `rate` is in deliveries a second. */
interface Limits {
  readonly maxConcurrency: number | undefined;
  readonly maxConcurrent: number | undefined;
  readonly rate: number | undefined;
}

/** Tasks that are enqueued together on one of two routes; each takes so many seconds, and fails once if it is to. */
interface Batch {
  readonly to: number;
  readonly tasks: number;
  readonly seconds: number;
  readonly fails: boolean;
}

const few = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined });
const rate = fc.option(fc.constantFrom(0.1, 0.5, 2, 10, 25), { nil: undefined });
const limits: fc.Arbitrary<Limits> = fc.record({ maxConcurrency: few, maxConcurrent: few, rate });
const batch: fc.Arbitrary<Batch> = fc.record({
  to: fc.nat(1),
  tasks: fc.integer({ min: 1, max: 8 }),
  seconds: fc.constantFrom(0, 0.1, 1, 5),
  fails: fc.boolean(),
});
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: batch },
    { weight: 2, arbitrary: fc.constantFrom(0, 0.1, 1, 10) },
    { weight: 1, arbitrary: fc.constantFrom("crash" as const, "restart" as const) },
  ),
  { maxLength: 20 },
);

function routeWith({ maxConcurrency, maxConcurrent, rate }: Limits, path: string): RouteSpec {
  const queue = { ...(maxConcurrent && { maxConcurrent }), ...(rate && { ratePerSecond: rate }) };
  return { path, queue, minRetryDelay: 0, maxRetryDelay: 1, ...(maxConcurrency && { maxConcurrency }) };
}

/** Counts the runs under way in each process, and keeps what went beyond a limit. */
class Census {
  readonly exceeded: string[] = [];
  readonly #limits: ReadonlyMap<string, number>;
  readonly #underWay = new Map<string, number>();

  /** @param limits by path, and under `all` for all of them together. */
  constructor(limits: ReadonlyMap<string, number>) {
    this.#limits = limits;
  }

  readonly body: LifeOptions["body"] = async ({ path, payload, count }, life) => {
    const { seconds, fails } = payload as { readonly seconds: number; readonly fails: boolean };
    for (const what of [path, "all"]) this.#add(life.number, what, 1);
    if (seconds > 0) await life.after(seconds);
    for (const what of [path, "all"]) this.#add(life.number, what, -1);
    if (fails && count === 1) throw new Error("boom");
  };

  #add(life: number, what: string, change: number): void {
    const now = (this.#underWay.get(`${life} ${what}`) ?? 0) + change;
    this.#underWay.set(`${life} ${what}`, now);
    if (now > (this.#limits.get(what) ?? 0)) this.exceeded.push(`${now} of ${what}`);
  }
}

/**
 * By how many runs the worst window exceeds a rate. A burst of a fifth of the rate, one at least, is allowed, and another
 * one to each process: a queue file does not say how much of it the process before has used up.
 */
function excess(runs: readonly Run[], rate: number): number {
  const burst = Math.max(1, Math.floor(rate / 5));
  const over = runs.flatMap((first, index) =>
    runs.slice(index).map((last, further) => {
      const bursts = burst * (1 + last.life - first.life);
      return further + 1 - bursts - (rate * (last.at - first.at)) / 1000;
    }),
  );
  return Math.max(0, ...over);
}

async function play(world: World, script: typeof steps extends fc.Arbitrary<infer S> ? S : never): Promise<void> {
  for (const step of script) {
    if (typeof step === "number") await world.pass(step);
    else if (step === "crash") await world.crash(0);
    else if (step === "restart") await world.restart(0);
    else
      for (let task = 0; task < step.tasks; task++)
        await world.offer(`x.route-${step.to}`, `task-${world.offers.length}`, { ...step });
  }
  await world.pass(DAY);
}

describe("the limits of a route and of the engine", () => {
  it("are never exceeded, whenever the process is killed or restarted, and every task is run", async () => {
    const both = fc.tuple(limits, limits);
    await fc.assert(
      fc.asyncProperty(both, fc.integer({ min: 1, max: 6 }), steps, dooms, async (both, maxInFlight, steps, dooms) => {
        const most = new Map([["all", maxInFlight]]);
        const routes = both.map((limits, index) => routeWith(limits, `x.route-${index}`));
        for (const [index, { maxConcurrency = 99, maxConcurrent = 99 }] of both.entries())
          most.set(`x.route-${index}`, Math.min(maxConcurrency, maxConcurrent));
        const census = new Census(most);
        await World.run({ routes, body: census.body, maxInFlight, dooms }, async (world) => {
          await play(world, steps);
          expect(census.exceeded).toEqual([]);
          for (const [index, { rate = Number.POSITIVE_INFINITY }] of both.entries()) {
            const own = world.runs.filter(({ path }) => path === `x.route-${index}`);
            if (Number.isFinite(rate)) expect(excess(own, rate)).toBeLessThan(1e-6);
          }
          const ran = new Set(world.runs.filter(({ end }) => end?.as === "returned").map(({ id }) => id));
          expect(world.offers.filter(({ id, accepted }) => accepted && !ran.has(id))).toEqual([]);
        });
      }),
      runs(60),
    );
  });
});
