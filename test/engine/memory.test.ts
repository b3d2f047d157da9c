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
    const [first = 0, second = Number.NaN] = printed.split(" ").map(Number);
    expect(first).toBeGreaterThan(0);
    // One reference kept for each task would be 0.4 MB.
    expect(second - first).toBeLessThan(300_000);
  });
});
