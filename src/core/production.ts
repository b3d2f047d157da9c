import type { Config } from "./config.ts";
import { TasksError } from "./errors.ts";

/**
 * Refuses what is only for development, in production, unless it was asked for.
 *
 * @throws TasksError `INVALID_CONFIG`.
 */
export function assertDevelopment(config: Config, backend: string, allowed: boolean | undefined): void {
  if (!config.production || allowed === true) return;
  throw new TasksError(
    "INVALID_CONFIG",
    `backend ${backend}: expected a backend of the cloud in production, got one that lives in this process; pass another backend to createTasks, or allowInProduction: true to run it all the same`,
  );
}
