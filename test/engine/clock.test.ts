import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isTasksError } from "../../src/core/errors.ts";
import { clockStartingAt, VirtualClock } from "../../src/engine/clock.ts";

const START = Date.parse("2026-01-01T00:00:00Z");

describe("a virtual clock", () => {
  it("stands still until it is told to move", async () => {
    const clock = new VirtualClock();
    expect(clock.now()).toBe(START);
    let fired = false;
    clock.setTimeout(() => {
      fired = true;
    }, 1);
    await turn();
    expect([clock.now(), fired]).toEqual([START, false]);
    await clock.advance(1);
    expect([clock.now(), fired]).toEqual([START + 1, true]);
  });

  it("begins where it is told to", () => {
    const start = new Date("2030-06-01T12:00:00Z");
    expect(new VirtualClock(start).now()).toBe(start.getTime());
  });

  it("fires timers in order of their moments, equal ones as they were set, each at its own moment", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 30 }), async (waits) => {
        const clock = new VirtualClock();
        const fired: { place: number; at: number }[] = [];
        for (const [place, wait] of waits.entries()) {
          clock.setTimeout(() => fired.push({ place, at: clock.now() - START }), wait);
        }
        await clock.advance(20);
        const expected = waits.map((at, place) => ({ place, at })).sort((a, b) => a.at - b.at || a.place - b.place);
        expect(fired).toEqual(expected);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it("fires timers that are set while others fire, if they fall due on the way", async () => {
    const clock = new VirtualClock();
    const fired: number[] = [];
    const again = () => {
      fired.push(clock.now() - START);
      clock.setTimeout(again, 10);
    };
    clock.setTimeout(again, 10);
    await clock.advance(35);
    expect(fired).toEqual([10, 20, 30]);
    expect(clock.now()).toBe(START + 35);
    expect(clock.pending).toBe(1);
  });

  it("tells when a timer may fire next", async () => {
    const clock = new VirtualClock();
    expect(clock.nextTimer).toBeUndefined();
    clock.setTimeout(() => {}, 20);
    const sooner = clock.setTimeout(() => {}, 10);
    expect(clock.nextTimer).toBe(START + 10);
    clock.clearTimeout(sooner);
    await clock.advance(10);
    expect(clock.nextTimer).toBe(START + 20);
  });

  it("takes a negative wait as none", async () => {
    const clock = new VirtualClock();
    let at = Number.NaN;
    clock.setTimeout(() => {
      at = clock.now();
    }, -5);
    await clock.advance(0);
    expect(at).toBe(START);
  });

  it("does not fire a timer that was cancelled, even by a timer of the same moment", async () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    clock.setTimeout(() => {
      fired.push("first");
      clock.clearTimeout(second);
    }, 5);
    const second = clock.setTimeout(() => fired.push("second"), 5);
    const third = clock.setTimeout(() => fired.push("third"), 6);
    clock.clearTimeout(third);
    clock.clearTimeout(third);
    clock.clearTimeout(undefined);
    expect(clock.pending).toBe(2);
    await clock.advance(10);
    expect(fired).toEqual(["first"]);
    expect(clock.pending).toBe(0);
  });

  it("counts only what waits, through thousands of timers cancelled, before and after they fired", async () => {
    const clock = new VirtualClock();
    const kept: number[] = [];
    const handles = Array.from({ length: 3000 }, (_, wait) => clock.setTimeout(() => kept.push(wait), wait));
    for (const [wait, handle] of handles.entries()) if (wait % 3 !== 0) clock.clearTimeout(handle);
    expect(clock.pending).toBe(1000);
    await clock.advance(1499);
    expect(clock.pending).toBe(500);
    for (const handle of handles) clock.clearTimeout(handle);
    expect(clock.pending).toBe(0);
    await clock.advance(3000);
    expect(kept).toEqual(Array.from({ length: 500 }, (_, count) => count * 3));
  });

  it("lets everything that a timer set off happen before time moves on, however many steps it takes", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.setTimeout(async () => {
      for (let step = 0; step < 100; step++) await Promise.resolve();
      for (let step = 0; step < 10; step++) await turn();
      seen.push(`steps at ${clock.now() - START}`);
    }, 1);
    clock.setTimeout(() => seen.push(`timer at ${clock.now() - START}`), 2);
    await clock.advance(2);
    expect(seen).toEqual(["steps at 1", "timer at 2"]);
  });

  it("lets what was under way before happen first", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    void turn().then(() => clock.setTimeout(() => seen.push(`set in time, at ${clock.now() - START}`), 5));
    await clock.advance(10);
    expect(seen).toEqual(["set in time, at 5"]);
  });

  it("never goes back, even when a timer moves it", async () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    clock.setTimeout(() => void clock.advance(100), 10);
    for (const wait of [20, 50, 200]) clock.setTimeout(() => seen.push(clock.now() - START), wait);
    await clock.advance(30);
    expect(clock.now() - START).toBeGreaterThanOrEqual(Math.max(30, ...seen));
    await clock.advanceTo(new Date(START + 500));
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen).toHaveLength(3);
    expect(clock.now()).toBe(START + 500);
  });

  it("can move together with another one", async () => {
    const clocks = [new VirtualClock(), new VirtualClock()];
    const fired: number[] = [];
    for (const [index, clock] of clocks.entries()) clock.setTimeout(() => fired.push(index), 10);
    await Promise.all(clocks.map((clock) => clock.advance(20)));
    expect(fired.toSorted()).toEqual([0, 1]);
    expect(clocks.map((clock) => clock.now() - START)).toEqual([20, 20]);
  });

  it.each([
    ["a moment in the past", new Date(START - 1)],
    ["a moment that is none", new Date(Number.NaN)],
  ])("refuses to move to %s", async (_, moment) => {
    const refusal = await new VirtualClock().advanceTo(moment).catch((error: unknown) => error);
    expect(isTasksError(refusal, "INVALID_OPTION")).toBe(true);
  });
});

describe("a clock that starts at a moment", () => {
  it("goes on from there at the machine's pace, with the machine's timers", async () => {
    const start = new Date("2031-01-01T00:00:00Z");
    const before = Date.now();
    const clock = clockStartingAt(start);
    const passed = await new Promise<number>((resolve) => {
      clock.setTimeout(() => resolve(clock.now() - start.getTime()), 2);
    });
    expect(passed).toBeGreaterThanOrEqual(0);
    expect(passed).toBeLessThanOrEqual(Date.now() - before + 1);
  });
});
