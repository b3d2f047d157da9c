import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CronFields, parseCron } from "../../src/core/cron.ts";
import { assertSchedule, loadSchedule, type Schedule, schedulePeriod } from "../../src/core/schedule.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

/** The ticks from one moment (exclusive) on to another (inclusive), asked for in order. */
function ticksForward(schedule: Schedule, from: number, to: number): number[] {
  const ticks: number[] = [];
  for (let at = schedule.next(new Date(from)).getTime(); at <= to; at = schedule.next(new Date(at)).getTime())
    ticks.push(at);
  return ticks;
}

/** The same ticks, asked for from the end. */
function ticksBackward(schedule: Schedule, from: number, to: number): number[] {
  const ticks: number[] = [];
  for (
    let at = schedule.previous(new Date(to)).getTime();
    at > from;
    at = schedule.previous(new Date(at - 1)).getTime()
  )
    ticks.unshift(at);
  return ticks;
}

const iso = (time: number): string => `${new Date(time).toISOString().slice(0, 16)}Z`;

async function ticks(expression: string, timezone: string, from: string, to: string): Promise<string[]> {
  return ticksForward(await loadSchedule(expression, timezone), Date.parse(from), Date.parse(to)).map(iso);
}

/** Whether a wall-clock reading, as if it were UTC, matches: the rule of the two day fields, word for word. */
function matches({ minute, hour, dayOfMonth, month, dayOfWeek }: CronFields, reading: number): boolean {
  const date = new Date(reading);
  const onDate = dayOfMonth.values.includes(date.getUTCDate());
  const onWeekday = dayOfWeek.values.includes(date.getUTCDay());
  const bothRestricted = !dayOfMonth.unrestricted && !dayOfWeek.unrestricted;
  return (
    minute.values.includes(date.getUTCMinutes()) &&
    hour.values.includes(date.getUTCHours()) &&
    month.values.includes(date.getUTCMonth() + 1) &&
    (bothRestricted ? onDate || onWeekday : onDate && onWeekday)
  );
}

/** What the clocks of a zone show at every minute of a span, as [instant, reading]. */
function readings(timezone: string, from: number, to: number): [number, number][] {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, dateStyle: "short", timeStyle: "medium" });
  const shown: [number, number][] = [];
  for (let at = from; at <= to; at += MINUTE) shown.push([at, Date.parse(`${format.format(at).replace(" ", "T")}Z`)]);
  return shown;
}

/** The ticks of a span by brute force: look at the clock every minute, and notice when it jumps. */
function ticksByTheClock(fields: CronFields, shown: readonly [number, number][]): number[] {
  const everyHour = fields.hour.values.length === 24;
  const found: number[] = [];
  let highest = shown[0]?.[1] ?? 0;
  for (const [instant, reading] of shown.slice(1)) {
    let due = matches(fields, reading) && (everyHour || reading > highest);
    for (let skipped = highest + MINUTE; !everyHour && skipped < reading; skipped += MINUTE)
      due ||= matches(fields, skipped);
    if (due) found.push(instant);
    highest = Math.max(highest, reading);
  }
  return found;
}

const values = (min: number, max: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: 4 }).map((list) => list.join(",")),
    fc.integer({ min: 1, max }).map((step) => `*/${step}`),
    fc
      .tuple(fc.integer({ min, max: max - 1 }), fc.integer({ min: 1, max }))
      .map(([a, b]) => `${a}-${Math.min(a + b, max)}`),
  );
const field = (min: number, max: number): fc.Arbitrary<string> => fc.oneof(values(min, max), fc.constant("*"));
/** Seldom every minute: three thousand ticks prove no more than thirty. */
const minutes = fc.oneof(
  { weight: 1, arbitrary: fc.constant("*") },
  { weight: 9, arbitrary: fc.constantFrom("0", "30", "59", "*/20", "7,45") },
);
const expressions = fc
  .tuple(minutes, field(0, 23), field(1, 28), field(1, 12), field(0, 7))
  .map((fields) => fields.join(" "));
