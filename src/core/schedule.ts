import type { CronExpression } from "cron-parser";
import { type CronFields, parseCron } from "./cron.ts";
import { TasksError } from "./errors.ts";
import { assertTimezone, type Showing, type WallClock, wallClock } from "./timezone.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * The ticks of a cron expression in a time zone: a fixed set of instants, whatever moment one asks from, so that
 * `previous(next(t))` is `next(t)`.
 *
 * Where clocks change (Cloud Scheduler runs on wall-clock time and leaves this undocumented), the rules are those of Unix
 * cron. A schedule that names hours ticks once for each wall-clock time: one that is skipped ticks at the moment the clocks
 * go forward, together with all others skipped; one that is shown twice ticks the first time only. A schedule of every
 * hour goes on through the change: it ticks whenever the clocks show a matching minute, both times if shown twice.
 */
export interface Schedule {
  /** The expression, with single blanks and names in capitals. */
  readonly expression: string;
  /** The time zone, as given. */
  readonly timezone: string;
  /** The first tick strictly after a moment. */
  next(after: Date): Date;
  /** The last tick at or before a moment. */
  previous(atOrBefore: Date): Date;
}

/**
 * Refuses an expression or a time zone that Cloud Scheduler would not take; synchronous, and loads nothing.
 *
 * @throws TasksError `INVALID_SCHEDULE`.
 */
export function assertSchedule(expression: string, timezone: string): void {
  parseCron(expression);
  assertTimezone(timezone);
}

/**
 * Loads cron-parser, once and only when ticks are needed, and returns the ticks of a schedule. Asking again about
 * the same day, or the days up to the next one that has ticks, is cheap.
 *
 * @throws TasksError `INVALID_SCHEDULE`.
 */
export async function loadSchedule(expression: string, timezone: string): Promise<Schedule> {
  const fields = parseCron(expression);
  assertTimezone(timezone);
  const { CronExpressionParser } = await import("cron-parser");
  const days = CronExpressionParser.parse(midnights(fields), { tz: "UTC" });
  return new ZonedSchedule(fields, timezone, new Readings(days, timesOfDay(fields)));
}

/** The milliseconds from the last tick at or before a moment to the next one after it. */
export function schedulePeriod(schedule: Schedule, at: Date): number {
  return schedule.next(at).getTime() - schedule.previous(at).getTime();
}

/** In plain numbers, so that no reading of names, of 7 or of the range behind `*` is left to cron-parser. */
function midnights({ dayOfMonth, month, dayOfWeek }: CronFields): string {
  const days = [dayOfMonth, month, dayOfWeek].map((field) => (field.unrestricted ? "*" : field.values.join(",")));
  return `0 0 ${days.join(" ")}`;
}

/** The times at which a day that matches does, in milliseconds from its midnight, ascending. */
function timesOfDay({ hour, minute }: CronFields): number[] {
  return hour.values.flatMap((hours) => minute.values.map((minutes) => hours * HOUR + minutes * MINUTE));
}

/**
 * The wall-clock readings that match an expression. cron-parser finds the days, in UTC: in a zone with clock changes
 * cron-parser 5 itself answers differently from one starting moment to another, and `prev` skips the day clocks go forward,
 * repeats the hour they go back, and throws where the change is at midnight or of half an hour. A day costs it tens of
 * microseconds, so the last day found is remembered, for each direction.
 */
class Readings {
  readonly #days: CronExpression;
  readonly #times: readonly number[];
  #following = { from: Number.POSITIVE_INFINITY, day: Number.NaN };
  #preceding = { from: Number.NEGATIVE_INFINITY, day: Number.NaN };

  /** @param days matches the midnights of the days. */
  constructor(days: CronExpression, times: readonly number[]) {
    this.#days = days;
    this.#times = times;
  }

  /** The first reading that matches and is later. */
  after(reading: number): number {
    const today = Math.floor(reading / DAY) * DAY;
    const time = this.#times.find((ofDay) => today + ofDay > reading);
    const day = this.#dayFrom(time === undefined ? today + DAY : today);
    return day + ((day === today ? time : this.#times[0]) ?? 0);
  }

  /** The last reading that matches and is earlier. */
  before(reading: number): number {
    const today = Math.floor(reading / DAY) * DAY;
    const time = this.#times.findLast((ofDay) => today + ofDay < reading);
    const day = this.#dayUntil(time === undefined ? today - DAY : today);
    return day + ((day === today ? time : this.#times.at(-1)) ?? 0);
  }

  #dayFrom(from: number): number {
    const { from: known, day } = this.#following;
    if (from >= known && from <= day) return day;
    this.#days.reset(new Date(from - 1));
    this.#following = { from, day: this.#days.next().getTime() };
    return this.#following.day;
  }

  #dayUntil(from: number): number {
    const { from: known, day } = this.#preceding;
    if (from <= known && from >= day) return day;
    this.#days.reset(new Date(from + 1));
    this.#preceding = { from, day: this.#days.prev().getTime() };
    return this.#preceding.day;
  }
}

/** Maps readings to ticks. Later readings are first, and last, shown later: that tells each search when to stop. */
class ZonedSchedule implements Schedule {
  readonly expression: string;
  readonly timezone: string;
  readonly #clock: WallClock;
  readonly #everyHour: boolean;
  readonly #readings: Readings;

  constructor(fields: CronFields, timezone: string, readings: Readings) {
    this.expression = fields.expression;
    this.timezone = timezone;
    this.#clock = wallClock(timezone);
    this.#everyHour = fields.hour.values.length === 24;
    this.#readings = readings;
  }

  next(after: Date): Date {
    const from = this.#instant(after);
    let reading = this.#clock.floorAfter(from);
    let tick = Number.POSITIVE_INFINITY;
    let showing: Showing;
    do {
      reading = this.#readings.after(reading);
      showing = this.#clock.shows(reading);
      for (const instant of this.#ticksOf(showing)) if (instant > from && instant < tick) tick = instant;
    } while (tick > showing.first);
    return new Date(tick);
  }

  previous(atOrBefore: Date): Date {
    const until = this.#instant(atOrBefore);
    let reading = this.#clock.ceilingUntil(until) + 1;
    let tick = Number.NEGATIVE_INFINITY;
    let showing: Showing;
    do {
      reading = this.#readings.before(reading);
      showing = this.#clock.shows(reading);
      for (const instant of this.#ticksOf(showing)) if (instant <= until && instant > tick) tick = instant;
    } while (tick < showing.last);
    return new Date(tick);
  }

  #ticksOf({ first, last, skipped }: Showing): readonly number[] {
    if (!this.#everyHour) return [first];
    return skipped ? [] : [first, last];
  }

  #instant(date: Date): number {
    const instant = date.getTime();
    if (Number.isNaN(instant)) {
      throw new TasksError(
        "INVALID_SCHEDULE",
        `schedule "${this.expression}": expected a valid Date, got Invalid Date; check where it comes from`,
      );
    }
    return instant;
  }
}
