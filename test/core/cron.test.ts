import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CronField, parseCron } from "../../src/core/cron.ts";

const every = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);

describe("a cron field", () => {
  it.each<["minute" | "hour" | "dayOfMonth" | "month" | "dayOfWeek", string, number[]]>([
    ["minute", "* * * * *", every(0, 59)],
    ["minute", "0 * * * *", [0]],
    ["minute", "05 * * * *", [5]],
    ["minute", "59 * * * *", [59]],
    ["minute", "*/15 * * * *", [0, 15, 30, 45]],
    ["minute", "*/7 * * * *", every(0, 56, 7)],
    ["minute", "*/59 * * * *", [0, 59]],
    ["minute", "10-20/5 * * * *", [10, 15, 20]],
    ["minute", "10-19/5 * * * *", [10, 15]],
    ["minute", "0-5,30-35 * * * *", [0, 1, 2, 3, 4, 5, 30, 31, 32, 33, 34, 35]],
    ["minute", "30,0,30,*/20 * * * *", [0, 20, 30, 40]],
    ["hour", "0 9-17 * * *", every(9, 17)],
    ["hour", "0 */2 * * *", every(0, 22, 2)],
    ["hour", "0 0-12/2 * * *", every(0, 12, 2)],
    ["dayOfMonth", "0 0 */2 * *", every(1, 31, 2)],
    ["dayOfMonth", "0 0 1,15 * *", [1, 15]],
    ["dayOfMonth", "0 0 */31 * *", [1]],
    ["month", "0 0 1 */2 *", [1, 3, 5, 7, 9, 11]],
    ["month", "0 0 1 JAN,APR,JUL,OCT *", [1, 4, 7, 10]],
    ["month", "0 0 1 jun-AuG *", [6, 7, 8]],
    ["month", "0 0 1 JAN-DEC/3 *", [1, 4, 7, 10]],
    ["dayOfWeek", "0 0 * * *", every(0, 6)],
    ["dayOfWeek", "0 9 * * MON", [1]],
    ["dayOfWeek", "0 9 * * mon-Fri", [1, 2, 3, 4, 5]],
    ["dayOfWeek", "0 9 * * SUN", [0]],
    ["dayOfWeek", "0 9 * * 0", [0]],
    ["dayOfWeek", "0 9 * * 7", [0]],
    ["dayOfWeek", "0 9 * * 0,7,SUN", [0]],
    ["dayOfWeek", "0 9 * * 5-7", [0, 5, 6]],
    ["dayOfWeek", "0 9 * * 5-7/2", [0, 5]],
    ["dayOfWeek", "0 9 * * 0-7", every(0, 6)],
    ["dayOfWeek", "0 9 * * SUN-SAT", every(0, 6)],
    ["dayOfWeek", "0 9 * * MON-6", every(1, 6)],
    ["dayOfWeek", "0 9 * * */2", [0, 2, 4, 6]],
    ["dayOfWeek", "0 9 * * */7", [0]],
  ])("%s of %j is %j", (field, expression, values) => {
    expect(parseCron(expression)[field].values).toEqual(values);
  });

  it.each<[string, boolean]>([
    ["*", true],
    ["*/1", true],
    ["*/2", false],
    ["1-31", false],
    ["1", false],
  ])("written %s leaves the day unrestricted: %s", (field, unrestricted) => {
    expect(parseCron(`0 0 ${field} * MON`).dayOfMonth.unrestricted).toBe(unrestricted);
  });
});

describe("a cron expression", () => {
  it("may have blanks and tabs around its fields, and is spelt with single blanks and capitals", () => {
    expect(parseCron("  0\t 9  1  jan   mon ").expression).toBe("0 9 1 JAN MON");
  });

  it("means the same however it is written", () => {
    const field = (min: number, max: number) =>
      fc.oneof(
        fc.constant("*"),
        fc.integer({ min: 1, max }).map((step) => `*/${step}`),
        fc.integer({ min, max }).map(String),
        fc
          .tuple(fc.integer({ min, max: max - 1 }), fc.integer({ min: 1, max }), fc.integer({ min: 1, max }))
          .map(([a, b, n]) => `${a}-${Math.min(a + b, max)}/${n}`),
      );
    fc.assert(
      fc.property(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7), (...fields) => {
        const parsed = parseCron(fields.join(" "));
        const spell = ({ unrestricted, values }: CronField): string => (unrestricted ? "*" : values.join(","));
        const { minute, hour, dayOfMonth, month, dayOfWeek } = parsed;
        const again = parseCron([minute, hour, dayOfMonth, month, dayOfWeek].map(spell).join(" "));
        expect({ ...again, expression: "" }).toEqual({ ...parsed, expression: "" });
      }),
    );
  });
});

