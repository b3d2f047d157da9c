import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Gate } from "../../src/google/gate.ts";
import { passes } from "./passes.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a gate", () => {
  it("lets so many in at once, the others in order, whatever becomes of each, and is empty at last", async () => {
    const works = fc.array(fc.record({ turns: fc.nat(3), fails: fc.boolean() }), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(works, fc.integer({ min: 1, max: 8 }), async (works, size) => {
        const gate = new Gate(size);
        const began: number[] = [];
        let inside = 0;
        let most = 0;
        const settled = works.map(({ turns, fails }, index) =>
          gate.pass(async () => {
            began.push(index);
            inside += 1;
            most = Math.max(most, inside);
            for (let count = 0; count < turns; count++) await turn();
            inside -= 1;
            if (fails) throw new Error("fails");
            return index;
          }),
        );
        const results = await Promise.allSettled(settled);
        await gate.empty();
        expect([began, inside]).toEqual([works.map((_, index) => index), 0]);
        expect(most).toBeLessThanOrEqual(size);
        expect(results.map(({ status }) => status === "rejected")).toEqual(works.map(({ fails }) => fails));
      }),
      { numRuns: 50 },
    );
  });

  it("is empty only once the last one who waits has gone", async () => {
    const gate = new Gate(1);
    await gate.empty();
    const ends = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    for (const { promise } of ends) void gate.pass(() => promise);
    let empty = false;
    const emptied = gate.empty().then(() => {
      empty = true;
    });
    ends[0]?.resolve();
    await turn();
    expect(empty).toBe(false);
    ends[1]?.resolve();
    await emptied;
  });

  it("lets somebody in again after it was empty", async () => {
    const gate = new Gate(1);
    for (let count = 0; count < 3; count++) expect(await gate.pass(async () => count)).toBe(count);
    await gate.empty();
  });

  it("forgets who has passed, though somebody always waits", () => {
    const printed = execFileSync(process.execPath, ["--expose-gc", passes], { encoding: "utf8" });
    const heaps = printed.trim().split(" ").map(Number);
    expect(heaps).toHaveLength(3);
    // One reference kept for each that passes is 0.8 MB a round.
    const growths = heaps.slice(1).map((heap, round) => heap - (heaps[round] ?? Number.NaN));
    expect(Math.min(...growths)).toBeLessThan(400_000);
  });
});