/** Around the small hours, where clocks change. */
const nightly = fc
  .tuple(
    minutes,
    fc.oneof(fc.constantFrom("*", "*/2", "22-23"), values(0, 3)),
    fc.constantFrom("*", "*", "*/2", "4"),
    fc.constantFrom("*", "*", "0", "0,5"),
  )
  .map(([minute, hour, dayOfMonth, dayOfWeek]) => `${minute} ${hour} ${dayOfMonth} * ${dayOfWeek}`);

/** The law: forward, backward and from any moment, the ticks are those by the clock. */
async function expectTicksByTheClock(
  expression: string,
  timezone: string,
  shown: readonly [number, number][],
  probes: readonly number[],
): Promise<void> {
  const schedule = await loadSchedule(expression, timezone);
  const expected = ticksByTheClock(parseCron(expression), shown);
  const [from, to] = [shown[0]?.[0] ?? 0, shown.at(-1)?.[0] ?? 0];
  expect(ticksForward(schedule, from, to).map(iso)).toEqual(expected.map(iso));
  expect(ticksBackward(schedule, from, to).map(iso)).toEqual(expected.map(iso));
  for (const probe of probes) {
    const at = from + (probe % (to - from));
    const following = expected.find((tick) => tick > at);
    const preceding = expected.findLast((tick) => tick <= at);
    if (following !== undefined) expect(schedule.next(new Date(at)).getTime()).toBe(following);
    if (preceding !== undefined) expect(schedule.previous(new Date(at)).getTime()).toBe(preceding);
  }
}

describe("the ticks of any expression", () => {
  const probes = fc.array(fc.nat(), { minLength: 10, maxLength: 10 });

  it("are the matching minutes in UTC", async () => {
    const from = Date.parse("2027-12-20T00:00Z");
    const shown = Array.from({ length: (70 * DAY) / MINUTE }, (_, index): [number, number] => [
      from + index * MINUTE,
      from + index * MINUTE,
    ]);
    await fc.assert(
      fc.asyncProperty(expressions, probes, (expression, moments) =>
        expectTicksByTheClock(expression, "UTC", shown, moments),
      ),
      { numRuns: 20 },
    );
  });

  it.each([
    ["Europe/London", "forward by an hour", "2026-03-28T00:00Z"],
    ["Europe/London", "back by an hour", "2026-10-24T00:00Z"],
    ["America/Los_Angeles", "forward by an hour", "2026-03-07T00:00Z"],
    ["America/Los_Angeles", "back by an hour", "2026-10-31T00:00Z"],
    ["Australia/Lord_Howe", "forward by half an hour", "2026-10-02T00:00Z"],
    ["Australia/Lord_Howe", "back by half an hour", "2026-04-03T00:00Z"],
    ["Africa/Cairo", "forward at midnight", "2026-04-23T00:00Z"],
    ["Africa/Cairo", "back at midnight", "2026-10-29T00:00Z"],
    ["Antarctica/Troll", "forward by two hours", "2026-03-28T00:00Z"],
    ["Pacific/Apia", "forward by a day", "2011-12-29T00:00Z"],
    ["Asia/Kolkata", "never", "2026-12-30T00:00Z"],
  ])("follow the clocks of %s, which go %s", async (timezone, _change, from) => {
    const shown = readings(timezone, Date.parse(from), Date.parse(from) + 3 * DAY);
    await fc.assert(
      fc.asyncProperty(nightly, probes, (expression, moments) =>
        expectTicksByTheClock(expression, timezone, shown, moments),
      ),
      { numRuns: 20 },
    );
  });
});

