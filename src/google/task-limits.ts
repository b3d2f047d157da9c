import type { OutgoingTask } from "../core/backend.ts";
import { TasksError } from "../core/errors.ts";

/** Cloud Tasks takes a task at most 30 days ahead. https://cloud.google.com/tasks/docs/quotas#limits */
const FARTHEST_S = 30 * 86_400;
/** Seconds that our clock may be ahead of Google's, where we are free to choose the moment. */
const CLOCK_SKEW_S = 60;
/** Seconds that Cloud Tasks promises to know the name of a task that has come and gone. */
const LONGEST_WINDOW_S = 3600;

/**
 * When Cloud Tasks is to send a task, in milliseconds since the epoch; `undefined` for at once.
 *
 * @throws TasksError `INVALID_OPTION` for a moment that is too far ahead.
 */
export function dueOf({ runAt, replaces }: OutgoingTask, now: number): number | undefined {
  if (runAt === undefined) return undefined;
  const farthest = now + FARTHEST_S * 1000;
  if (runAt <= farthest) return runAt;
  // A task that asks to be tried again later than that is tried as late as can be.
  if (replaces !== undefined) return farthest - CLOCK_SKEW_S * 1000;
  throw new TasksError(
    "INVALID_OPTION",
    `enqueue: expected delay or runAt within 30 days, the limit of Cloud Tasks, got ${new Date(runAt).toISOString()}; enqueue it later, e.g. from a scheduled task`,
  );
}

/** @throws TasksError `UNSUPPORTED` for a window in which a key could be forgotten. */
export function assertWindow({ dedupe }: OutgoingTask): void {
  if (dedupe === undefined || dedupe.window <= LONGEST_WINDOW_S) return;
  throw new TasksError(
    "UNSUPPORTED",
    `enqueue: expected dedupeWindow of at most ${LONGEST_WINDOW_S} seconds, as long as Cloud Tasks promises to know a task, got ${dedupe.window}; shorten it, or make the task safe to run twice`,
  );
}
