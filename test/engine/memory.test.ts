import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { heapGrowth } from "./heap-growth.ts";
import { done, failed, route, ScriptedEngine } from "./scripted.ts";

describe("after 100,000 deliveries", () => {
  it("an engine counts nothing as waiting, in flight or parked, and has no timer", async () => {
    const task = route("x.task");
    const run = new ScriptedEngine([task], ({ attempt }) => (attempt === 1 ? failed(0) : done));
    for (let count = 0; count < 50_000; count++) run.publish(task, { dedupe: { key: `${count}`, window: 60 } });
    await run.pass(0);
    expect(run.arrivals).toHaveLength(100_000);
    expect([run.engine.unfinished, run.engine.inFlight, run.clock.pending]).toEqual([0, 0, 0]);
    expect(await run.engine.deadLetters.list()).toEqual([]);
  });

  it("the heap holds no more than after as many before", () => {
    const printed = execFileSync(process.execPath, ["--expose-gc", heapGrowth], { encoding: "utf8" });
    const heaps = printed.trim().split(" ").map(Number);
    expect(heaps).toHaveLength(4);
    // Compiled code may take 0.4 MB more once; what is kept for each task comes with every round, 0.4 MB a reference.
    const growths = heaps.slice(1).map((heap, round) => heap - (heaps[round] ?? Number.NaN));
    expect(Math.min(...growths)).toBeLessThan(300_000);
  });
});
