import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { runs } from "./chance.ts";
import type { LifeOptions, RouteSpec } from "./life.ts";
import { World } from "./world.ts";

const DAY = 86_400;
const seconds = fc.constantFrom(0, 0.5, 3);

/** A poison task of so many seconds, and tasks beside it: enqueued before it or after, on its own route or on another. */
interface Surroundings {
  readonly via: "pubsub" | "cloud-tasks";
  readonly maxAttempts: number;
  readonly maxInFlight: number;
  readonly seconds: number;
  readonly neighbours: readonly { readonly before: boolean; readonly own: boolean; readonly seconds: number }[];
}

const surroundings: fc.Arbitrary<Surroundings> = fc.record({
  via: fc.constantFrom("pubsub", "cloud-tasks"),
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  maxInFlight: fc.integer({ min: 1, max: 5 }),
  seconds,
  neighbours: fc.array(fc.record({ before: fc.boolean(), own: fc.boolean(), seconds }), { maxLength: 8 }),
});

/** Deliveries after which a transport gives a message up. */
function backstop({ via, maxAttempts }: Surroundings): number {
  return via === "cloud-tasks" ? maxAttempts + 5 : Math.max(5, 5 * maxAttempts);
}

/** What a poison does: to whom it is delivered, and whether its schema refuses it there. */
interface Poison {
  readonly effect: LifeOptions["body"];
  refused?(): boolean;
}

/** Lets a poison work among its neighbours. */
function poisoned(around: Surroundings, { effect, refused }: Poison, then: (world: World) => Promise<void>) {
  const { via, maxAttempts, maxInFlight, neighbours } = around;
  const payload = z.looseObject({ bad: z.boolean() }).refine(({ bad }) => !bad || refused?.() !== true);
  const common = { via, maxAttempts, payload, minRetryDelay: 1, maxRetryDelay: 10 };
  const routes: readonly RouteSpec[] = ["x.own", "x.other"].map((path) => ({ ...common, path }));
  const body: LifeOptions["body"] = (run, life, ctx) => {
    const end = () => (run.id === "poison" ? effect(run, life, ctx) : undefined);
    return run.payload.seconds === 0 ? end() : life.after(run.payload.seconds as number).then(end);
  };
  return World.run({ routes, body, maxInFlight }, async (world) => {
    const tasks = neighbours.map(({ own, ...rest }, index) => ({
      ...rest,
      path: own ? "x.own" : "x.other",
      id: `${index}`,
    }));
    const offer = async (
      these: readonly { readonly path: string; readonly id: string; readonly seconds: number }[],
    ) => {
      for (const { path, id, seconds } of these) await world.offer(path, id, { bad: id === "poison", seconds });
    };
    await offer(tasks.filter(({ before }) => before));
    await offer([{ path: "x.own", id: "poison", seconds: around.seconds }]);
    await offer(tasks.filter(({ before }) => !before));
    await world.pass(DAY);
    await then(world);
  });
}

const parked = async (world: World): Promise<string[]> => (await world.letters()).map(({ taskId }) => taskId);

/** The neighbours whose run returned. */
function finished(world: World): Set<string> {
  const returned = world.runs.filter(({ id, end }) => id !== "poison" && end?.as === "returned");
  return new Set(returned.map(({ id }) => id));
}

describe("a poison task ends as a dead letter, and its neighbours finish, if it", () => {
  it("always throws: after its last attempt", async () => {
    const effect = () => Promise.reject(new Error("boom"));
    await fc.assert(
      fc.asyncProperty(surroundings, (around) =>
        poisoned(around, { effect }, async (world) => {
          expect(world.runs.filter(({ id }) => id === "poison")).toHaveLength(around.maxAttempts);
          expect(await parked(world)).toEqual(["poison"]);
          expect(finished(world).size).toBe(around.neighbours.length);
        }),
      ),
      runs(30),
    );
  });

  it("is always refused by its schema: after as many deliveries as its transport makes", async () => {
    await fc.assert(
      fc.asyncProperty(surroundings, (around) => {
        let looks = 0;
        // Taken when it is enqueued, and never again.
        const poison: Poison = { effect: () => {}, refused: () => ++looks > 1 };
        return poisoned(around, poison, async (world) => {
          const ends = world.finished.filter(({ taskId }) => taskId === "poison").map(({ outcome }) => outcome.type);
          expect(ends).toEqual(Array(backstop(around)).fill("rejected"));
          expect(await parked(world)).toEqual(["poison"]);
          expect(finished(world).size).toBe(around.neighbours.length);
        });
      }),
      runs(30),
    );
  });

  it("always ends its process: after as many deliveries as its transport makes", async () => {
    await fc.assert(
      fc.asyncProperty(surroundings, fc.constantFrom(0, 0.001, 1, 30), (around, downtime) =>
        poisoned(around, { effect: (_, life) => life.kill(downtime) }, async (world) => {
          expect(world.runs.filter(({ id }) => id === "poison")).toHaveLength(backstop(around));
          expect(await parked(world)).toEqual(["poison"]);
          expect(finished(world).size).toBe(around.neighbours.length);
        }),
      ),
      runs(30),
    );
  });
});
