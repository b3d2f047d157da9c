import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs } from "./chance.ts";
import type { RouteSpec } from "./life.ts";
import { World, type WorldOptions } from "./world.ts";

const DAY = 86_400;
const ACK_DEADLINE = 20;

/** Retry settings of a route, in seconds. */
interface Retries {
  readonly via: "pubsub" | "cloud-tasks";
  readonly min: number;
  readonly max: number;
  readonly maxDoublings: number;
}

const retries: fc.Arbitrary<Retries> = fc
  .record({
    via: fc.constantFrom("pubsub", "cloud-tasks"),
    min: fc.constantFrom(0, 0.1, 1, 2, 10),
    max: fc.constantFrom(0, 0.1, 5, 60, 600),
    maxDoublings: fc.nat(5),
  })
  .filter(({ min, max }) => min <= max);

const outages = fc.array(fc.record({ after: fc.oneof(fc.nat(5), fc.nat(100)), downtime: fc.nat(60) }), {
  maxLength: 4,
});

/** Milliseconds before retry `retry`, from 1: Cloud Tasks documents its curve, Pub/Sub no more than that it is exponential. */
function expectedDelay({ via, min, max, maxDoublings }: Retries, retry: number): number {
  const doublings = via === "pubsub" ? 1000 : maxDoublings;
  const steps = retry <= doublings + 1 ? 2 ** (retry - 1) : 2 ** doublings * (retry - doublings);
  return Math.round(Math.min(min * steps, max) * 1000);
}

/** A service with one task under these settings, through some outages. */
function suffering(
  of: Retries,
  outages: readonly { readonly after: number; readonly downtime: number }[],
  options: Pick<WorldOptions, "body" | "faults"> & { readonly maxAttempts: number },
  then: (world: World) => void,
): Promise<void> {
  const { maxAttempts, ...rest } = options;
  const { via, min: minRetryDelay, max: maxRetryDelay, maxDoublings } = of;
  const route: RouteSpec = {
    path: "x.task",
    via,
    ackDeadline: ACK_DEADLINE,
    maxAttempts,
    minRetryDelay,
    maxRetryDelay,
    queue: { maxDoublings },
  };
  return World.run({ routes: [route], ...rest }, async (world) => {
    await world.offer("x.task", "task");
    await world.pass(0);
    for (const { after, downtime } of outages) {
      await world.pass(after);
      await world.crash(downtime);
    }
    await world.pass(DAY);
    then(world);
  });
}

/** Each run came when it was due, or with the first process after that; one that was cut short, with the next process. */
function expectInTime(world: World, due: (run: World["runs"][number], retry: number) => number): void {
  for (const [index, run] of world.runs.slice(0, -1).entries()) {
    const moment = run.end === undefined ? world.lives[run.life + 1]?.from : world.servedFrom(due(run, index + 1));
    expect([index + 1, world.runs[index + 1]?.at]).toEqual([index + 1, moment]);
  }
}

describe("the back-off of a task", () => {
  it("is what its service does, from the end of one run to the beginning of the next, across restarts", async () => {
    await fc.assert(
      fc.asyncProperty(
        retries,
        outages,
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(0, 1, 7),
        (of, outages, failures, seconds) => {
          const body: WorldOptions["body"] = async ({ count }, life) => {
            if (seconds > 0) await life.after(seconds);
            if (count <= failures) throw new Error("boom");
          };
          return suffering(of, outages, { body, maxAttempts: 20 }, (world) => {
            expectInTime(world, ({ end }, retry) => (end?.at ?? Number.NaN) + expectedDelay(of, retry));
            expect(world.runs.at(-1)?.end?.as).toBe("returned");
            expect(world.runs.length).toBeGreaterThan(failures);
          });
        },
      ),
      runs(60),
    );
  });

  it("stays within its bounds and never becomes shorter", async () => {
    await fc.assert(
      fc.asyncProperty(retries, (of) => {
        const body = () => Promise.reject(new Error("boom"));
        return suffering(of, [], { body, maxAttempts: 12 }, ({ runs }) => {
          const gaps = runs.slice(1).map(({ at }, index) => (at - (runs[index]?.end?.at ?? Number.NaN)) / 1000);
          expect(gaps).toHaveLength(11);
          expect(gaps.filter((gap) => gap < of.min || gap > of.max)).toEqual([]);
          expect(gaps).toEqual(gaps.toSorted((a, b) => a - b));
          if (of.min > 0 && of.via === "pubsub") expect(gaps.at(-1)).toBe(Math.min(of.max, of.min * 2 ** 10));
        });
      }),
      runs(30),
    );
  });

  it("begins at the ack deadline for a run whose acknowledgement is lost", async () => {
    await fc.assert(
      fc.asyncProperty(retries, outages, fc.constantFrom(0, 1, 7), (of, outages, seconds) => {
        const body: WorldOptions["body"] = (_, life) => (seconds > 0 ? life.after(seconds) : undefined);
        return suffering(of, outages, { body, faults: { dropRate: 1 }, maxAttempts: 2 }, (world) => {
          expectInTime(world, ({ at }, retry) => at + ACK_DEADLINE * 1000 + expectedDelay(of, retry));
          expect(world.runs).toHaveLength(of.via === "pubsub" ? 10 : 7);
        });
      }),
      runs(40),
    );
  });
});
