import { TasksError } from "./errors.ts";

/** Whose resources they are: the two parts that every resource name begins with. */
export interface Naming {
  /** The deployment, e.g. `prod`; `TASKS_ENVIRONMENT`. */
  readonly environment: string;
  /** The service, e.g. `gyrinx`. */
  readonly namespace: string;
}

/** The ids (without `projects/…`) of all cloud resources of one route. */
export interface ResourceNames {
  /** `{env}--{namespace}.tasks--{path}` */
  readonly topicName: string;
  /** `{topic}-sub` */
  readonly subscriptionName: string;
  /** `{topic}-dead` */
  readonly deadLetterTopicName: string;
  /** `{topic}-dead-sub` */
  readonly deadLetterSubscriptionName: string;
  /** `{env}--{namespace}--{path}` with dots and underscores as hyphens, the only separator a queue id allows. */
  readonly queueName: string;
  /** `{env}--{namespace}-scheduler--{path}` with dots as hyphens. */
  readonly schedulerJobName: string;
}

/** The longest environment or namespace, in characters; two of them leave the shortest id, a queue's, room for a path. */
const LONGEST_PREFIX = 30;

/** Pub/Sub topic and subscription ids (cloud.google.com/pubsub/docs/pubsub-basics#resource_names). */
const LONGEST_PUBSUB_ID = 255;
/** `QUEUE_ID` in google/cloud/tasks/v2/queue.proto: `[A-Za-z0-9-]`. */
const LONGEST_QUEUE_ID = 100;
/** `JOB_ID` in google/cloud/scheduler/v1/job.proto: `[A-Za-z0-9_-]`. */
const LONGEST_JOB_ID = 500;

const LONGEST_SUFFIX = "-dead-sub";

/**
 * Refuses an environment or a namespace from which names could not be told apart again. Each is 1 to 30 letters, digits,
 * `-` and `_`, starts with a letter, ends with a letter or digit and has no two separators in a row: `--` is what
 * divides the parts of a name, and `_` becomes `-` in queue names. The environment, which names begin with, must not start
 * with `goog` in any case; Pub/Sub refuses such names.
 *
 * `a_b` and `a-b` are different environments whose queues share names: use one spelling in a project.
 *
 * @throws TasksError `INVALID_NAME`.
 */
export function assertNaming({ environment, namespace }: Naming): void {
  assertPrefix("environment", environment);
  assertPrefix("namespace", namespace);
  if (environment.toLowerCase().startsWith("goog")) {
    throw new TasksError(
      "INVALID_NAME",
      `environment "${environment}": expected a name that does not start with goog, which Pub/Sub keeps to itself; choose another`,
    );
  }
}

function assertPrefix(subject: string, value: string): void {
  const fail = (expected: string, got: string, advice: string): never => {
    throw new TasksError(
      "INVALID_NAME",
      `${subject} ${JSON.stringify(value)}: expected ${expected}, got ${got}; ${advice}`,
    );
  };
  if (value.length < 1 || value.length > LONGEST_PREFIX)
    fail(`1 to ${LONGEST_PREFIX} characters`, `${value.length}`, "it begins every resource name");
  if (!/^[A-Za-z]/.test(value)) fail("a letter first", JSON.stringify(value[0]), "put a letter in front");
  const foreign = /[^A-Za-z0-9_-]/.exec(value);
  if (foreign !== null) fail("letters, digits, - and _", JSON.stringify(foreign[0]), "leave it out");
  const run = /[_-]{2}/.exec(value);
  if (run !== null)
    fail("single separators", JSON.stringify(run[0]), "two of them divide the parts of a resource name");
  if (/[_-]$/.test(value)) fail("a letter or digit last", JSON.stringify(value.at(-1)), "leave it out");
}

/**
 * Refuses what is no path of a route: dotted segments of letters, digits, `_` and `-`, such as
 * `accounts.sendWelcomeEmail`. There is no limit to the length; long names are shortened by {@link resourceNames}.
 *
 * @throws TasksError `INVALID_NAME`.
 */
export function assertPath(path: string): void {
  for (const segment of path.split(".")) {
    if (/^[A-Za-z0-9_-]+$/.test(segment)) continue;
    const got = segment === "" ? "an empty segment" : JSON.stringify(segment);
    throw new TasksError(
      "INVALID_NAME",
      `path ${JSON.stringify(path)}: expected dotted segments of letters, digits, _ and -, got ${got}; write it like "accounts.sendWelcomeEmail"`,
    );
  }
}

/** The name of the task at a path: its last segment. */
export function taskName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

/**
 * Derives the names of everything a route owns in the cloud. A name that its service would find too long is cut and ends in
 * a hash of the whole; a topic is cut early enough for its own suffixes, so that the four Pub/Sub names stay related.
 * Names of different paths differ unless the paths flatten to the same text (`a.b-c` and `a.b.c` are one scheduler job).
 *
 * Names find the resources of earlier deployments again: neither the formats nor the hash may ever change.
 *
 * @throws TasksError `INVALID_NAME` for a path or naming that cannot be used.
 */
export function resourceNames(naming: Naming, path: string): ResourceNames {
  assertNaming(naming);
  assertPath(path);
  const { environment, namespace } = naming;
  const topicName = shorten(`${environment}--${namespace}.tasks--${path}`, LONGEST_PUBSUB_ID - LONGEST_SUFFIX.length);
  return {
    topicName,
    subscriptionName: `${topicName}-sub`,
    deadLetterTopicName: `${topicName}-dead`,
    deadLetterSubscriptionName: `${topicName}${LONGEST_SUFFIX}`,
    queueName: shorten(`${environment}--${namespace}--${path}`.replace(/[._]/g, "-"), LONGEST_QUEUE_ID),
    schedulerJobName: shorten(`${environment}--${namespace}-scheduler--${path.replaceAll(".", "-")}`, LONGEST_JOB_ID),
  };
}

/**
 * The queue of one priority of a route: `{queue}-{priority}`.
 *
 * @param queue id, or full name, of the route's own queue.
 */
export function priorityQueueName(queue: string, priority: string): string {
  const at = queue.lastIndexOf("/") + 1;
  return queue.slice(0, at) + shorten(`${queue.slice(at)}-${priority}`, LONGEST_QUEUE_ID);
}

/** Id of the queue in which delayed messages of Pub/Sub wait: `{env}--{namespace}-deferral`. */
export function deferralQueueName(naming: Naming): string {
  assertNaming(naming);
  return `${naming.environment}--${naming.namespace}-deferral`.replaceAll("_", "-");
}

function shorten(name: string, limit: number): string {
  if (name.length <= limit) return name;
  const hash = fnv1a64(name);
  return `${name.slice(0, limit - hash.length - 1)}-${hash}`;
}

/**
 * FNV-1a, 64 bits, of an ASCII text, as 16 hexadecimal digits. Not cryptographic, but stable, synchronous, and good enough
 * for names: among a million names the odds that any two collide are 1 in 37 million.
 */
export function fnv1a64(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (let index = 0; index < text.length; index++) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(index))) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}
