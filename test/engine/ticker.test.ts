import { beforeAll, describe, expect, it } from "vitest";
import { type Clock, LONGEST_TIMEOUT, systemClock, type TimerHandle, type TimerOptions } from "../../src/core/clock.ts";
import type { AnyRoute } from "../../src/core/declaration.ts";
import { scheduleOf } from "../../src/core/tick.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { Ticker } from "../../src/engine/ticker.ts";
import { recordLog } from "../support/log.ts";
import { done, failed, hostOf, route, ScriptedEngine } from "./scripted.ts";

const HOUR = 3_600_000;

const hourly = route("x.hourly", { schedule: "0 * * * *" });
const london = route("x.london", { schedule: "0 9 * * *", scheduleTimezone: "Europe/London" });
const newYork = route("x.newYork", { schedule: "30 1 * * *", scheduleTimezone: "America/New_York" });
const yearly = route("x.yearly", { schedule: "0 0 1 1 *" });
const onDemand = route("x.onDemand");

// Schedules are loaded from disk, which virtual time does not wait for.
beforeAll(() => Promise.all([hourly, london, newYork, yearly].map(scheduleOf)));

/** A ticker that says what it sends. */
function newTicker(clock: Clock, publishTick: (route: AnyRoute, tick: Date) => void = () => {}): Ticker {
  const engine = { publishTick, serves: () => true, ticksSince: () => new Date(clock.now()) };
  return new Ticker({ clock, logger: recordLog().logger, host: hostOf(), engine });
}

/** A ticker's fires as `path tick`, and when they came. */
async function ticking(
  clock: Clock,
  ...routes: AnyRoute[]
): Promise<{ ticker: Ticker; fired: string[]; at: number[] }> {
  const fired: string[] = [];
  const at: number[] = [];
  const tick = (to: AnyRoute, scheduledFor: Date): void => {
    fired.push(`${to.path} ${scheduledFor.toISOString()}`);
    at.push(clock.now());
  };
  const ticker = newTicker(clock, tick);
  await ticker.start(routes);
  return { ticker, fired, at };
}

describe("a ticker", () => {
  it("fires at each tick, at its moment, and not for routes without a schedule", async () => {
    const clock = new VirtualClock(new Date("2026-01-01T00:30:00Z"));
    const { fired, at } = await ticking(clock, hourly, onDemand);
    await clock.advanceTo(new Date("2026-01-01T03:00:00Z"));
    const ticks = ["01", "02", "03"].map((hour) => `2026-01-01T${hour}:00:00.000Z`);
    expect(fired).toEqual(ticks.map((tick) => `x.hourly ${tick}`));
    expect(at).toEqual(ticks.map((tick) => Date.parse(tick)));
  });

  it("fires after its beginning only: a tick of that very moment is over", async () => {
    const clock = new VirtualClock(new Date("2026-01-01T01:00:00Z"));
    const { fired } = await ticking(clock, hourly);
    await clock.advanceTo(new Date("2026-01-01T02:00:00Z"));
    expect(fired).toEqual(["x.hourly 2026-01-01T02:00:00.000Z"]);
  });

  it("does not lose a tick that passes while its schedule is being loaded", async () => {
    const still = new VirtualClock(new Date("2026-01-01T00:59:59Z"));
    let passed = 0;
    const clock: Clock = {
      now: () => still.now() + passed,
      setTimeout: (callback, ms) => still.setTimeout(callback, ms),
      clearTimeout: (handle) => still.clearTimeout(handle),
    };
    const started = ticking(clock, hourly);
    passed = 2000;
    const { fired } = await started;
    await still.advance(0);
    expect(fired).toEqual(["x.hourly 2026-01-01T01:00:00.000Z"]);
  });

  it.each([
    [
      "forward, at the same time of day",
      london,
      "2026-03-27T12:00:00Z",
      "2026-03-31T12:00:00Z",
      ["2026-03-28T09:00:00Z", "2026-03-29T08:00:00Z", "2026-03-30T08:00:00Z", "2026-03-31T08:00:00Z"],
    ],
    [
      "back, at the same time of day",
      london,
      "2026-10-23T12:00:00Z",
      "2026-10-26T12:00:00Z",
      ["2026-10-24T08:00:00Z", "2026-10-25T09:00:00Z", "2026-10-26T09:00:00Z"],
    ],
    [
      "back, once for a time that is shown twice",
      newYork,
      "2026-10-31T12:00:00Z",
      "2026-11-02T12:00:00Z",
      ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
    ],
  ])("follows its time zone through a change %s", async (_, to, from, until, ticks) => {
    const clock = new VirtualClock(new Date(from));
    const { fired } = await ticking(clock, to);
    await clock.advanceTo(new Date(until));
    expect(fired).toEqual(ticks.map((tick) => `${to.path} ${new Date(tick).toISOString()}`));
  });

  it("fires once within a minute after the machine slept through several ticks, for the latest of them", async () => {
    const awake = new VirtualClock(new Date("2026-01-01T00:30:00Z"));
    let slept = 0;
    const clock: Clock = {
      now: () => awake.now() + slept,
      // Timers stand still while a machine sleeps.
      setTimeout: (callback, ms) => awake.setTimeout(callback, ms),
      clearTimeout: (handle) => awake.clearTimeout(handle),
    };
    const { fired } = await ticking(clock, hourly);
    slept = 5 * HOUR + 600_000;
    await awake.advance(60_000);
    expect(fired).toEqual(["x.hourly 2026-01-01T05:00:00.000Z"]);
    await awake.advance(HOUR);
    expect(fired.slice(1)).toEqual(["x.hourly 2026-01-01T06:00:00.000Z"]);
  });

  it("fires a tick once, though a timer runs ahead of the clock", async () => {
    const clock = new HastyClock(new Date("2026-01-01T00:30:00Z"));
    const { fired, at } = await ticking(clock, hourly);
    await clock.advanceTo(new Date("2026-01-01T02:30:00Z"));
    expect(fired).toHaveLength(2);
    expect(at).toEqual([Date.parse("2026-01-01T01:00:00Z"), Date.parse("2026-01-01T02:00:00Z")]);
  });

  it("waits for a year, though no timer of the platform holds more than 24.8 days", async () => {
    const clock = new RecordingClock(new Date("2026-01-02T00:00:00Z"));
    const { fired } = await ticking(clock, yearly);
    await clock.advanceTo(new Date("2026-12-31T23:59:59Z"));
    expect(fired).toEqual([]);
    await clock.advance(1000);
    expect(fired).toEqual(["x.yearly 2027-01-01T00:00:00.000Z"]);
    expect(Math.max(...clock.waits)).toBeLessThanOrEqual(LONGEST_TIMEOUT);
  });

  it("leaves no timer when it is closed, not even one for a schedule that is still being loaded", async () => {
    const clock = new VirtualClock();
    const { ticker } = await ticking(clock, hourly, london);
    expect(clock.waiting).toBe(2);
    ticker.close();
    expect(clock.waiting).toBe(0);
    const closing = newTicker(clock);
    const starting = closing.start([hourly]);
    closing.close();
    await starting;
    expect(clock.waiting).toBe(0);
  });

  it("can be closed by one of its own ticks", async () => {
    const clock = new VirtualClock(new Date("2026-01-01T00:30:00Z"));
    let fires = 0;
    const ticker: Ticker = newTicker(clock, () => {
      fires += 1;
      ticker.close();
    });
    await ticker.start([hourly]);
    await clock.advance(86_400_000);
    expect([fires, clock.waiting]).toEqual([1, 0]);
  });

  it("keeps no process alive by its timers", async () => {
    const before = process.getActiveResourcesInfo().length;
    const ticker = newTicker(systemClock);
    await ticker.start([hourly, london]);
    expect(process.getActiveResourcesInfo()).toHaveLength(before);
    ticker.close();
  });
});

