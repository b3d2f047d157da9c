import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnyRoute } from "../../src/core/declaration.ts";
import { FakeCloud, grpcError } from "./fake-cloud.ts";
import { HastyClock } from "./hasty-clock.ts";
import { Deployment, route } from "./scene.ts";

const PATHS = ["a.one", "a.two", "b.three", "b.c.four", "five_5"];

const options = fc.record(
  {
    via: fc.constantFrom("pubsub", "cloud-tasks"),
    ackDeadline: fc.integer({ min: 15, max: 600 }),
    minRetryDelay: fc.constantFrom(0, 0.5, 2.5, 10),
    maxRetryDelay: fc.constantFrom(10, 12.25, 600),
    maxAttempts: fc.integer({ min: 1, max: 100 }),
    schedule: fc.constantFrom("* * * * *", "0 9 * * 1-5"),
    queue: fc.record(
      {
        ratePerSecond: fc.constantFrom(0.5, 5, 500),
        maxConcurrent: fc.integer({ min: 1, max: 5000 }),
        maxDoublings: fc.integer({ min: 0, max: 16 }),
        maxRetryDuration: fc.constantFrom(0, 60),
        logSampling: fc.constantFrom(0, 0.25, 1),
        priorities: fc.constantFrom({}, { high: { ratePerSecond: 7 } }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

/** Lists of routes, none or some of whose switches are off. */
const lists = fc
  .uniqueArray(fc.record({ path: fc.constantFrom(...PATHS), options, off: fc.boolean() }), {
    selector: ({ path }) => path,
    maxLength: PATHS.length,
  })
  .map((given) => ({
    routes: given.map(({ path, options }): AnyRoute => route(path, options)),
    off: given.filter(({ off }) => off).map(({ path }) => path),
  }));

const generation = fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined });

function deployment(
  cloud: FakeCloud,
  { routes, off }: { readonly routes: readonly AnyRoute[]; readonly off: readonly string[] },
  generation: number | undefined,
  { environment = "prod", clock }: { readonly environment?: string; readonly clock?: HastyClock } = {},
): Deployment {
  const env = {
    TASKS_ENVIRONMENT: environment,
    TASKS_DEFERRAL_QUEUE: "true",
    ...(generation === undefined ? {} : { TASKS_GENERATION: String(generation) }),
  };
  return new Deployment(cloud, routes, { env, off }, clock);
}

/** Resolves after some milliseconds. */
function later(clock: HastyClock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.setTimeout(resolve, ms));
}

/** What there is, in one order, as JSON: what is compared before and after. */
function stateOf(cloud: FakeCloud): string {
  return JSON.stringify([...cloud.resources].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe("after an apply", () => {
  it("there is nothing left to do", async () => {
    await fc.assert(
      fc.asyncProperty(lists, generation, async (list, number) => {
        const cloud = new FakeCloud();
        const { results } = await deployment(cloud, list, number).apply();
        expect(results.filter(({ status }) => status !== "done")).toEqual([]);
        expect(
          (await deployment(cloud, list, number).plan()).changes.filter(({ action }) => action !== "keep"),
        ).toEqual([]);
      }),
    );
  });

  it("there is nothing left to do, whatever was there before and whatever it passes through", async () => {
    await fc.assert(
      fc.asyncProperty(lists, lists, generation, fc.nat(2), async (before, after, number, failures) => {
        const cloud = new FakeCloud();
        await deployment(cloud, before, number).apply();
        const tried = new Map<string, number>();
        cloud.before = ({ method, name }) => {
          const times = (tried.get(`${method} ${name}`) ?? 0) + 1;
          tried.set(`${method} ${name}`, times);
          if (times <= failures) throw grpcError("UNAVAILABLE", "The service is currently unavailable.");
        };
        cloud.pageSize = 2;
        const consent = { prune: true, replace: true };
        const { results } = await deployment(cloud, after, number).apply(consent);
        expect(results.filter(({ status }) => status === "failed")).toEqual([]);
        const { changes } = await deployment(cloud, after, number).plan(consent);
        // Queues are never pruned.
        expect(changes.filter(({ action, kind }) => action !== "keep" && kind !== "queue")).toEqual([]);
      }),
    );
  });

  it("another environment and another service are as they were", async () => {
    await fc.assert(
      fc.asyncProperty(
        lists,
        lists,
        fc.constantFrom("dev", "production", "prod-2", "Prod"),
        async (others, list, other) => {
          const cloud = new FakeCloud();
          await deployment(cloud, others, 9, { environment: other }).apply();
          const before = [...cloud.resources];
          await deployment(cloud, list, 1).apply({ prune: true, replace: true });
          await deployment(cloud, { routes: [], off: [] }, 2).apply({ prune: true, replace: true });
          for (const [name, resource] of before) expect(cloud.resources.get(name)).toEqual(resource);
        },
      ),
    );
  });
});

describe("two deployments", () => {
  it("that are the same and apply at once settle, and nothing fails", async () => {
    await fc.assert(
      fc.asyncProperty(lists, generation, fc.scheduler(), async (list, number, scheduler) => {
        const cloud = new FakeCloud();
        cloud.before = ({ method, name }) => scheduler.schedule(Promise.resolve(), `${method} ${name}`);
        const one = deployment(cloud, list, number);
        const other = deployment(cloud, list, number);
        const reports = await scheduler.waitFor(Promise.all([one.apply(), other.apply()]));
        for (const { results } of reports)
          expect(results.filter(({ status }) => status === "failed" || status === "skipped")).toEqual([]);
        cloud.before = () => undefined;
        expect((await one.plan()).isEmpty).toBe(true);
      }),
    );
  });

  it("an older one, applied after a newer one, changes nothing", async () => {
    await fc.assert(
      fc.asyncProperty(lists, lists, async (newer, older) => {
        const cloud = new FakeCloud();
        await deployment(cloud, newer, 5).apply();
        const before = stateOf(cloud);
        fc.pre(cloud.names("topic").length > 0);
        await deployment(cloud, older, 4).apply({ prune: true, replace: true });
        expect(stateOf(cloud)).toBe(before);
      }),
    );
  });

  it("an older and a newer one that apply at once settle to what the newer one wants, if no call takes seconds", async () => {
    const latencies = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(lists, lists, lists, latencies, fc.nat(2000), async (before, older, newer, ms, lead) => {
        const clock = new HastyClock();
        const cloud = new FakeCloud();
        await deployment(cloud, before, 3, { clock }).apply();
        let count = 0;
        cloud.before = cloud.after = () => later(clock, ms[count++ % ms.length] ?? 0);
        const first = deployment(cloud, older, 4, { clock }).apply({ replace: true });
        const second = later(clock, lead).then(() => deployment(cloud, newer, 5, { clock }).apply({ replace: true }));
        for (const { results } of await Promise.all([first, second]))
          expect(results.filter(({ status }) => status === "failed")).toEqual([]);
        cloud.before = cloud.after = () => undefined;
        const { changes } = await deployment(cloud, newer, 5).plan();
        expect(changes.filter(({ action, routes }) => action !== "keep" && routes.length > 0)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
