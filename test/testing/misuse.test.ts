import { describe, expect, it } from "vitest";
import { isTasksError } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTestTasks } from "../../src/testing/create-test-tasks.ts";
import { pushRequest } from "../../src/testing/push-request.ts";

const task = new TaskRoute({ path: "x.task", run: () => {} });

/** What a call is refused with, thrown or rejected. */
async function refusal(call: () => unknown): Promise<string> {
  const error = await new Promise((resolve) => resolve(call())).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return isTasksError(error, "INVALID_OPTION") ? error.message : `no refusal, but ${String(error)}`;
}

describe("the test kit, used wrongly", () => {
  const kit = () => createTestTasks({ routes: [task] });

  it.each<[what: string, call: () => unknown, text: string]>([
    ["no seconds", () => kit().advance(Number.NaN), "advance: expected 0 or more seconds, got NaN"],
    ["time that goes back", () => kit().advance(-1), "advance: expected 0 or more seconds, got -1"],
    ["a text", () => kit().advance("60" as never), 'advance: expected 0 or more seconds, got "60"'],
    [
      "a number for a moment",
      () => kit().deliverUntil(60 as never),
      "deliverUntil: expected a Date at or after 2026-01-01T00:00:00.000Z, got 60",
    ],
    [
      "a moment that is over",
      () => kit().deliverUntil(new Date("2025-12-31T00:00:00Z")),
      "deliverUntil: expected a Date at or after 2026-01-01T00:00:00.000Z, got 2025-12-31T00:00:00.000Z",
    ],
    ["no failures", () => kit().failNext(0), "failNext: expected a whole number of 1 or more, got 0"],
    ["half a loss", () => kit().dropNext(0.5), "dropNext: expected a whole number of 1 or more, got 0.5"],
    [
      "a token that does not exist",
      () => pushRequest(task, {}, { token: "exipred" as never }),
      'pushRequest: expected token to be "valid" or "expired" or "foreign" or "none", got "exipred"',
    ],
  ])("says so: %s", async (_, call, text) => {
    expect(await refusal(call)).toContain(text);
  });
});
