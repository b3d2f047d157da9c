import { describe, expect, it } from "vitest";
import {
  Busy,
  Discard,
  isBusy,
  isDiscard,
  isRetryAfter,
  isTasksError,
  RetryAfter,
  TasksError,
} from "../../src/core/errors.ts";
import { refusalOf } from "../support/refusal.ts";

/** An error of another copy of this package: of the same name, but of another class. */
function copy(name: string, fields: object = {}): Error {
  return Object.assign(new Error("from elsewhere"), { name, ...fields });
}

/** Nothing that somebody could come back after. */
const unfit = ["5", -1, Number.NaN, Number.POSITIVE_INFINITY];

describe("an error is told by its name, so that copies of the package understand each other", () => {
  const guards: readonly [
    name: string,
    guard: (error: unknown) => boolean,
    yes: readonly unknown[],
    no: readonly unknown[],
  ][] = [
    [
      "TasksError",
      isTasksError,
      [new TasksError("CLOSED", ""), copy("TasksError")],
      [new Error("TasksError"), { name: "TasksError" }, undefined],
    ],
    ["Discard", isDiscard, [new Discard(), copy("Discard")], [new Error("Discard"), { name: "Discard" }, null]],
    [
      "RetryAfter",
      isRetryAfter,
      [new RetryAfter(5), copy("RetryAfter", { seconds: 5 })],
      [copy("RetryAfter"), ...unfit.map((seconds) => copy("RetryAfter", { seconds }))],
    ],
    [
      "Busy",
      isBusy,
      [new Busy(), copy("Busy", { retryAfter: 5 })],
      [copy("Busy"), ...unfit.map((retryAfter) => copy("Busy", { retryAfter }))],
    ],
  ];

  it.each(guards)("%s", (_name, guard, yes, no) => {
    expect(yes.map((error) => guard(error))).toEqual(yes.map(() => true));
    expect(no.map((error) => guard(error))).toEqual(no.map(() => false));
  });

  it("and a TasksError by its code as well", () => {
    expect(isTasksError(new TasksError("CLOSED", ""), "CLOSED")).toBe(true);
    expect(isTasksError(copy("TasksError", { code: "CLOSED" }), "CLOSED")).toBe(true);
    expect(isTasksError(new TasksError("CLOSED", ""), "TIMEOUT")).toBe(false);
  });
});

describe("a time to come back", () => {
  it.each([0, 0.5, 86_400])("may be %d s", (seconds) => {
    expect(new RetryAfter(seconds)).toMatchObject({ seconds, message: `retry after ${seconds} s` });
    expect(new Busy("", { retryAfter: seconds }).retryAfter).toBe(seconds);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("may not be %d s", (seconds) => {
    expect(refusalOf(() => new RetryAfter(seconds), "INVALID_OPTION")).toContain(`got ${seconds}`);
    expect(refusalOf(() => new Busy("", { retryAfter: seconds }), "INVALID_OPTION")).toContain(`got ${seconds}`);
  });

  it("is 10 s for who is busy, unless said otherwise", () => {
    expect(new Busy().retryAfter).toBe(10);
  });
});

describe("an error's cause", () => {
  const cause = new Error("why");

  it.each([
    new TasksError("CLOSED", "closed", { cause }),
    new Discard("given up", { cause }),
    new RetryAfter(5, "later", { cause }),
    new Busy("busy", { cause }),
  ])("is kept: %s", (error) => {
    expect(error.cause).toBe(cause);
  });
});
