import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Busy } from "../../src/core/errors.ts";
import { runs } from "./chance.ts";
import type { LifeOptions, RouteSpec } from "./life.ts";
import { World } from "./world.ts";

const DAY = 86_400;

/** A run of so many seconds; a heedless one goes on though its process is closing. */
interface FatedRun {
  readonly seconds: number;
  readonly as: "returns" | "throws" | "busy";
  readonly heedless: boolean;
}

const fate: fc.Arbitrary<FatedRun> = fc.record({
  seconds: fc.constantFrom(0, 0.5, 5, 30),
  as: fc.constantFrom("throws", "busy", "returns"),
  heedless: fc.boolean(),
});
const GOOD: FatedRun = { seconds: 0, as: "returns", heedless: false };

const steps = fc.array(
  fc.oneof(fc.constantFrom(0.1, 1, 4, 20), fc.constantFrom("close" as const, "crash" as const, "ready" as const)),
  { maxLength: 12 },
);

function route(maxAttempts: number): RouteSpec {
  return { path: "x.task", maxAttempts, minRetryDelay: 1, maxRetryDelay: 2 };
}

/** Counts what tasks throw by themselves, and keeps the runs that were told another attempt. */
class Tracker {
  readonly failures = new Map<string, number>();
  readonly wrong: string[] = [];

  readonly body: LifeOptions["body"] = async ({ id, attempt, count, payload }, life, { signal }) => {
    const failures = this.failures.get(id) ?? 0;
    if (attempt !== failures + 1) this.wrong.push(`${id}: attempt ${attempt} after ${failures} failures`);
    const { seconds, as, heedless } = (payload.fates as readonly FatedRun[])[count - 1] ?? GOOD;
    const cut = Promise.withResolvers<void>();
    if (!heedless) signal.addEventListener("abort", () => cut.resolve());
    if (seconds > 0) await Promise.race([life.after(seconds), cut.promise]);
    if (as === "returns" && !signal.aborted) return;
    if (as === "busy") throw new Busy("not now", { retryAfter: 1 });
    if (!signal.aborted) this.failures.set(id, failures + 1);
    throw new Error("boom");
  };
}

describe("a delivery that was sent back or cut short", () => {
  it("uses up no attempt: only what a task threw by itself counts", async () => {
    const tasks = fc.array(fc.array(fate, { maxLength: 8 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(tasks, steps, fc.integer({ min: 1, max: 3 }), async (tasks, steps, maxAttempts) => {
        const { body, failures, wrong } = new Tracker();
        let isReady = true;
        const options = { routes: [route(maxAttempts)], body, drainTimeout: 2, ready: () => isReady };
        await World.run(options, async (world) => {
          for (const [index, fates] of tasks.entries()) await world.offer("x.task", `task-${index}`, { fates });
          await world.pass(0);
          for (const step of steps) {
            if (step === "close") await world.restart(1);
            else if (step === "crash") await world.crash(1);
            else if (step === "ready") isReady = !isReady;
            else await world.pass(step);
          }
          isReady = true;
          await world.pass(DAY);
          expect(wrong).toEqual([]);
          const letters = (await world.letters()).map(({ taskId, attempts, reason }) => [taskId, attempts, reason]);
          const failed = [...failures].filter(([, times]) => times === maxAttempts);
          expect(letters.toSorted()).toEqual(failed.map(([id]) => [id, maxAttempts, "exhausted"]).toSorted());
          const returned = world.runs.filter(({ end }) => end?.as === "returned").map(({ id }) => id);
          expect(new Set([...returned, ...failed.map(([id]) => id)]).size).toBe(tasks.length);
          expect(returned).toHaveLength(tasks.length - failed.length);
        });
      }),
      runs(60),
    );
  });
});

describe("a task whose process is killed in its last attempt", () => {
  it("either runs again or is parked, once", async () => {
    // In how many turns of the event loop after the run, which throws, the process is killed.
    const turns = fc.array(fc.nat(5), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), turns, fc.boolean(), async (maxAttempts, turns, returns) => {
        const body: LifeOptions["body"] = ({ count }, life) => {
          const killed = turns[count - maxAttempts];
          if (killed !== undefined) life.killAfter(killed);
          if (killed !== undefined || count < maxAttempts || !returns) throw new Error("boom");
        };
        await World.run({ routes: [route(maxAttempts)], body }, async (world) => {
          await world.offer("x.task", "task");
          await world.pass(DAY);
          const returned = world.runs.at(-1)?.end?.as === "returned";
          expect(await world.letters()).toHaveLength(returned ? 0 : 1);
        });
      }),
      runs(60),
    );
  });
});
