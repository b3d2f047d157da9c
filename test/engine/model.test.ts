import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnyRoute } from "../../src/core/declaration.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { busy, denied, discarded, done, failed, rejected, route, ScriptedEngine } from "./scripted.ts";

type Fate = "busy" | "denied" | "failed" | "late" | "rejected" | "done" | "discarded";

const outcomes: Readonly<Record<Fate, Outcome>> = {
  busy: busy(2),
  denied,
  failed: failed(),
  late: failed(3),
  rejected,
  done,
  discarded,
};

const MAX_ATTEMPTS = 2;
/** What a dead-letter policy allows a route of two attempts. */
const MAX_NACKS = 10;

/** What a task meets, delivery by delivery; it goes on with its last fate, which is none that never ends. */
const fates = fc
  .tuple(
    fc.array(fc.constantFrom<Fate>("busy", "denied", "failed", "late", "rejected", "done", "discarded"), {
      maxLength: 15,
    }),
    fc.constantFrom<Fate>("done", "discarded", "failed", "rejected"),
  )
  .map(([first, last]) => [...first, last]);

const publication = fc.record({ to: fc.nat(2), delay: fc.option(fc.nat(50), { nil: undefined }), fates });
const command = fc.oneof(
  publication.map((publish) => ({ publish })),
  fc.nat(30).map((seconds) => ({ seconds })),
);

/** How a task ends, and the attempts that its deliveries carry, by the rules alone. */
function expected(of: readonly Fate[]): { end: "done" | "discarded" | "undeliverable"; attempts: number[] } {
  const attempts: number[] = [];
  let failures = 0;
  let rejections = 0;
  for (let delivery = 0; ; delivery++) {
    attempts.push(failures + 1);
    const fate = of[Math.min(delivery, of.length - 1)];
    if (fate === "done" || fate === "discarded") return { end: fate, attempts };
    if (fate === "failed" || fate === "late") failures += 1;
    if (fate === "rejected") rejections += 1;
    if (failures + rejections === MAX_NACKS) return { end: "undeliverable", attempts };
  }
}

describe("whatever happens to its tasks, an engine", () => {
  it("loses none: each ends once, done or as a dead letter, after the attempts that count", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { maxLength: 25 }),
        fc.integer({ min: 1, max: 4 }),
        async (commands, places) => {
          const routes: readonly AnyRoute[] = [
            route("x.plain", { maxAttempts: MAX_ATTEMPTS }),
            route("x.single", { maxAttempts: MAX_ATTEMPTS, maxConcurrency: 1, minRetryDelay: 0, maxRetryDelay: 0 }),
            route("x.limited", { maxAttempts: MAX_ATTEMPTS, queue: { ratePerSecond: 0.5 } }),
          ];
          const plans = new Map<string, { readonly fates: readonly Fate[]; readonly notBefore: number }>();
          const ends = new Map<string, Outcome[]>();
          const early: string[] = [];
          const run = new ScriptedEngine(
            routes,
            async ({ id, delivery, at }) => {
              const plan = plans.get(id);
              if (plan === undefined || at < plan.notBefore) early.push(id);
              await run.after(1);
              return outcomes[plan?.fates[Math.min(delivery, plan.fates.length) - 1] ?? "done"];
            },
            { maxInFlight: places },
          );
          for (const step of commands) {
            if ("seconds" in step) await run.pass(step.seconds);
            else {
              const { to, delay, fates } = step.publish;
              const id = `task-${plans.size}`;
              plans.set(id, { fates, notBefore: run.seconds + (delay ?? 0) });
              const receipt = run.publish(routes[to] as AnyRoute, { id, ...(delay === undefined ? {} : { delay }) });
              void receipt.outcome?.().then((outcome) => ends.set(id, [...(ends.get(id) ?? []), outcome]));
            }
          }
          await run.pass(100_000);

          expect(early).toEqual([]);
          const letters = new Set((await run.engine.deadLetters.list()).map(({ taskId }) => taskId));
          for (const [id, { fates }] of plans) {
            const { end, attempts } = expected(fates);
            expect(run.arrivals.filter((arrival) => arrival.id === id).map(({ attempt }) => attempt)).toEqual(attempts);
            expect(ends.get(id)).toHaveLength(1);
            expect(letters.has(id)).toBe(end === "undeliverable");
            if (end !== "undeliverable") expect(ends.get(id)?.[0]).toBe(outcomes[end]);
          }
          expect([run.engine.unfinished, run.engine.inFlight, run.clock.pending]).toEqual([0, 0, 0]);
        },
      ),
      { numRuns: 60 },
    );
  });
});
