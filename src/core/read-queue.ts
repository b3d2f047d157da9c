import { TasksError } from "./errors.ts";
import { assertKnownOptions, OptionReader, shown } from "./options.ts";
import { isQueueName } from "./queue-name.ts";
import type { PriorityOptions, QueueOptions } from "./route-options.ts";

const SETTINGS = [
  "name",
  "managed",
  "ratePerSecond",
  "maxConcurrent",
  "maxDoublings",
  "maxRetryDuration",
  "logSampling",
] as const satisfies readonly (keyof QueueOptions & keyof PriorityOptions)[];
const QUEUE_OPTIONS: readonly (keyof QueueOptions)[] = [...SETTINGS, "priorities"];
const PRIORITY_OPTIONS: readonly (keyof PriorityOptions)[] = [...SETTINGS, "minRetryDelay", "maxRetryDelay"];

/** Ends the name of a queue, so it is made of what a queue id is made of. */
const PRIORITY = /^[A-Za-z0-9]([A-Za-z0-9-]{0,18}[A-Za-z0-9])?$/;

/** What `managed` is where it is not given: a queue somewhere else by its full name is somebody else's. */
function withOwner<T extends QueueOptions>(queue: T, name: string | undefined): T {
  return Object.freeze({
    ...queue,
    ...(name === undefined ? {} : { managed: queue.managed ?? !name.includes("/") }),
  });
}

function assertSettings(read: OptionReader, queue: QueueOptions): string | undefined {
  const name = read.text("name");
  if (name !== undefined && !isQueueName(name)) {
    read.fail("name", "a queue id of 1–100 letters, digits and hyphens, or projects/P/locations/L/queues/Q");
  }
  if (queue.managed !== undefined && typeof queue.managed !== "boolean") read.fail("managed", "true or false");
  if (queue.ratePerSecond !== undefined && !(queue.ratePerSecond > 0))
    read.fail("ratePerSecond", "more than 0 and at most 500");
  read.number("ratePerSecond", { min: 0, max: 500 }, undefined);
  read.number("maxConcurrent", { min: 1, max: 5000, whole: true }, undefined);
  read.number("maxDoublings", { min: 0, max: 16, whole: true }, undefined);
  read.number("maxRetryDuration", { min: 0, max: 31 * 86_400, unit: "seconds" }, undefined);
  read.number("logSampling", { min: 0, max: 1 }, undefined);
  return name;
}

function readPriority(subject: string, options: PriorityOptions): PriorityOptions {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new TasksError("INVALID_OPTION", `${subject}: expected an object of settings, got ${shown(options)}`);
  assertKnownOptions(subject, options, PRIORITY_OPTIONS);
  const read: OptionReader = new OptionReader(subject, options);
  const name = assertSettings(read, options);
  const shortest = read.number("minRetryDelay", { min: 0, max: 3600, unit: "seconds" }, undefined);
  const longest = read.number("maxRetryDelay", { min: 0, max: 3600, unit: "seconds" }, undefined);
  if (shortest !== undefined && longest !== undefined && shortest > longest)
    read.fail("minRetryDelay", `at most maxRetryDelay (${longest})`, "lower it or raise maxRetryDelay");
  return withOwner(options, name);
}

function readPriorities(subject: string, read: OptionReader, value: unknown): QueueOptions["priorities"] {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    read.fail("priorities", "an object of settings by name, such as { high: { ratePerSecond: 500 } }");
  const entries = Object.entries(value as Record<string, PriorityOptions>).map(([name, options]) => {
    if (!PRIORITY.test(name))
      read.fail("priorities", `named with 1–20 letters, digits and inner hyphens, not ${shown(name)}`);
    return [name, readPriority(`${subject} queue priority "${name}"`, options)] as const;
  });
  return Object.freeze(Object.fromEntries(entries));
}

/**
 * Checks a route's `queue` option: a name, or settings.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export function readQueue(subject: string, value: unknown): QueueOptions {
  const given = typeof value === "string" ? { name: value } : (value ?? {});
  if (typeof given !== "object" || Array.isArray(given)) {
    throw new TasksError(
      "INVALID_OPTION",
      `${subject}: expected queue to be a name or an object of settings, got ${shown(value)}`,
    );
  }
  const queue: QueueOptions = given;
  assertKnownOptions(`${subject} queue`, queue, QUEUE_OPTIONS);
  const read: OptionReader = new OptionReader(`${subject} queue`, queue);
  const name = assertSettings(read, queue);
  const priorities = readPriorities(subject, read, queue.priorities);
  return withOwner(priorities === undefined ? queue : { ...queue, priorities }, name);
}
