import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dooms, runs } from "./chance.ts";
import type { Offer, RouteSpec } from "./life.ts";
import { World } from "./world.ts";

const DAY = 86_400;
const routes: readonly RouteSpec[] = [{ path: "x.one" }, { path: "x.other" }];

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        path: fc.constantFrom("x.one", "x.other"),
        key: fc.constantFrom("a", "b"),
        window: fc.integer({ min: 1, max: 20 }),
        delay: fc.nat(10),
      }),
    },
    fc.constantFrom(0, 1, 5, 10),
  ),
  { maxLength: 20, size: "medium" },
);

/** Whether an offer's key was held at a moment, had it been enqueued. */
function holdsAt({ options, at }: Offer, moment: number): boolean {
  return at <= moment && moment < at + (options.dedupeWindow ?? 0) * 1000;
}

/** What the offers of one key came to, by the rules alone. */
function expectOneAtATime(offers: readonly Offer[], ran: ReadonlySet<string>): void {
  // One whose process was killed before it was accepted may be enqueued all the same: then it has run by now.
  const enqueued = offers.filter(({ id, accepted }) => accepted?.id === id || ran.has(id));
  for (const [index, offer] of offers.entries()) {
    const before = offers.slice(0, index).filter((earlier) => holdsAt(earlier, offer.at));
    if (enqueued.includes(offer)) expect(before.filter((earlier) => enqueued.includes(earlier))).toEqual([]);
    if (offer.accepted === undefined) continue;
    expect(offer.accepted.deduplicated).toBe(offer.accepted.id !== offer.id);
    if (offer.accepted.deduplicated) {
      expect(before.map(({ id }) => id)).toContain(offer.accepted.id);
      expect(enqueued.map(({ id }) => id)).toContain(offer.accepted.id);
      expect(ran.has(offer.id)).toBe(false);
    }
  }
}

describe("a dedupe key", () => {
  it("yields one task within its window, and a new one after it, however often the process is killed", async () => {
    await fc.assert(
      fc.asyncProperty(steps, dooms, (steps, dooms) =>
        World.run({ routes, dooms, body: (_, life) => life.after(1) }, async (world) => {
          for (const step of steps) {
            if (typeof step === "number") await world.pass(step);
            else {
              const { path, key, window, delay } = step;
              await world.offer(
                path,
                `task-${world.offers.length}`,
                {},
                { dedupeKey: key, dedupeWindow: window, delay },
              );
            }
          }
          await world.pass(DAY);
          const ran = new Set(world.runs.map(({ id }) => id));
          const groups = Object.groupBy(world.offers, ({ path, options }) => `${path} ${options.dedupeKey}`);
          for (const offers of Object.values(groups)) expectOneAtATime(offers ?? [], ran);
          for (const { accepted } of world.offers) if (accepted) expect(ran).toContain(accepted.id);
        }),
      ),
      runs(100),
    );
  });
});
