import type { StandardSchemaV1 } from "@standard-schema/spec";
import fc from "fast-check";
import { expect, it } from "vitest";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createScene, NOTHING } from "../support/scene.ts";

interface Payload {
  readonly number: number;
  /** Turns of the event loop that its check takes; 0: none, and no promise either. */
  readonly turns: number;
  readonly fits: boolean;
}

/** A schema that takes its time. */
const payload: StandardSchemaV1<Payload> = {
  "~standard": {
    version: 1,
    vendor: "slow",
    validate(value) {
      const { turns, fits } = value as Payload;
      const result = fits ? { value: value as Payload } : { issues: [{ message: "does not fit" }] };
      return turns === 0 ? result : later(turns).then(() => result);
    },
  },
};

async function later(turns: number): Promise<void> {
  for (let left = turns; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
}

const item = fc.record({
  key: fc.constantFrom("a", "a", "b", undefined),
  turns: fc.constantFrom(0, 0, 0, 1, 3),
  fits: fc.constantFrom(true, true, true, false),
});
/** One enqueue, or many at once; and how many turns pass before the next. */
const step = fc.record({ items: fc.array(item, { minLength: 1, maxLength: 3 }), many: fc.boolean(), pause: fc.nat(1) });

it("tasks of one key are sent in the order in which they were enqueued, however long each is checked", async () => {
  const route = new TaskRoute({ path: "x.task", ordered: true, payload, run: () => {} });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      const { options, sent } = createScene({ capabilities: { ...NOTHING, ordering: true } });
      const tasks = createTasks({ ...options, routes: [route] });
      const expected: { key: string | undefined; number: number }[] = [];
      const done: Promise<unknown>[] = [];
      let number = 0;
      for (const { items, many, pause } of steps) {
        const numbered = items.map(({ key, turns, fits }) => ({
          key,
          task: { payload: { number: number++, turns, fits }, ...(key === undefined ? {} : { orderingKey: key }) },
        }));
        const batches = many ? [numbered] : numbered.map((one) => [one]);
        for (const batch of batches) {
          if (batch.every(({ task }) => task.payload.fits))
            expected.push(...batch.map(({ key, task }) => ({ key, number: task.payload.number })));
          const [
            {
              task: { payload: only, ...rest },
            } = numbered[0] as (typeof numbered)[0],
          ] = batch;
          const asked = many
            ? tasks.enqueueMany(
                route,
                batch.map(({ task }) => task),
              )
            : tasks.enqueue(route, only, rest);
          done.push(asked.catch(() => {}));
        }
        if (pause > 0) await later(pause);
      }
      await Promise.all(done);
      for (const key of ["a", "b", undefined]) {
        const arrived = sent
          .filter(({ orderingKey }) => orderingKey === key)
          .map((task) => JSON.parse(task.payloadJson).number);
        const wanted = expected.filter((one) => one.key === key).map((one) => one.number);
        if (key === undefined) expect(arrived.toSorted()).toEqual(wanted.toSorted());
        else expect(arrived).toEqual(wanted);
      }
    }),
    { numRuns: 500 },
  );
});