describe("a schedule that names hours, where clocks change", () => {
  it.each([
    [
      "30 1 * * *",
      "Europe/London",
      "2026-03-28T00:00Z",
      ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"],
    ],
    [
      "30 2 * * *",
      "America/Los_Angeles",
      "2026-03-07T00:00Z",
      ["2026-03-07T10:30Z", "2026-03-08T10:00Z", "2026-03-09T09:30Z"],
    ],
    [
      "10 2 * * *",
      "Australia/Lord_Howe",
      "2026-10-02T00:00Z",
      ["2026-10-02T15:40Z", "2026-10-03T15:30Z", "2026-10-04T15:10Z"],
    ],
    ["0 0 * * *", "Africa/Cairo", "2026-04-22T00:00Z", ["2026-04-22T22:00Z", "2026-04-23T22:00Z", "2026-04-24T21:00Z"]],
  ])("%s in %s ticks at the moment clocks go forward past its time", async (expression, timezone, from, expected) => {
    const to = iso(Date.parse(from) + 3 * DAY);
    expect(await ticks(expression, timezone, from, to)).toEqual(expected);
  });

  it("ticks once for all the times skipped, and for a time that falls on the change itself", async () => {
    const day = ["2026-03-29T00:00Z", "2026-03-29T12:00Z"] as const;
    expect(await ticks("*/20 1 * * *", "Europe/London", ...day)).toEqual(["2026-03-29T01:00Z"]);
    expect(await ticks("0,30 1,2 * * *", "Europe/London", ...day)).toEqual(["2026-03-29T01:00Z", "2026-03-29T01:30Z"]);
  });

  it.each([
    ["30 1 * * *", "Europe/London", "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]],
    ["30 1 * * *", "America/Los_Angeles", "2026-10-31T12:00Z", ["2026-11-01T08:30Z", "2026-11-02T09:30Z"]],
    ["45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00Z", ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]],
  ])(
    "%s in %s ticks the first time only when clocks show its time twice",
    async (expression, timezone, from, expected) => {
      const to = iso(Date.parse(from) + 2 * DAY);
      expect(await ticks(expression, timezone, from, to)).toEqual(expected);
    },
  );
});

describe("a schedule of every hour, where clocks change", () => {
  it("goes on at its pace through the hour shown twice", async () => {
    expect(await ticks("*/30 * * * *", "Europe/London", "2026-10-24T23:45Z", "2026-10-25T02:00Z")).toEqual([
      "2026-10-25T00:00Z",
      "2026-10-25T00:30Z",
      "2026-10-25T01:00Z",
      "2026-10-25T01:30Z",
      "2026-10-25T02:00Z",
    ]);
  });

  it("makes up for nothing when an hour is skipped", async () => {
    expect(await ticks("30 * * * *", "Europe/London", "2026-03-29T00:00Z", "2026-03-29T02:00Z")).toEqual([
      "2026-03-29T00:30Z",
      "2026-03-29T01:30Z",
    ]);
  });
});

describe("the two day fields", () => {
  const march = ["2026-03-01T00:00Z", "2026-03-15T00:00Z"] as const;
  const days = async (dayOfMonth: string, dayOfWeek: string): Promise<number[]> =>
    (await ticks(`0 12 ${dayOfMonth} * ${dayOfWeek}`, "UTC", ...march)).map((tick) => Number(tick.slice(8, 10)));

  // 1 March 2026 is a Sunday.
  it.each([
    ["*", "MON", [2, 9]],
    ["13", "*", [13]],
    ["13", "MON", [2, 9, 13]],
    ["1,8", "7", [1, 8]],
    ["*/5", "MON", [1, 2, 6, 9, 11]],
    ["13", "*/3", [1, 4, 7, 8, 11, 13, 14]],
    ["1-31", "MON", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]],
    ["*/1", "MON", [2, 9]],
  ])(
    "%s and %s tick on %j: either suffices, unless one is a plain asterisk",
    async (dayOfMonth, dayOfWeek, expected) => {
      expect(await days(dayOfMonth, dayOfWeek)).toEqual(expected);
    },
  );
});

