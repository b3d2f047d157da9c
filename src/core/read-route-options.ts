import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TasksError } from "./errors.ts";
import { assertPath } from "./names.ts";
import { assertKnownOptions, OptionReader, shown } from "./options.ts";
import { readQueue } from "./read-queue.ts";
import type { KillSwitchOptions, RouteSettings, TaskContractOptions, Via } from "./route-options.ts";
import { assertSchedule } from "./schedule.ts";

const CONTRACT_OPTIONS = [
  "path",
  "payload",
  "args",
  "ackDeadline",
  "minRetryDelay",
  "maxRetryDelay",
  "maxAttempts",
  "schedule",
  "scheduleTimezone",
  "schedulePayload",
  "overlap",
  "lockTtl",
  "via",
  "ordered",
  "queue",
  "maxConcurrency",
  "killSwitch",
] as const satisfies readonly (keyof TaskContractOptions<string, object, unknown>)[];

/** Options as they come from a caller that no compiler may have checked. */
type UncheckedOptions = { readonly [K in keyof TaskContractOptions<string, never, unknown>]?: unknown };

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
function readKillSwitch(subject: string, value: unknown): Required<KillSwitchOptions> | undefined {
  if (value === undefined) return undefined;
  const options = typeof value === "string" ? { env: value } : (value as KillSwitchOptions);
  if (typeof options !== "object" || options === null) {
    throw new TasksError(
      "INVALID_OPTION",
      `${subject}: expected killSwitch to be the name of an environment variable, got ${shown(value)}`,
    );
  }
  assertKnownOptions(`${subject} killSwitch`, options, ["env", "onDemand"]);
  const read = new OptionReader(`${subject} killSwitch`, options);
  if (typeof options.env !== "string" || !ENV_NAME.test(options.env))
    read.fail("env", "the name of an environment variable");
  return Object.freeze({ env: options.env, onDemand: read.oneOf("onDemand", ["park", "skip"]) ?? "park" });
}

function readArgs(read: OptionReader, args: unknown): readonly string[] {
  if (args === undefined) return [];
  const fits =
    Array.isArray(args) && args.every((name) => typeof name === "string" && name !== "" && name !== "__proto__");
  if (!fits || new Set(args).size !== args.length) read.fail("args", "a list of different argument names");
  return Object.freeze([...(args as string[])]);
}

function isSchema(value: unknown): boolean {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  return typeof (value as Partial<StandardSchemaV1>)["~standard"]?.validate === "function";
}

function readDeadlines(
  read: OptionReader,
  via: Via | undefined,
): Pick<RouteSettings, "ackDeadline" | "minRetryDelay" | "maxRetryDelay"> {
  // Pub/Sub: ackDeadlineSeconds 10–600, retryPolicy 0–600 s. Cloud Tasks: dispatchDeadline 15 s–30 min, backoff up to 1 h.
  const pubsub = via === "pubsub";
  const longest = pubsub ? 600 : 3600;
  const ackDeadline = read.number(
    "ackDeadline",
    { min: via === "cloud-tasks" ? 15 : 10, max: pubsub ? 600 : 1800, whole: true, unit: "seconds" },
    300,
  );
  const minRetryDelay = read.number("minRetryDelay", { min: 0, max: longest, unit: "seconds" }, 10);
  const maxRetryDelay = read.number(
    "maxRetryDelay",
    { min: 0, max: longest, unit: "seconds" },
    Math.max(600, minRetryDelay),
  );
  if (minRetryDelay > maxRetryDelay)
    read.fail("minRetryDelay", `at most maxRetryDelay (${maxRetryDelay})`, "lower it or raise maxRetryDelay");
  return { ackDeadline, minRetryDelay, maxRetryDelay };
}

function readSchedule(
  subject: string,
  read: OptionReader,
  options: UncheckedOptions,
): Pick<RouteSettings, "schedule" | "scheduleTimezone" | "schedulePayload"> {
  const schedule = read.text("schedule");
  const scheduleTimezone = read.text("scheduleTimezone") ?? "UTC";
  if (schedule === undefined) {
    for (const name of ["scheduleTimezone", "schedulePayload", "overlap", "lockTtl"] as const) {
      if (options[name] !== undefined)
        read.fail(name, "left out of a route without a schedule", "add schedule or remove it");
    }
  } else {
    try {
      assertSchedule(schedule, scheduleTimezone);
    } catch (error) {
      throw new TasksError("INVALID_SCHEDULE", `${subject}: ${(error as Error).message}`, { cause: error });
    }
  }
  const schedulePayload = options.schedulePayload ?? {};
  if (typeof schedulePayload !== "object" || Array.isArray(schedulePayload)) read.fail("schedulePayload", "an object");
  return { schedule, scheduleTimezone, schedulePayload };
}

function readOrdered(read: OptionReader, via: Via | undefined, ordered: unknown): boolean {
  if (ordered !== undefined && typeof ordered !== "boolean") read.fail("ordered", "true or false");
  if (ordered === true && via === "cloud-tasks")
    read.fail("ordered", 'left out with via: "cloud-tasks"', "Cloud Tasks keeps no order");
  return ordered === true;
}

/**
 * Checks the options of a route or contract and fills in the defaults.
 *
 * @throws TasksError `INVALID_OPTION`, `INVALID_NAME` or `INVALID_SCHEDULE`, naming the route, the option, what was
 * expected and what came.
 */
export function readRouteOptions(kind: "TaskRoute" | "TaskContract", given: object): RouteSettings {
  if (typeof given !== "object" || given === null) {
    throw new TasksError(
      "INVALID_OPTION",
      `${kind}: expected an object of options, got ${shown(given)}; pass { path, … }`,
    );
  }
  const options = given as UncheckedOptions;
  const { path } = options;
  const subject = typeof path === "string" ? `${kind} "${path}"` : kind;
  const known = kind === "TaskRoute" ? [...CONTRACT_OPTIONS, "run"] : CONTRACT_OPTIONS;
  assertKnownOptions(subject, options, known);
  const read: OptionReader = new OptionReader(subject, options);
  if (typeof path !== "string") read.fail("path", 'a text such as "accounts.sendWelcomeEmail"');
  assertPath(path);
  if (options.payload !== undefined && !isSchema(options.payload)) {
    read.fail(
      "payload",
      "a Standard Schema such as z.object({ … })",
      "wrap the shape in your schema library's object()",
    );
  }
  const via = read.oneOf("via", ["pubsub", "cloud-tasks"]);
  const deadlines = readDeadlines(read, via);
  return Object.freeze({
    ...deadlines,
    ...readSchedule(subject, read, options),
    args: readArgs(read, options.args),
    maxAttempts: read.number("maxAttempts", { min: 1, max: 100, whole: true }, 10),
    overlap: read.oneOf("overlap", ["skip", "allow"]),
    lockTtl: read.number("lockTtl", { min: 1, max: 86_400, unit: "seconds" }, deadlines.ackDeadline + 30),
    via,
    ordered: readOrdered(read, via, options.ordered),
    queue: readQueue(subject, options.queue),
    maxConcurrency: read.number("maxConcurrency", { min: 1, max: 100_000, whole: true }, undefined),
    killSwitch: readKillSwitch(subject, options.killSwitch),
  });
}
