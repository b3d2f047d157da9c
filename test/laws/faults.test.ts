import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FaultOptions } from "../../src/core/fault-options.ts";
import { faults, runs } from "./chance.ts";
import type { RouteSpec } from "./life.ts";
import { World, type WorldOptions } from "./world.ts";

const DAY = 86_400;
const quick = { ackDeadline: 15, minRetryDelay: 0, maxRetryDelay: 1, maxAttempts: 1 };
const routes: readonly RouteSpec[] = [
  { ...quick, path: "x.one" },
  { ...quick, path: "x.other", via: "cloud-tasks" },
];

/** What tasks interleave by. */
interface Circumstances {
  readonly maxInFlight: number;
  /** Seconds that each run takes. */
  readonly seconds: number;
  /** Seconds until the tasks fall due, in turn. */
  readonly delays: readonly number[];
  /** Year in which it all happens. */
  readonly year: number;
}

const circumstances: fc.Arbitrary<Circumstances> = fc.record({
  maxInFlight: fc.constantFrom(1, 2, 100),
  seconds: fc.constantFrom(0, 1, 10),
  delays: fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }),
  year: fc.integer({ min: 2025, max: 2099 }),
});

/** What went wrong with each task, delivery by delivery. */
function mishaps(paths: readonly string[], faults: FaultOptions, circumstances: Circumstances) {
  const { maxInFlight, seconds, delays, year } = circumstances;
  const options: WorldOptions = { routes, body: (_, life) => life.after(seconds), start: new Date(Date.UTC(year, 0)) };
  return World.run({ ...options, maxInFlight, faults }, async (world) => {
    for (const [index, path] of paths.entries())
      await world.offer(path, `task-${index}`, {}, { delay: delays[index % delays.length] ?? 0 });
    await world.pass(DAY);
    const { lines } = await world.alive();
    const injected = lines.filter(({ message }) => message === "a fault was injected").map(({ fields }) => fields);
    return paths.map((_, index) =>
      injected.filter(({ taskId }) => taskId === `task-${index}`).map(({ fault, latency }) => ({ fault, latency })),
    );
  });
}

describe("faults of one seed", () => {
  it("hit the same deliveries of the same tasks, however and whenever these interleave", async () => {
    const paths = fc.array(fc.constantFrom("x.one", "x.other"), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(paths, faults, circumstances, circumstances, async (paths, faults, some, others) => {
        // Some latency, so that each delivery is told of.
        const slow = { ...faults, latencySeconds: 0.5 };
        expect(await mishaps(paths, slow, some)).toEqual(await mishaps(paths, slow, others));
      }),
      runs(40),
    );
  });

  it.each([0, 1, 42, 4_294_967_295])(
    "hit the share that each rate says of what the others left: seed %i",
    async (seed) => {
      const paths = Array.from({ length: 500 }, () => "x.one");
      const disturbance = { failureRate: 0.2, dropRate: 0.3, duplicateRate: 0.5, latencySeconds: 0.5, seed };
      const told = await mishaps(paths, disturbance, { maxInFlight: 100, seconds: 0, delays: [0], year: 2026 });
      // A delivery that is repeated went well, and so it does again.
      const deliveries = told.flatMap((task) => task.filter((_, index) => task[index - 1]?.fault !== "duplicate"));
      const run = deliveries.filter(({ fault }) => fault !== "failure");
      const acknowledged = run.filter(({ fault }) => fault !== "drop");
      const repeated = acknowledged.filter(({ fault }) => fault === "duplicate");
      expect(run.length / deliveries.length).toBeCloseTo(0.8, 1);
      expect(acknowledged.length / run.length).toBeCloseTo(0.7, 1);
      expect(repeated.length / acknowledged.length).toBeCloseTo(0.5, 1);
    },
  );
});
