import { describe, expect, it } from "vitest";
import { assertTimezone, wallClock } from "../../src/core/timezone.ts";

describe("assertTimezone", () => {
  it.each([
    "UTC",
    "GMT",
    "Etc/UTC",
    "Etc/GMT+1",
    "Europe/London",
    "America/Los_Angeles",
    "America/Argentina/Buenos_Aires",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Calcutta",
    "America/Port-au-Prince",
    "US/Pacific",
    "Japan",
  ])("accepts %s, also a second time", (timezone) => {
    expect(() => assertTimezone(timezone)).not.toThrow();
    expect(() => assertTimezone(timezone)).not.toThrow();
  });

  it.each([
    ["+01:00", "got a UTC offset"],
    ["-0800", "got a UTC offset"],
    ["UTC+01:00", "got a UTC offset"],
    ["EST", "got an abbreviation"],
    ["EST5EDT", "got an abbreviation"],
    ["CET", "got an abbreviation"],
    ["Europe/Londn", "got an unknown name, did you mean Europe/London?"],
    ["europe/london", "got an unknown name, did you mean Europe/London?"],
    ["utc", "got an unknown name, did you mean UTC?"],
    ["London", "got an unknown name"],
    ["Local", "got an unknown name"],
    ["", "got an unknown name"],
    [" UTC", "got an unknown name, did you mean UTC?"],
  ])("refuses %j: %s", (timezone, reason) => {
    expect(() => assertTimezone(timezone)).toThrow(
      expect.objectContaining({ code: "INVALID_SCHEDULE", message: expect.stringContaining(reason) }),
    );
  });

  it.each(["BST", "PST", "IST"])("refuses %s, whether or not the platform knows it", (timezone) => {
    expect(() => assertTimezone(timezone)).toThrow('expected an IANA name such as "Europe/London" or "UTC"');
  });
});

describe("wallClock", () => {
  const at = (text: string): number => Date.parse(`${text}Z`);
  const iso = (time: number): string => new Date(time).toISOString().slice(0, 16);

  it.each([
    ["UTC", "2026-03-29T01:30", "2026-03-29T01:30"],
    ["Asia/Kolkata", "2026-01-01T00:00", "2025-12-31T18:30"],
    ["Asia/Kathmandu", "2026-01-01T00:00", "2025-12-31T18:15"],
    ["America/St_Johns", "2026-01-01T00:00", "2026-01-01T03:30"],
    ["Europe/London", "2026-07-01T12:00", "2026-07-01T11:00"],
    ["Europe/London", "2026-03-29T00:59", "2026-03-29T00:59"],
    ["Europe/London", "2026-03-29T02:00", "2026-03-29T01:00"],
    ["Europe/London", "2026-10-25T00:59", "2026-10-24T23:59"],
    ["Europe/London", "2026-10-25T02:00", "2026-10-25T02:00"],
  ])("in %s, shows %s at %s", (timezone, reading, instant) => {
    expect(wallClock(timezone).shows(at(reading))).toEqual({ first: at(instant), last: at(instant), skipped: false });
  });

  it.each([
    ["Europe/London", "2026-10-25T01:00", "2026-10-25T00:00", "2026-10-25T01:00"],
    ["Europe/London", "2026-10-25T01:59", "2026-10-25T00:59", "2026-10-25T01:59"],
    ["Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45", "2026-04-04T15:15"],
  ])("in %s, shows %s twice: at %s and at %s", (timezone, reading, first, last) => {
    expect(wallClock(timezone).shows(at(reading))).toEqual({ first: at(first), last: at(last), skipped: false });
  });

  it.each([
    ["Europe/London", "2026-03-29T01:00", "2026-03-29T01:00"],
    ["Europe/London", "2026-03-29T01:59", "2026-03-29T01:00"],
    ["Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-03T15:30"],
    ["Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00"],
  ])("in %s, skips %s at %s", (timezone, reading, change) => {
    expect(wallClock(timezone).shows(at(reading))).toEqual({ first: at(change), last: at(change), skipped: true });
  });

  it.each([
    ["Europe/London", "2026-07-01T12:00", "2026-07-01T13:00", "2026-07-01T13:00"],
    ["Europe/London", "2026-10-25T00:15", "2026-10-25T00:59", "2026-10-25T01:15"],
    ["Europe/London", "2026-10-25T01:15", "2026-10-25T01:15", "2026-10-25T02:00"],
    ["Europe/London", "2026-03-29T00:30", "2026-03-29T00:30", "2026-03-29T00:30"],
    ["Europe/London", "2026-03-29T01:30", "2026-03-29T02:30", "2026-03-29T02:30"],
  ])(
    "in %s at %s, shows more than %s afterwards, and has shown no more than %s",
    (timezone, instant, floor, ceiling) => {
      const clock = wallClock(timezone);
      expect(iso(clock.floorAfter(at(instant)))).toBe(floor);
      expect(iso(clock.ceilingUntil(at(instant)))).toBe(ceiling);
    },
  );
});
