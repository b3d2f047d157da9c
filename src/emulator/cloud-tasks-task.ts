import type { Identity } from "../engine/identity.ts";
import type { Message } from "../engine/message.ts";
import { shortName } from "./cloud-tasks-names.ts";
import type { HttpAnswer, HttpCall } from "./dispatch.ts";
import { type RpcStatus, statusOfAnswer } from "./http-status.ts";
import { assertHttpTarget, authorizationOf, type HttpTarget, methodOf, userHeaders } from "./http-target.ts";
import { CODES, invalid, RpcError } from "./status.ts";
import { fromMillis, type TimeParts, toMillis } from "./time.ts";

/** A `google.cloud.tasks.v2.Task` as a caller sends it. */
export interface TaskFields {
  readonly name?: string;
  readonly httpRequest?: HttpRequestFields;
  readonly appEngineHttpRequest?: object;
  readonly scheduleTime?: TimeParts;
  readonly dispatchDeadline?: TimeParts;
}

/** A `google.cloud.tasks.v2.HttpRequest`. */
export interface HttpRequestFields extends HttpTarget {
  readonly url?: string;
}

/** How much of a task an answer shows. */
export type TaskView = "VIEW_UNSPECIFIED" | "BASIC" | "FULL";

interface Attempt {
  readonly scheduled: number;
  readonly dispatched: number;
  readonly responded?: number;
  readonly status?: RpcStatus;
}

const DEFAULT_DEADLINE_S = 600;
const SHORTEST_DEADLINE_S = 15;
const LONGEST_DEADLINE_S = 1800;
/** A task may be scheduled this many hours ahead. */
const FARTHEST_HOURS = 720;
const HOUR_MS = 3_600_000;
/** Largest task, in bytes. */
const LARGEST_TASK = 1024 * 1024;
const USER_AGENT = { "User-Agent": "Google-Cloud-Tasks" };

/** One task of a queue: what it sends, and what came of its attempts. Its moments are in milliseconds since the epoch. */
export class QueuedTask {
  readonly name: string;
  /** Whether its name is its caller's: then nobody else may have it for a while. */
  readonly isNamed: boolean;
  readonly createTime: number;
  /** When it is attempted first. */
  readonly firstScheduled: number;
  /** What stands for it in the engine; set once it is there. */
  message: Message | undefined;
  readonly #request: HttpRequestFields;
  /** Seconds. */
  readonly #deadline: number;
  #dispatches = 0;
  #responses = 0;
  /** Answers that say something about the task: neither 5xx nor too late. */
  #executions = 0;
  /** Status of the last answer; 504 if it came too late. */
  #previousStatus: number | undefined;
  #firstDispatched: number | undefined;
  #lastAttempt: Attempt | undefined;

