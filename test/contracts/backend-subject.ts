import { expect } from "vitest";
import { isTasksError, type TasksErrorCode } from "../../src/core/errors.ts";
import type { OpenBackend } from "../backends/scene.ts";

/** One implementation, as the contract opens it for each test. */
export interface BackendSubject {
  /** Whether `enqueue` runs the task itself: then nothing is retried, and time does not pass. */
  readonly inline: boolean;
  /** Whether what it has accepted is there for the next client, however this one ends. */
  readonly durable: boolean;
  open(): OpenBackend | Promise<OpenBackend>;
}

/** Expects a promise to be rejected with a `TasksError` of a code. */
export async function expectRefusal(refused: Promise<unknown>, code: TasksErrorCode): Promise<void> {
  const error = await refused.catch((thrown: unknown) => thrown);
  expect(isTasksError(error) ? error.code : error).toBe(code);
}
