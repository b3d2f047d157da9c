import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Clock, LONGEST_TIMEOUT, type TimerHandle } from "../../src/core/clock.ts";
import { Alarm } from "../../src/engine/alarm.ts";
import { VirtualClock } from "../../src/engine/clock.ts";

const DAY = 86_400_000;

/** Virtual time with the platform's timers: a wait longer than they hold fires at once. */
class PlatformClock extends VirtualClock {
  override setTimeout(callback: () => void, ms: number): TimerHandle {
    return super.setTimeout(callback, ms > LONGEST_TIMEOUT ? 1 : ms);
  }
}

/** Virtual time with timers that fire a millisecond early, as they may where two clocks are compared. */
class HastyClock extends VirtualClock {
  override setTimeout(callback: () => void, ms: number): TimerHandle {
    return super.setTimeout(callback, ms > 1 ? ms - 1 : ms);
  }
}

/** Time of a machine whose timers stand still while it sleeps. */
class SleepyClock implements Clock {
  /** The time that its timers know of. */
  readonly awake: VirtualClock;
  /** Milliseconds. */
  slept = 0;

  constructor(start: Date) {
    this.awake = new VirtualClock(start);
  }

  now(): number {
    return this.awake.now() + this.slept;
  }

  setTimeout(callback: () => void, ms: number): TimerHandle {
    return this.awake.setTimeout(callback, ms);
  }

  clearTimeout(handle: TimerHandle | undefined): void {
    this.awake.clearTimeout(handle);
  }
}

describe("an alarm", () => {
  it("rings for everything in order of the moments, each at its own, with one timer at a time", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(50), { minLength: 1, maxLength: 30 }), async (moments) => {
        const clock = new VirtualClock(new Date(0));
        const rung: { place: number; at: number }[] = [];
        const alarm = new Alarm<number>(clock, (place) => rung.push({ place, at: clock.now() }));
        for (const [place, moment] of moments.entries()) {
          alarm.set(moment, place);
          expect(clock.pending).toBe(1);
        }
        await clock.advance(50);
        const expected = moments.map((at, place) => ({ place, at })).sort((a, b) => a.at - b.at || a.place - b.place);
        expect(rung).toEqual(expected);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it("can be set anew while it rings", async () => {
    const clock = new VirtualClock(new Date(0));
    const rung: number[] = [];
    const alarm = new Alarm<number>(clock, (count) => {
      rung.push(clock.now());
      if (count > 0) alarm.set(clock.now() + 10, count - 1);
    });
    alarm.set(10, 2);
    await clock.advance(100);
    expect(rung).toEqual([10, 20, 30]);
  });

  it("waits for 100 days, though no timer of the platform holds more than 24.8", async () => {
    const clock = new PlatformClock(new Date(0));
    const rung: number[] = [];
    new Alarm<string>(clock, () => rung.push(clock.now())).set(100 * DAY, "late");
    await clock.advance(100 * DAY - 1);
    expect(rung).toEqual([]);
    await clock.advance(1);
    expect(rung).toEqual([100 * DAY]);
    expect(clock.pending).toBe(0);
  });

  it("rings within a minute of its moment after the machine slept, or its clock was set", async () => {
    const clock = new SleepyClock(new Date(0));
    const rung: number[] = [];
    const alarm = new Alarm<string>(clock, () => rung.push(clock.now()));
    alarm.set(DAY, "slept through");
    alarm.set(3 * DAY, "awaited");
    await clock.awake.advance(90_000);
    clock.slept = 2 * DAY;
    await clock.awake.advance(60_000);
    expect(rung).toEqual([2 * DAY + 120_000]);
    await clock.awake.advance(DAY);
    expect(rung.slice(1)).toEqual([3 * DAY]);
    expect(clock.awake.pending).toBe(0);
  });

  it("wakes once for one moment on virtual time, however far off", async () => {
    const clock = new VirtualClock(new Date(0));
    new Alarm<string>(clock, () => {}).set(20 * DAY, "thing");
    expect(clock.nextTimer).toBe(20 * DAY);
  });

  it("never rings early, though a timer does", async () => {
    const clock = new HastyClock(new Date(0));
    const rung: number[] = [];
    new Alarm<string>(clock, () => rung.push(clock.now())).set(1000, "thing");
    await clock.advance(2000);
    expect(rung).toEqual([1000]);
  });

  it("rings at once for a moment that has passed", async () => {
    const clock = new VirtualClock(new Date(1000));
    const rung: number[] = [];
    new Alarm<string>(clock, () => rung.push(clock.now())).set(10, "thing");
    await clock.advance(0);
    expect(rung).toEqual([1000]);
  });

  it("shows what it holds, and once stopped rings no more and leaves no timer", async () => {
    const clock = new VirtualClock(new Date(0));
    const rung: string[] = [];
    const alarm = new Alarm<string>(clock, (item) => rung.push(item));
    alarm.set(20, "second");
    alarm.set(10, "first");
    alarm.stop();
    expect(alarm.items().toSorted()).toEqual(["first", "second"]);
    expect(clock.pending).toBe(0);
    alarm.set(30, "third");
    await clock.advance(100);
    expect(rung).toEqual([]);
    expect(alarm.items()).toHaveLength(3);
  });
});
