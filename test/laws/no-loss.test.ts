import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dooms, faults, runs } from "./chance.ts";
import type { RouteSpec, Run } from "./life.ts";
import { fated, play, scripts } from "./script.ts";
import { World, type WorldOptions } from "./world.ts";

const DAY = 86_400;
const quick = { ackDeadline: 15, minRetryDelay: 1, maxRetryDelay: 5, maxAttempts: 3 };
const routes: readonly RouteSpec[] = [
  { ...quick, path: "x.plain" },
  { ...quick, path: "x.single", maxConcurrency: 1 },
  { ...quick, path: "x.limited", via: "cloud-tasks", queue: { ratePerSecond: 2, maxConcurrent: 2 } },
];
const paths = routes.map(({ path }) => path);
const anyFate = scripts(paths, "done", "throw", "busy", "later", "discard");
const places = fc.integer({ min: 1, max: 5 });

/** A service whose tasks come to what a script says. */
function scripted(
  options: Pick<WorldOptions, "dooms" | "faults" | "maxInFlight">,
  happen: (world: World) => Promise<void>,
) {
  return World.run({ routes, body: fated, ...options }, happen);
}

/** The tasks whose run returned. */
const returned = (runs: readonly Run[]): string[] =>
  runs.filter(({ end }) => end?.as === "returned").map(({ id }) => id);

/** Nothing is left over: neither time nor another process brings anything more. */
async function expectRest(world: World): Promise<void> {
  const { length } = world.runs;
  await world.restart(0);
  await world.pass(DAY);
  expect(world.runs).toHaveLength(length);
}

describe("a task that was accepted", () => {
  it("has run to its end or is a dead letter, whatever goes wrong and whenever its process is killed", async () => {
    const disturbance = fc.option(faults, { nil: undefined });
    await fc.assert(
      fc.asyncProperty(anyFate, dooms, disturbance, places, (script, dooms, faults, maxInFlight) =>
        scripted({ dooms, maxInFlight, ...(faults && { faults }) }, async (world) => {
          await play(world, script);
          await world.pass(DAY);
          const letters = (await world.letters()).map(({ taskId }) => taskId);
          const ended = new Set([...returned(world.runs), ...letters]);
          expect(world.offers.filter(({ accepted, id }) => accepted && !ended.has(id))).toEqual([]);
          const offered = new Set(world.offers.map(({ id }) => id));
          expect([...world.runs.map(({ id }) => id), ...letters].filter((id) => !offered.has(id))).toEqual([]);
          expect(new Set(letters).size).toBe(letters.length);
          await expectRest(world);
        }),
      ),
      runs(80),
    );
  });

  it("runs exactly once when nothing goes wrong, and whoever enqueued it is told", async () => {
    await fc.assert(
      fc.asyncProperty(scripts(paths, "done"), places, (script, maxInFlight) =>
        scripted({ maxInFlight }, async (world) => {
          await play(world, script);
          await world.pass(DAY);
          const offered = world.offers.map(({ id }) => id).toSorted();
          expect(world.runs.map(({ id }) => id).toSorted()).toEqual(offered);
          expect(returned(world.runs).toSorted()).toEqual(offered);
          // Not by a later process than that which took it.
          const toldHere = world.offers.filter(({ id, life }) =>
            world.runs.some((run) => run.id === id && run.life === life),
          );
          expect(toldHere.filter(({ told }) => told?.type !== "done")).toEqual([]);
          await expectRest(world);
        }),
      ),
      runs(30),
    );
  });
});

describe("a process that is killed", () => {
  it("has at most the deliveries repeated that were in flight, and none whose end was written down", async () => {
    await fc.assert(
      fc.asyncProperty(scripts(paths, "done"), dooms, places, (script, dooms, maxInFlight) =>
        scripted({ dooms, maxInFlight }, async (world) => {
          await play(world, script);
          await world.pass(DAY);
          const repeated = world.runs.filter(({ id, count }) =>
            world.runs.some((run) => run.id === id && run.count > count),
          );
          for (const [number, { to }] of world.lives.entries()) {
            const ofLife = repeated.filter(({ life }) => life === number);
            expect(ofLife.length).toBeLessThanOrEqual(maxInFlight);
            // Time moves on only when all that a moment has set off is done, and written down.
            expect(ofLife.filter(({ end }) => end !== undefined && end.at < to)).toEqual([]);
          }
          for (const { id, life } of world.offers.filter(({ told }) => told !== undefined))
            expect(world.runs.filter((run) => run.id === id && run.life > life)).toEqual([]);
        }),
      ),
      runs(80),
    );
  });
});
