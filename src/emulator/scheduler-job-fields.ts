import { isTasksError } from "../core/errors.ts";
import { loadSchedule, type Schedule } from "../core/schedule.ts";
import { assertHttpTarget, type HttpTarget, methodOf, userHeaders } from "./http-target.ts";
import { maskPaths, withMasked } from "./masked-fields.ts";
import { assertJobName, projectOf } from "./scheduler-names.ts";
import { CODES, invalid, RpcError } from "./status.ts";
import { fromSeconds, type TimeParts, toSeconds } from "./time.ts";

/** The fields of a `google.cloud.scheduler.v1.Job` that a caller may set. */
export interface JobFields {
  readonly name?: string;
  readonly description?: string;
  readonly pubsubTarget?: PubsubTarget;
  readonly httpTarget?: JobHttpTarget;
  readonly appEngineHttpTarget?: object;
  readonly schedule?: string;
  readonly timeZone?: string;
  readonly retryConfig?: JobRetryConfig;
  readonly attemptDeadline?: TimeParts;
}

/** A `PubsubTarget`. */
export interface PubsubTarget {
  readonly topicName?: string;
  readonly data?: Uint8Array;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** An `HttpTarget`. */
export interface JobHttpTarget extends HttpTarget {
  readonly uri?: string;
}

/** A `RetryConfig`. */
export interface JobRetryConfig {
  readonly retryCount?: number;
  readonly maxRetryDuration?: TimeParts;
  readonly minBackoffDuration?: TimeParts;
  readonly maxBackoffDuration?: TimeParts;
  readonly maxDoublings?: number;
}

/** A job as it is kept: checked, with its defaults. */
export interface JobConfig {
  readonly fields: JobFields & { readonly name: string };
  readonly schedule: Schedule;
}

/** Set on every request of a job. */
export const USER_AGENT = { "User-Agent": "Google-Cloud-Scheduler" };

const LONGEST_DESCRIPTION = 500;
const LARGEST_JOB = 1024 * 1024;
const MOST_RETRIES = 5;
const MIN_BACKOFF_S = 5;
const MAX_BACKOFF_S = 3600;
const DOUBLINGS = 5;
const DEADLINE_S = 180;
const SHORTEST_DEADLINE_S = 15;
const LONGEST_DEADLINE_S = 1800;
/** How texts of App Engine's groc format begin. */
const GROC = /^(every|\d+(st|nd|rd|th)|first|second|third|fourth|fifth)\b/i;

const TOKEN = ["service_account_email", "audience", "scope"];
const PATHS = maskPaths({
  ...Object.fromEntries(
    ["name", "description", "schedule", "time_zone", "attempt_deadline", "app_engine_http_target"].map((at) => [
      at,
      [],
    ]),
  ),
  ...Object.fromEntries(
    ["user_update_time", "state", "status", "schedule_time", "last_attempt_time"].map((output) => [output, []]),
  ),
  pubsub_target: ["topic_name", "data", "attributes"],
  http_target: [
    ...["uri", "http_method", "headers", "body", "oauth_token", "oidc_token"],
    ...TOKEN.flatMap((field) => [`oauth_token.${field}`, `oidc_token.${field}`]),
  ],
  retry_config: ["retry_count", "max_retry_duration", "min_backoff_duration", "max_backoff_duration", "max_doublings"],
});
const TARGETS = ["pubsubTarget", "httpTarget"] as const;

/**
 * The fields of a job after an update: those that the mask names, or without a mask those that the update holds.
 *
 * @throws RpcError INVALID_ARGUMENT.
 */
export function updatedFields(current: JobFields, update: JobFields, paths: readonly string[]): JobFields {
  const merged = paths.length === 0 ? { ...current, ...update } : withMasked(current, update, paths, PATHS, "Job");
  const added = TARGETS.find((target) => current[target] === undefined && merged[target] !== undefined);
  if (added === undefined) return merged;
  // A job has one target: another kind of it takes the place of the one before.
  const others = Object.entries(merged).filter(([field]) => field === added || !isTarget(field));
  return Object.fromEntries(others);
}

function isTarget(field: string): boolean {
  return TARGETS.some((target) => target === field);
}

/**
 * Checks a job, and fills in what it leaves open.
 *
 * @throws RpcError INVALID_ARGUMENT; UNIMPLEMENTED for App Engine and for groc texts.
 */
export async function jobConfig(given: JobFields): Promise<JobConfig> {
  const { name = "", description = "", schedule = "", timeZone = "" } = given;
  assertJobName(name);
  if (description.length > LONGEST_DESCRIPTION)
    throw invalid(`Job.description must not be longer than ${LONGEST_DESCRIPTION} characters.`);
  const target = targetOf(given, name);
  if (sizeOf(given) > LARGEST_JOB) throw invalid("Job size too large");
  return {
    fields: {
      name,
      ...(description === "" ? {} : { description }),
      ...target,
      schedule,
      timeZone: timeZone === "" ? "UTC" : timeZone,
      retryConfig: retryConfigOf(given.retryConfig ?? {}),
      ...(target.httpTarget === undefined ? {} : { attemptDeadline: deadlineOf(given.attemptDeadline) }),
    },
    schedule: await scheduleOf(schedule, timeZone),
  };
}

function targetOf(
  { appEngineHttpTarget, pubsubTarget, httpTarget }: JobFields,
  name: string,
): Pick<JobFields, "pubsubTarget" | "httpTarget"> {
  if (appEngineHttpTarget !== undefined)
    throw new RpcError(
      CODES.UNIMPLEMENTED,
      "The emulator has no App Engine; give the job an httpTarget or a pubsubTarget.",
    );
  if (pubsubTarget !== undefined) {
    assertPubsubTarget(pubsubTarget, name);
    return { pubsubTarget };
  }
  if (httpTarget === undefined) throw invalid("Job.target must be set.");
  assertHttpTarget(httpTarget, httpTarget.uri ?? "", "HttpTarget.uri", "HttpTarget.uri");
  const hasType = Object.keys(httpTarget.headers ?? {}).some((header) => header.toLowerCase() === "content-type");
  const type = hasType ? {} : { "Content-Type": "application/octet-stream" };
  const headers = userHeaders(httpTarget, { ...type, ...USER_AGENT });
  return { httpTarget: { ...httpTarget, httpMethod: methodOf(httpTarget), headers } };
}

function assertPubsubTarget({ topicName = "", data, attributes = {} }: PubsubTarget, name: string): void {
  const [, project] = /^projects\/([^/]+)\/topics\/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$/.exec(topicName) ?? [];
  if (project === undefined)
    throw invalid('PubsubTarget.topic_name must be formatted: "projects/<PROJECT_ID>/topics/<TOPIC_ID>".');
  if (project !== projectOf(name)) throw invalid("The topic must be in the same project as the Cloud Scheduler job.");
  if ((data?.length ?? 0) === 0 && Object.keys(attributes).length === 0)
    throw invalid("Pubsub message must contain either non-empty data, or at least one attribute.");
}

function retryConfigOf(config: JobRetryConfig): JobRetryConfig {
  const { retryCount = 0, maxDoublings = 0 } = config;
  const minBackoff = toSeconds(config.minBackoffDuration) ?? MIN_BACKOFF_S;
  const maxBackoff = toSeconds(config.maxBackoffDuration) ?? MAX_BACKOFF_S;
  const maxRetryDuration = toSeconds(config.maxRetryDuration) ?? 0;
  if (retryCount < 0 || retryCount > MOST_RETRIES)
    throw invalid(`RetryConfig.retryCount must be between 0 and ${MOST_RETRIES}.`);
  const lengths = { maxRetryDuration, minBackoffDuration: minBackoff, maxBackoffDuration: maxBackoff, maxDoublings };
  for (const [field, value] of Object.entries(lengths))
    if (!(value >= 0)) throw invalid(`RetryConfig.${field} cannot be negative.`);
  if (minBackoff > maxBackoff)
    throw invalid("RetryConfig.minBackoffDuration must be less than or equal to RetryConfig.maxBackoffDuration.");
  return {
    ...(retryCount === 0 ? {} : { retryCount }),
    maxRetryDuration: fromSeconds(maxRetryDuration),
    minBackoffDuration: fromSeconds(minBackoff),
    maxBackoffDuration: fromSeconds(maxBackoff),
    maxDoublings: maxDoublings || DOUBLINGS,
  };
}

function deadlineOf(deadline: TimeParts | undefined): TimeParts {
  const seconds = toSeconds(deadline) ?? DEADLINE_S;
  if (seconds < SHORTEST_DEADLINE_S || seconds > LONGEST_DEADLINE_S)
    throw invalid("Job.attemptDeadline must be between [15s, 30m].");
  return fromSeconds(seconds);
}

async function scheduleOf(schedule: string, timeZone: string): Promise<Schedule> {
  if (GROC.test(schedule.trim()))
    throw new RpcError(
      CODES.UNIMPLEMENTED,
      `The emulator reads unix-cron, not the text "${schedule}"; write its five fields, such as "*/5 * * * *".`,
    );
  try {
    return await loadSchedule(schedule, timeZone === "" || /^utc$/i.test(timeZone) ? "UTC" : timeZone);
  } catch (error) {
    if (!isTasksError(error)) throw error;
    throw invalid(`Schedule or time zone is invalid. ${error.message}`);
  }
}

function sizeOf({ httpTarget, pubsubTarget }: JobFields): number {
  const body = httpTarget?.body ?? pubsubTarget?.data;
  const texts = Object.entries(httpTarget?.headers ?? pubsubTarget?.attributes ?? {}).flat();
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), body?.length ?? 0);
}
