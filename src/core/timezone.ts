import { TasksError } from "./errors.ts";
import { didYouMean } from "./suggest.ts";

const DAY = 86_400_000;

/** Zones already found good: building an `Intl.DateTimeFormat` for each of a thousand routes would cost tens of milliseconds. */
const accepted = new Set(["UTC", "GMT"]);

/**
 * Refuses what is no name of the tz database that Cloud Scheduler would take: `Area/City` in its exact spelling
 * (`Europe/London`, `Asia/Kolkata`, `Etc/UTC`), `UTC` or `GMT`. UTC offsets (`+01:00`) are no names, and abbreviations (`EST`,
 * `BST`) stand for different zones in different databases: both are refused, although JavaScript knows some of them.
 *
 * @throws TasksError `INVALID_SCHEDULE`, with the nearest known name.
 */
export function assertTimezone(timezone: string): void {
  if (accepted.has(timezone)) return;
  const problem = timezoneProblem(timezone);
  if (problem !== undefined) {
    const expected = 'expected an IANA name such as "Europe/London" or "UTC"';
    throw new TasksError("INVALID_SCHEDULE", `time zone ${JSON.stringify(timezone)}: ${expected}, got ${problem}`);
  }
  accepted.add(timezone);
}

function timezoneProblem(timezone: string): string | undefined {
  const advice = "name the place whose clocks the schedule follows";
  if (/^[+-]|\d:\d/.test(timezone)) return `a UTC offset; ${advice}`;
  const known = ["UTC", "GMT", ...Intl.supportedValuesOf("timeZone")];
  const misspelt = known.some((name) => name !== timezone && name.toLowerCase() === timezone.toLowerCase());
  if (misspelt || !isKnown(timezone)) return `an unknown name${didYouMean(timezone, known) || `; ${advice}`}`;
  if (!timezone.includes("/") && timezone === timezone.toUpperCase()) return `an abbreviation; ${advice}`;
  return undefined;
}

function isKnown(timezone: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: timezone });
    return true;
  } catch {
    return false;
  }
}

/** When clocks show one reading. */
export interface Showing {
  /** The first moment; the moment of the change when the reading is skipped. */
  readonly first: number;
  /** The last moment: later than the first when clocks are put back and show the reading twice. */
  readonly last: number;
  /** Whether clocks are put forward past the reading and never show it. */
  readonly skipped: boolean;
}

/**
 * The clocks on the walls of one time zone. A *reading* is what they show, written as the UTC time that reads the same, in
 * milliseconds; an *instant* is milliseconds since the epoch; reading = instant + offset.
 *
 * Meant for 1970 and later, when no zone of the tz database changes its offset twice within three days.
 */
export interface WallClock {
  /** When the clocks show a reading. A later reading is neither first nor last shown earlier. */
  shows(reading: number): Showing;
  /** A reading that all readings shown after an instant exceed. */
  floorAfter(instant: number): number;
  /** A reading that no reading shown at or before an instant exceeds. */
  ceilingUntil(instant: number): number;
}

/** The one change of offset within three days; without one, both offsets are the same and `at` is long past. */
interface Change {
  readonly at: number;
  readonly before: number;
  readonly after: number;
}

/** The wall clock of a zone that {@link assertTimezone} accepts. */
export function wallClock(timezone: string): WallClock {
  const changeAround = changeFinder(offsetReader(timezone));
  return {
    shows(reading) {
      const { at, before, after } = changeAround(reading);
      const [early, late] = [reading - before, reading - after];
      if (early < at) return { first: early, last: late < at ? early : late, skipped: false };
      if (late >= at) return { first: late, last: late, skipped: false };
      return { first: at, last: at, skipped: true };
    },
    floorAfter(instant) {
      const { at, before, after } = changeAround(instant);
      return instant < at ? Math.min(instant + before, at + after - 1) : instant + after;
    },
    ceilingUntil(instant) {
      const { at, before, after } = changeAround(instant);
      return instant < at ? instant + before : Math.max(instant + after, at + before);
    },
  };
}

/** Finds the change within a day before or after a time, which may be an instant or a reading; remembers the last day asked for. */
function changeFinder(offsetAt: (instant: number) => number): (time: number) => Change {
  let rememberedDay = Number.NaN;
  let remembered: Change = { at: Number.NEGATIVE_INFINITY, before: 0, after: 0 };

  return (time) => {
    const day = Math.floor(time / DAY);
    if (day === rememberedDay) return remembered;
    let [early, late] = [(day - 1) * DAY, (day + 2) * DAY];
    const [before, after] = [offsetAt(early), offsetAt(late)];
    if (before === after) late = Number.NEGATIVE_INFINITY;
    while (late - early > 1) {
      const middle = Math.floor((early + late) / 2);
      if (offsetAt(middle) === before) early = middle;
      else late = middle;
    }
    rememberedDay = day;
    remembered = { at: late, before, after };
    return remembered;
  };
}

function offsetReader(timezone: string): (instant: number) => number {
  if (timezone === "UTC") return () => 0;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    calendar: "iso8601",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (instant) => {
    const shown: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(instant)) shown[type] = Number(value);
    const { year = 0, month = 1, day = 0, hour = 0, minute = 0, second = 0 } = shown;
    const reading = Date.UTC(year, month - 1, day, hour, minute, second);
    return reading - Math.floor(instant / 1000) * 1000;
  };
}
