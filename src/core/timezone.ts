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
  const subject = `time zone ${JSON.stringify(timezone)}`;
  const expected = 'expected an IANA name such as "Europe/London" or "UTC"';
  if (/^[+-]|\d:\d/.test(timezone)) {
    throw new TasksError(
      "INVALID_SCHEDULE",
      `${subject}: ${expected}, got a UTC offset; name the place whose clocks the schedule follows`,
    );
  }
  const known = ["UTC", "GMT", ...Intl.supportedValuesOf("timeZone")];
  const respelt = known.find((name) => name !== timezone && name.toLowerCase() === timezone.toLowerCase());
  if (respelt !== undefined || !isKnown(timezone)) {
    throw new TasksError(
      "INVALID_SCHEDULE",
      `${subject}: ${expected}, got an unknown name${didYouMean(timezone, known)}`,
    );
  }
  if (!timezone.includes("/") && timezone === timezone.toUpperCase()) {
    throw new TasksError(
      "INVALID_SCHEDULE",
      `${subject}: ${expected}, got an abbreviation; name the place whose clocks the schedule follows`,
    );
  }
  accepted.add(timezone);
}

function isKnown(timezone: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: timezone });
    return true;
  } catch {
    return false;
  }
}

/**
 * The clocks on the walls of one time zone. A *reading* is what they show, written as the UTC time that would read the
 * same, in milliseconds; an *instant* is milliseconds since the epoch; reading = instant + offset.
 *
 * Meant for 1970 and later, where no zone of the tz database changes its offset twice within three days.
 */
export interface WallClock {
  /** The least and the greatest offset within a day before and after an instant or reading; equal on all but a few days a year. */
  offsetsAround(time: number): { readonly least: number; readonly greatest: number };
  /** When the clocks show a reading, ascending: once; never, when they were put forward past it; twice, when put back. */
  instantsOf(reading: number): readonly number[];
  /** The moment at which the clocks were put forward past a reading that they never show. */
  gapBehind(reading: number): number;
}

interface Offsets {
  readonly before: number;
  readonly after: number;
  readonly least: number;
  readonly greatest: number;
}

/** The wall clock of a zone that {@link assertTimezone} accepts. */
export function wallClock(timezone: string): WallClock {
  const offsetAt = offsetReader(timezone);
  let cachedDay = Number.NaN;
  let cached: Offsets = { before: 0, after: 0, least: 0, greatest: 0 };

  /** Both ends lie more than a day away, which no distance between an instant and its reading exceeds. */
  function around(time: number): Offsets {
    const day = Math.floor(time / DAY);
    if (day !== cachedDay) {
      const before = offsetAt((day - 1) * DAY);
      const after = offsetAt((day + 2) * DAY);
      cached = { before, after, least: Math.min(before, after), greatest: Math.max(before, after) };
      cachedDay = day;
    }
    return cached;
  }

  return {
    offsetsAround: around,
    instantsOf(reading) {
      const { before, after, least, greatest } = around(reading);
      if (before === after) return [reading - before];
      return [reading - greatest, reading - least].filter((instant) => instant + offsetAt(instant) === reading);
    },
    gapBehind(reading) {
      const { least, greatest } = around(reading);
      let early = reading - greatest;
      let late = reading - least;
      const until = offsetAt(late);
      while (late - early > 1) {
        const middle = Math.floor((early + late) / 2);
        if (offsetAt(middle) === until) late = middle;
        else early = middle;
      }
      return late;
    },
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