describe("next and previous", () => {
  it.each([
    ["0 0 1 1 *", "Asia/Kolkata", "2026-12-31T18:29Z", "2026-12-31T18:30Z"],
    ["59 23 31 12 *", "America/Los_Angeles", "2026-12-31T00:00Z", "2027-01-01T07:59Z"],
    ["0 0 29 2 *", "UTC", "2026-01-01T00:00Z", "2028-02-29T00:00Z"],
    ["0 0 29 2 *", "Europe/London", "2096-03-01T00:00Z", "2104-02-29T00:00Z"],
    ["0 9 * * SUN", "Europe/London", "2026-03-28T09:00Z", "2026-03-29T08:00Z"],
    ["0 9 * * 5-7", "UTC", "2026-03-28T09:00Z", "2026-03-29T09:00Z"],
    ["30 9 * * *", "Asia/Kolkata", "2026-01-01T00:00Z", "2026-01-01T04:00Z"],
  ])("the next of %s in %s after %s is %s", async (expression, timezone, after, expected) => {
    expect(iso((await loadSchedule(expression, timezone)).next(new Date(after)).getTime())).toBe(expected);
  });

  it("are strictly after, and at or before, to the millisecond", async () => {
    const schedule = await loadSchedule("*/10 * * * *", "Europe/London");
    const tick = Date.parse("2026-06-01T12:10Z");
    expect(schedule.next(new Date(tick - 1)).getTime()).toBe(tick);
    expect(schedule.next(new Date(tick)).getTime()).toBe(tick + 10 * MINUTE);
    expect(schedule.next(new Date(tick + 1)).getTime()).toBe(tick + 10 * MINUTE);
    expect(schedule.previous(new Date(tick - 1)).getTime()).toBe(tick - 10 * MINUTE);
    expect(schedule.previous(new Date(tick)).getTime()).toBe(tick);
    expect(schedule.previous(new Date(tick + 1)).getTime()).toBe(tick);
  });

  it("refuse an invalid date", async () => {
    const schedule = await loadSchedule("* * * * *", "UTC");
    for (const ask of [schedule.next, schedule.previous]) {
      expect(() => ask.call(schedule, new Date(Number.NaN))).toThrow("expected a valid Date");
    }
  });
});

describe("schedulePeriod", () => {
  it.each([
    ["*/10 * * * *", "UTC", "2026-01-01T00:03Z", 10 * MINUTE],
    ["*/10 * * * *", "UTC", "2026-01-01T00:10Z", 10 * MINUTE],
    ["0 9-17 * * *", "UTC", "2026-01-01T18:00Z", 16 * 60 * MINUTE],
    ["0 9 * * *", "Europe/London", "2026-03-28T12:00Z", 23 * 60 * MINUTE],
    ["0 9 * * *", "Europe/London", "2026-10-24T12:00Z", 25 * 60 * MINUTE],
    ["0 0 29 2 *", "UTC", "2026-01-01T00:00Z", 1461 * DAY],
  ])("of %s in %s at %s is %d ms", async (expression, timezone, at, period) => {
    expect(schedulePeriod(await loadSchedule(expression, timezone), new Date(at))).toBe(period);
  });
});

describe("assertSchedule and loadSchedule", () => {
  it.each([
    ["99 99 * * *", "UTC", 'schedule "99 99 * * *": expected minute 0-59'],
    ["0 0 31 2 *", "UTC", "expected a date that exists"],
    ["0 9 * * *", "+01:00", 'time zone "+01:00"'],
    ["0 9 * * *", "Europe/Londn", "did you mean Europe/London?"],
  ])("refuse %s in %s: %s", async (expression, timezone, reason) => {
    const refusal = expect.objectContaining({ code: "INVALID_SCHEDULE", message: expect.stringContaining(reason) });
    expect(() => assertSchedule(expression, timezone)).toThrow(refusal);
    await expect(loadSchedule(expression, timezone)).rejects.toThrow(refusal);
  });

  it("accept a schedule, which knows what it is", async () => {
    assertSchedule("0 9 * * mon", "Europe/London");
    expect(await loadSchedule(" 0  9 * * mon", "Europe/London")).toMatchObject({
      expression: "0 9 * * MON",
      timezone: "Europe/London",
    });
  });
});