describe("a tick whose run before it is unfinished", () => {
  const start = { clock: new VirtualClock() };

  it.each<[overlap: "skip" | "allow" | undefined, deliveries: number, skipped: number]>([
    ["skip", 1, 2],
    ["allow", 3, 0],
    [undefined, 1, 2],
  ])("with overlap %s", async (overlap, deliveries, skipped) => {
    const slow = route("x.slow", { schedule: "* * * * *", ...(overlap === undefined ? {} : { overlap }) });
    const run = new ScriptedEngine([slow], () => run.after(150).then(() => done));
    for (let minute = 1; minute <= 3; minute++) {
      run.engine.publishTick(slow, new Date(run.clock.now()));
      await run.pass(60);
    }
    expect(run.arrivals).toHaveLength(deliveries);
    expect(run.skipped).toHaveLength(skipped);
  });

  it("is skipped while that one waits for its retry, and sent once it is done", async () => {
    const retried = route("x.retried", { schedule: "* * * * *", minRetryDelay: 90, maxRetryDelay: 90 });
    const run = new ScriptedEngine([retried], ({ attempt }) => (attempt === 1 ? failed() : done));
    const tick = (): void => run.engine.publishTick(retried, new Date(run.clock.now()));
    tick();
    await run.pass(60);
    tick();
    await run.pass(60);
    tick();
    await run.pass(0);
    expect(run.times).toEqual([0, 90, 120]);
    expect(run.skipped).toEqual([new Date(start.clock.now() + 60_000)]);
  });

  it("does not hold up, nor is held up by, tasks enqueued on demand", async () => {
    const both = route("x.both", { schedule: "* * * * *" });
    const run = new ScriptedEngine([both], () => run.after(90).then(() => done));
    run.publish(both);
    run.engine.publishTick(both, new Date(run.clock.now()));
    run.publish(both);
    await run.pass(0);
    expect(run.arrivals).toHaveLength(3);
    expect(run.skipped).toEqual([]);
  });

  it("has a dead letter of its own for each tick that nobody took", async () => {
    const unwanted = route("x.unwanted", { schedule: "* * * * *", maxAttempts: 1, minRetryDelay: 0, maxRetryDelay: 0 });
    const run = new ScriptedEngine([unwanted], () => failed());
    for (const tick of ["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"]) {
      run.engine.publishTick(unwanted, new Date(tick));
      await run.pass(60);
    }
    expect(await run.engine.deadLetters.list()).toMatchObject([
      { taskId: "scheduled-unwanted-20260101T000100Z", kwargs: {}, enqueuedAt: undefined },
      { taskId: "scheduled-unwanted-20260101T000200Z", kwargs: {}, enqueuedAt: undefined },
    ]);
  });
});

/** Virtual time with timers that fire a millisecond early. */
class HastyClock extends VirtualClock {
  override setTimeout(callback: () => void, ms: number): TimerHandle {
    return super.setTimeout(callback, ms > 1 ? ms - 1 : ms);
  }
}

/** Virtual time that keeps how long its timers were set for. */
class RecordingClock extends VirtualClock {
  readonly waits: number[] = [];

  override setTimeout(callback: () => void, ms: number, options?: TimerOptions): TimerHandle {
    this.waits.push(ms);
    expect(options).toEqual({ keepAlive: false });
    return super.setTimeout(callback, ms);
  }
}
