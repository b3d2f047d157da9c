import type { Clock, TimerHandle } from "../core/clock.ts";
import { TasksError } from "../core/errors.ts";
import { within } from "../core/within.ts";

/** The machine's own, whatever a test puts in the place of the globals later. */
const { setTimeout, clearTimeout } = globalThis;

const machine: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms) as TimerHandle,
  clearTimeout: (handle) => clearTimeout(handle as Parameters<typeof clearTimeout>[0]),
};

/**
 * Waits for a delivery, but not for ever: what hangs most likely waits for time that only the test can move, and no runner
 * could tell.
 *
 * @param seconds of the machine's time; 0 for ever.
 * @throws TasksError `TIMEOUT`.
 */
export function patiently<T>(delivery: Promise<T>, seconds: number, path: string): Promise<T> {
  if (seconds === 0) return delivery;
  return within(machine, seconds * 1000, delivery, () => {
    throw new TasksError(
      "TIMEOUT",
      `"${path}": expected its run to end within ${seconds} s of the machine's time, got no end; if it waits for virtual time, call advance() or expireDeadline() before you await the delivery, else raise patience`,
    );
  });
}