  /**
   * @param name full name.
   * @throws RpcError INVALID_ARGUMENT; UNIMPLEMENTED for App Engine.
   */
  constructor(name: string, fields: TaskFields, now: number) {
    this.#request = requestOf(fields);
    this.#deadline = deadlineOf(fields);
    this.name = name;
    this.isNamed = (fields.name ?? "") !== "";
    this.createTime = now;
    this.firstScheduled = Math.max(scheduleOf(fields, now), now);
    if (sizeOf(name, this.#request) > LARGEST_TASK) throw invalid("Task size too large");
  }

  /** When its first attempt was sent. */
  get firstDispatched(): number | undefined {
    return this.#firstDispatched;
  }

  /** Begins an attempt: counts it, and makes its request. */
  begin(now: number, identity: Identity): HttpCall {
    const scheduled = this.message?.due ?? now;
    const url = this.#request.url ?? "";
    const own = { ...USER_AGENT, ...this.#headers(scheduled), ...authorizationOf(this.#request, url, identity) };
    this.#dispatches += 1;
    this.#firstDispatched ??= now;
    this.#lastAttempt = { scheduled, dispatched: now };
    return {
      url,
      method: methodOf(this.#request),
      headers: userHeaders(this.#request, own),
      body: this.#request.body,
      timeout: this.#deadline * 1000,
    };
  }

  /** Ends an attempt. */
  end(answer: HttpAnswer, now: number): void {
    const { scheduled = now, dispatched = now } = this.#lastAttempt ?? {};
    this.#lastAttempt = { scheduled, dispatched, responded: now, status: statusOfAnswer(answer) };
    this.#previousStatus = answer.type === "answered" ? answer.status : answer.type === "late" ? 504 : undefined;
    if (answer.type !== "answered") return;
    this.#responses += 1;
    if (answer.status < 500) this.#executions += 1;
  }

  /** https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler */
  #headers(eta: number): Record<string, string> {
    const [queue = ""] = this.name.split("/tasks/");
    const isRetry = this.#dispatches > 0;
    return {
      "X-CloudTasks-QueueName": shortName(queue),
      "X-CloudTasks-TaskName": shortName(this.name),
      "X-CloudTasks-TaskRetryCount": String(this.#dispatches),
      "X-CloudTasks-TaskExecutionCount": String(this.#executions),
      "X-CloudTasks-TaskETA": String(eta / 1000),
      ...(isRetry && this.#previousStatus !== undefined
        ? { "X-CloudTasks-TaskPreviousResponse": String(this.#previousStatus) }
        : {}),
      ...(isRetry ? { "X-CloudTasks-TaskRetryReason": "" } : {}),
    };
  }

  /** The task as an answer shows it; the body only in the full view. */
  view(view: TaskView | undefined): object {
    const { body, ...request } = this.#request;
    const isFull = view === "FULL";
    return {
      name: this.name,
      httpRequest: {
        ...request,
        httpMethod: methodOf(request),
        headers: { ...userHeaders(request, USER_AGENT) },
        ...(isFull && body !== undefined ? { body } : {}),
      },
      scheduleTime: microseconds(this.message?.due ?? this.firstScheduled),
      createTime: { seconds: Math.floor(this.createTime / 1000), nanos: 0 },
      dispatchDeadline: fromMillis(this.#deadline * 1000),
      dispatchCount: this.#dispatches,
      responseCount: this.#responses,
      ...(this.#firstDispatched === undefined
        ? {}
        : { firstAttempt: { dispatchTime: fromMillis(this.#firstDispatched) } }),
      ...(this.#lastAttempt === undefined ? {} : { lastAttempt: attemptView(this.#lastAttempt) }),
      view: isFull ? "FULL" : "BASIC",
    };
  }
}

function attemptView({ scheduled, dispatched, responded, status }: Attempt): object {
  return {
    scheduleTime: microseconds(scheduled),
    dispatchTime: fromMillis(dispatched),
    ...(responded === undefined ? {} : { responseTime: fromMillis(responded), responseStatus: status }),
  };
}

/** A moment as a timestamp of whole microseconds. */
function microseconds(moment: number): object {
  const micros = Math.round(moment * 1000);
  return { seconds: Math.floor(micros / 1e6), nanos: (micros % 1e6) * 1000 };
}

function requestOf({ httpRequest, appEngineHttpRequest }: TaskFields): HttpRequestFields {
  if (appEngineHttpRequest !== undefined)
    throw new RpcError(CODES.UNIMPLEMENTED, "The emulator has no App Engine; give the task an httpRequest.");
  if (httpRequest === undefined) throw invalid("Task.message_type must be set.");
  assertHttpTarget(httpRequest, httpRequest.url ?? "", "HttpRequest.url", "HttpTarget.url");
  return httpRequest;
}

/** Truncated to milliseconds, as the proto says. */
function deadlineOf({ dispatchDeadline }: TaskFields): number {
  if (dispatchDeadline === undefined) return DEFAULT_DEADLINE_S;
  const seconds = Math.trunc(toMillis(dispatchDeadline)) / 1000;
  if (seconds < SHORTEST_DEADLINE_S || seconds > LONGEST_DEADLINE_S)
    throw invalid("Task.dispatchDeadline must be between [15s, 30m].");
  return seconds;
}

/** Truncated to microseconds, as the proto says. */
function scheduleOf({ scheduleTime }: TaskFields, now: number): number {
  if (scheduleTime === undefined) return now;
  const { seconds = 0, nanos = 0 } = scheduleTime;
  const moment = Number(seconds) * 1000 + Math.trunc(nanos / 1000) / 1000;
  if (moment > now + FARTHEST_HOURS * HOUR_MS)
    throw invalid(
      `The Task.scheduleTime, ${pacificTime(moment)}, is too far in the future. Schedule time must be no more than ${FARTHEST_HOURS}h in the future.`,
    );
  return moment;
}

/** A moment as the service writes it in that error: in the time of its home. */
function pacificTime(moment: number): string {
  const parts = new Intl.DateTimeFormat("sv-SE", {
    timeZone: "America/Los_Angeles",
    dateStyle: "short",
    timeStyle: "medium",
  }).format(moment);
  const local = Date.parse(`${parts.replace(" ", "T")}Z`);
  const hours = Math.round((Math.floor(moment / 1000) * 1000 - local) / HOUR_MS);
  return `${parts.replace(" ", "T")}-0${hours}:00`;
}

function sizeOf(name: string, { url = "", headers = {}, body }: HttpRequestFields): number {
  const texts = [name, url, ...Object.entries(headers).flat()];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), body?.length ?? 0);
}
