import { expect } from "vitest";
import { TasksError, type TasksErrorCode } from "../../src/core/errors.ts";

/** Expects a call to throw a {@link TasksError} of a code, and returns its text. */
export function refusalOf(act: () => unknown, code: TasksErrorCode): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(TasksError);
    expect(error).toMatchObject({ code });
    return (error as TasksError).message;
  }
  return expect.unreachable("expected a refusal");
}
