import { assertKnownOptions, OptionReader } from "../core/options.ts";
import type { CreatorSettings } from "./task-creator.ts";

/** Options of `cloudTasks()`. Project, region, service and account are the client's: see `createTasks({ cloud })`. */
export interface CloudTasksOptions {
  /**
   * Seconds without any task being accepted after which an `enqueue` is given up, 1–600. Until then what may pass by itself,
   * such as UNAVAILABLE, is tried again. Default 10, which suits a request handler.
   */
  readonly timeout?: number;
  /** Tasks that are being created at once, 1–1000; what is enqueued beyond that waits, in order. Default 100. */
  readonly maxInFlight?: number;
  /**
   * Whether every task is given a name of ours, so that a create that is tried again, by this library or by its caller with
   * the same `id`, makes one task. Google calls creates with a name slower. `false` leaves the name to Cloud Tasks unless
   * there is a `dedupeKey`, and tries again only what was certainly refused. Default `true`.
   */
  readonly named?: boolean;
}

/** The options with their defaults. */
export interface CloudTasksSettings extends CreatorSettings {
  readonly named: boolean;
}

const OPTIONS: readonly (keyof CloudTasksOptions)[] = ["timeout", "maxInFlight", "named"];

const TIMEOUT_S = 10;
/** As many calls as one connection of HTTP/2 usually carries at once. */
const MAX_IN_FLIGHT = 100;

/**
 * Checks the options of `cloudTasks()` and fills in what has a default.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export function readCloudTasksOptions(options: CloudTasksOptions): CloudTasksSettings {
  assertKnownOptions("cloudTasks", options, OPTIONS);
  const read: OptionReader = new OptionReader("cloudTasks", options);
  const { named = true } = options;
  if (typeof named !== "boolean") read.fail("named", "true or false");
  return {
    timeout: 1000 * read.number("timeout", { min: 1, max: 600, unit: "seconds" }, TIMEOUT_S),
    maxInFlight: read.number("maxInFlight", { min: 1, max: 1000, whole: true, unit: "tasks" }, MAX_IN_FLIGHT),
    named,
  };
}