describe("a cron expression that Cloud Scheduler would not take", () => {
  it.each([
    // Out of range, with the field and its range.
    ["99 99 * * *", "expected minute 0-59, got 99"],
    ["60 * * * *", "expected minute 0-59, got 60"],
    ["0 24 * * *", "expected hour 0-23, got 24"],
    ["0 0 0 * *", "expected day of month 1-31, got 0"],
    ["0 0 32 * *", "expected day of month 1-31, got 32"],
    ["0 0 1 13 *", "expected month 1-12 or JAN-DEC, got 13"],
    ["0 0 1 0 *", "expected month 1-12 or JAN-DEC, got 0"],
    ["0 0 * * 8", "expected day of week 0-7 or SUN-SAT, got 8"],
    ["99999999999999999999 * * * *", "expected minute 0-59, got 99999999999999999999"],
    // Names where none belong, or of no day.
    ["MON * * * *", "expected minute 0-59, got MON"],
    ["0 0 * MON *", "expected month 1-12 or JAN-DEC, got MON"],
    ["0 0 * * MONDAY", "expected day of week 0-7 or SUN-SAT, got MONDAY"],
    ["0 0 * * JAN", "expected day of week 0-7 or SUN-SAT, got JAN"],
    // What other crons understand.
    ["0 0 L * *", "got L; Cloud Scheduler has no last day"],
    ["0 0 LW * *", "got LW; Cloud Scheduler has no last weekday"],
    ["0 0 15W * *", "got W in 15W; Cloud Scheduler has no nearest weekday"],
    ["0 0 * * 5L", "got L in 5L; Cloud Scheduler has no last day"],
    ["0 0 * * 5#3", "got # in 5#3; Cloud Scheduler's cron has no nth weekday"],
    ["0 0 ? * MON", "got ?; write * for any day"],
    ["H * * * *", "expected minute 0-59, got H"],
    ["@daily", 'got @daily; write "0 0 * * *"'],
    ["@HOURLY", 'got @hourly; write "0 * * * *"'],
    ["@reboot", "expected five fields (minute, hour, day of month, month, day of week), got 1"],
    ["every 5 minutes", 'got a text; write cron, such as "*/5 * * * *"'],
    ["first sunday of month 12:00", "expected minute 0-59, got FIRST"],
    ["0 0 0 * * *", "got 6; Cloud Scheduler knows neither seconds nor years"],
    ["* * * *", "got 4; write * where anything goes"],
    ["", "got 0; write * where anything goes"],
    ["   ", "got 0; write * where anything goes"],
    // Lists.
    ["1,,2 * * * *", "expected minute 0-59, got , in 1,,2"],
    [",1 * * * *", "expected minute 0-59, got , in ,1"],
    ["1, * * * *", "expected minute 0-59, got nothing"],
    ["*,5 * * * *", "got *,5; a list that holds * matches everything; write * alone"],
    ["0 0 5,*/1 * MON", "write * alone"],
    ["** * * * *", "expected minute 0-59, got * in **"],
    // Ranges ascend (so says the service's documentation), also in names: the week begins on Sunday.
    ["0 22-2 * * *", "expected a range that ascends within hour 0-23, got 22-2; write 22-23,0-2"],
    ["0 0 * * SAT-SUN", "got SAT-SUN; write 6,0"],
    ["0 0 * * FRI-MON", "got FRI-MON; write 5-6,0-1"],
    ["0 0 1 NOV-FEB *", "got NOV-FEB; write 11-12,1-2"],
    ["5-5 * * * *", "got 5-5; write 5"],
    ["5- * * * *", "expected minute 0-59, got nothing"],
    ["-5 * * * *", "expected minute 0-59, got - in -5"],
    ["1-5-9 * * * *", "expected minute 0-59, got - in 1-5-9"],
    ["*-5 * * * *", "expected minute 0-59, got - in *-5"],
    ["5-* * * * *", "expected minute 0-59, got * in 5-*"],
    // Steps.
    ["*/0 * * * *", "expected a step of 1-59 for minute 0-59, got 0"],
    ["*/60 * * * *", "expected a step of 1-59 for minute 0-59, got 60"],
    ["0 */24 * * *", "expected a step of 1-23 for hour 0-23, got 24"],
    ["*/ * * * *", "expected a step of 1-59 for minute 0-59, got nothing"],
    ["*/MON * * * *", "expected a step of 1-59 for minute 0-59, got MON"],
    ["*/-5 * * * *", "expected a step of 1-59 for minute 0-59, got nothing"],
    ["*/5/5 * * * *", "expected minute 0-59, got / in */5/5"],
    ["5/15 * * * *", "expected a step after a range, got 5/15; write 5-59/n"],
    ["0 9 * * MON/2", "expected a step after a range, got MON/2; write 1-6/n"],
    ["*/1.5 * * * *", "expected minute 0-59, got . in */1.5"],
    ["0x1 * * * *", "expected minute 0-59, got X in 0X1"],
    ["1e1 * * * *", "expected minute 0-59, got E in 1E1"],
    ["0\u00a00 * * * *", "expected minute 0-59, got \u00a0 in 0\u00a00"],
    ["0 0 * *\n*", "expected five fields"],
    // Dates that no year has. With a day of the week besides, the two are alternatives, and the expression is fine.
    ["0 0 31 2 *", "expected a date that exists, got day 31 in month 2; it would never run"],
    ["0 0 30 FEB *", "expected a date that exists, got day 30 in month 2"],
    ["0 0 31 4,6,9,11 *", "expected a date that exists, got day 31 in month 4, 6, 9, 11"],
  ])("%j is refused: %s", (expression, reason) => {
    expect(() => parseCron(expression)).toThrow(
      expect.objectContaining({ code: "INVALID_SCHEDULE", message: expect.stringContaining(reason) }),
    );
  });

  it("is quoted in the error, with what to do instead", () => {
    expect(() => parseCron("99 99 * * *")).toThrow(
      'schedule "99 99 * * *": expected minute 0-59, got 99; write *, a number, a range a-b, a step */n or a-b/n, or a list of these',
    );
  });

  it.each(["0 0 29 2 *", "0 0 31 2 MON", "0 0 30,31 2,3 *", "0 0 28-31 2 *"])(
    "%s has dates, and is accepted",
    (expression) => {
      expect(parseCron(expression).expression).toBe(expression);
    },
  );

  it("throws nothing but INVALID_SCHEDULE, whatever the text", () => {
    const character = fc.constantFrom(..."0123456789*/,- \tLW#?@MONJAN");
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: character, maxLength: 20 })), (text) => {
        try {
          expect(parseCron(text).minute.values.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ name: "TasksError", code: "INVALID_SCHEDULE" });
        }
      }),
      { numRuns: 1000 },
    );
  });
});
