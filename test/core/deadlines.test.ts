import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ActiveRun } from "../../src/core/active-run.ts";
import { Deadlines } from "../../src/core/deadlines.ts";
import { VirtualClock } from "../../src/engine/clock.ts";

describe("the runs under way", () => {
  it("are those that were added and not removed, in order, whatever came and went", () => {
    const steps = fc.array(fc.record({ add: fc.boolean(), pick: fc.nat(20) }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (sequence) => {
        const deadlines = new Deadlines(new VirtualClock());
        let model: ActiveRun[] = [];
        for (const { add, pick } of sequence) {
          if (add || model.length === 0) {
            const run = new ActiveRun(0, 10_000);
            deadlines.add(run);
            model.push(run);
          } else {
            const run = model[pick % model.length] as ActiveRun;
            expect(deadlines.delete(run)).toBe(true);
            expect(deadlines.delete(run)).toBe(false);
            expect([run.previous, run.next]).toEqual([undefined, undefined]);
            model = model.filter((kept) => kept !== run);
          }
          expect([...deadlines]).toEqual(model);
          expect(deadlines.size).toBe(model.length);
        }
      }),
    );
  });

  it("share one timer, set to the earliest of their moments", async () => {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock);
    const passed: string[] = [];
    const start = (name: string, ackDeadlineMs: number): ActiveRun => {
      const run = new ActiveRun(clock.now(), ackDeadlineMs);
      run.watch(
        () => passed.push(`${name} overdue`),
        () => passed.push(`${name} abandoned`),
      );
      deadlines.add(run);
      return run;
    };
    const long = start("long", 100_000);
    start("short", 10_000);
    const ended = start("ended", 20_000);
    expect(deadlines.delete(ended)).toBe(true);
    await clock.advance(20_000);
    expect(passed).toEqual(["short overdue", "short abandoned"]);
    expect([long.abortReason, clock.pending]).toEqual([undefined, 0]);
    await clock.advance(200_000);
    expect(passed.slice(2)).toEqual(["long overdue", "long abandoned"]);
    expect(clock.waiting).toBe(0);
  });

  it("leave no timer once they are stopped", () => {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock);
    deadlines.add(new ActiveRun(clock.now(), 10_000));
    expect(clock.waiting).toBe(1);
    deadlines.stop();
    expect(clock.waiting).toBe(0);
  });
});
