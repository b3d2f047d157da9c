import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs } from "./chance.ts";
import type { RouteSpec } from "./life.ts";
import { World } from "./world.ts";

const routes: readonly RouteSpec[] = [{ path: "x.task", maxAttempts: 1 }];
const body = () => Promise.reject(new Error("boom"));

/** What is done to the letters of a task in one turn of the event loop, and in how many turns the process is killed. */
const steps = fc.array(
  fc.record({
    deeds: fc.array(fc.constantFrom("redrive" as const, "drop" as const), { minLength: 1, maxLength: 3 }),
    turns: fc.option(fc.nat(6), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 5 },
);
type Step = typeof steps extends fc.Arbitrary<readonly (infer S)[]> ? S : never;

/** The messages of the letters that there are, and of all runs so far: each message is parked in the end. */
async function look(world: World): Promise<{ readonly parked: string[]; readonly run: string[] }> {
  const letters = await world.letters();
  return {
    parked: letters.map(({ messageId }) => messageId).toSorted(),
    run: [...new Set(world.runs.map(({ messageId }) => messageId))],
  };
}

/** Does what a step says; `undefined` stands for what was not answered before the process died. */
async function take(world: World, { deeds, turns }: Step): Promise<(boolean | undefined)[]> {
  const life = await world.alive();
  const answers: (boolean | undefined)[] = deeds.map(() => undefined);
  for (const [index, deed] of deeds.entries()) {
    void life.answered(life.tasks.deadLetters[deed]("task")).then((answer) => {
      answers[index] = answer;
    });
  }
  if (turns !== undefined) life.killAfter(turns);
  await world.pass(10);
  return answers;
}

describe("a dead letter", () => {
  it("is redriven once or dropped or still there, in whatever moment its process is killed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), steps, (letters, steps) =>
        World.run({ routes, body }, async (world) => {
          // An id may stand for several letters.
          for (let letter = 0; letter < letters; letter++) await world.offer("x.task", "task");
          await world.pass(10);
          for (const step of steps) {
            const before = await look(world);
            const answers = await take(world, step);
            const after = await look(world);
            const fresh = after.run.filter((message) => !before.run.includes(message));
            const kept = before.parked.filter((message) => after.parked.includes(message));
            const gone = before.parked.length - kept.length;
            // Redriven or dropped, whoever came first; what was redriven has run, and is parked again.
            expect(after.parked).toEqual([...kept, ...fresh].toSorted());
            expect(fresh.length).toBeLessThanOrEqual(step.deeds.includes("redrive") ? gone : 0);
            if (!step.deeds.includes("drop")) expect(fresh).toHaveLength(gone);
            if (before.parked.length === 0) expect(answers).not.toContain(true);
            if (answers[0] !== undefined) expect([answers[0], kept]).toEqual([before.parked.length > 0, []]);
          }
        }),
      ),
      runs(80),
    );
  });
});
