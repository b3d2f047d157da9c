import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dooms, runs } from "./chance.ts";
import { World } from "./world.ts";

const DAY = 86_400;

describe("a delayed task", () => {
  const offers = fc.array(
    fc.record({ delay: fc.nat(480).map((eighths) => eighths / 8), pause: fc.constantFrom(0, 0.5, 3, 20) }),
    { maxLength: 12 },
  );

  it("never begins early, however often its process is killed", async () => {
    await fc.assert(
      fc.asyncProperty(offers, dooms, (offers, dooms) =>
        World.run({ routes: [{ path: "x.task" }], dooms, body: () => {} }, async (world) => {
          for (const [index, { delay, pause }] of offers.entries()) {
            await world.offer("x.task", `task-${index}`, {}, { delay });
            await world.pass(pause);
          }
          await world.pass(DAY);
          for (const { id, at, options, accepted } of world.offers) {
            const due = at + (options.delay ?? 0) * 1000;
            const own = world.runs.filter((run) => run.id === id);
            for (const run of own) expect(run.at).toBeGreaterThanOrEqual(due);
            if (accepted) expect(own.length).toBeGreaterThan(0);
          }
        }),
      ),
      runs(60),
    );
  });

  it("begins at its moment, or with the first process that runs after it", async () => {
    const outages = fc.array(fc.record({ after: fc.nat(40), downtime: fc.nat(40), gentle: fc.boolean() }), {
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(100), { maxLength: 10 }), outages, (delays, outages) =>
        World.run({ routes: [{ path: "x.task" }], body: () => {} }, async (world) => {
          const begin = world.now;
          for (const delay of delays) await world.offer("x.task", `task-${delay}`, {}, { delay });
          await world.pass(0);
          for (const { after, downtime, gentle } of outages) {
            await world.pass(after);
            await (gentle ? world.restart(downtime) : world.crash(downtime));
          }
          await world.pass(DAY);
          const began = Object.fromEntries(world.runs.map(({ id, at }) => [id, at]));
          const due = delays.map((delay) => [`task-${delay}`, world.servedFrom(begin + delay * 1000)]);
          expect(began).toEqual(Object.fromEntries(due));
        }),
      ),
      runs(60),
    );
  });
});
