import type { HeaderLookup } from "../core/auth.ts";
import { CARRIED_ATTEMPTS, type Dispatch, PRIORITY, SCHEDULED_FOR } from "../core/delivery.ts";
import { carriedAttempts, type TransportMessage, timeOf } from "./transport.ts";

/** A whole number of 0 or more; 0 for a header that is absent or holds anything else. */
function countOf(value: string | undefined): number {
  const count = Number(value ?? 0);
  return Number.isInteger(count) && count > 0 ? count : 0;
}

/** What Cloud Tasks tells of a dispatch before its body is read; `undefined` for any other request. */
export function dispatchOf(header: HeaderLookup): Dispatch | undefined {
  if (header("x-cloudtasks-taskname") === undefined) return undefined;
  return {
    count: countOf(header("x-cloudtasks-taskretrycount")) + 1,
    queue: header("x-cloudtasks-queuename"),
    priority: header(PRIORITY),
  };
}

/**
 * A dispatch of Cloud Tasks, told by its task name. `TaskRetryCount` is 0 at first and counts every dispatch since;
 * `TaskExecutionCount` counts those that were answered, with anything but a 5xx. Of our answers those are the ones that are
 * no attempts: 400, 403, 409 and 429. The others are: a failed run is a 500, and a killed process is no answer at all.
 * https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler
 */
export function dispatchedTask(header: HeaderLookup): TransportMessage | undefined {
  const messageId = header("x-cloudtasks-taskname");
  const dispatch = dispatchOf(header);
  if (messageId === undefined || dispatch === undefined) return undefined;
  const answered = countOf(header("x-cloudtasks-taskexecutioncount"));
  const attempts = Math.max(1, dispatch.count - answered);
  return {
    transport: "cloud-tasks",
    messageId,
    attempt: Math.max(1, attempts + carriedAttempts(header(CARRIED_ATTEMPTS))),
    dispatch,
    scheduledFor: timeOf(header(SCHEDULED_FOR)),
    publishTime: undefined,
    attributes: {},
  };
}

/**
 * A call of Cloud Scheduler's HTTP target. The schedule time is the same for every delivery of a tick.
 * https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#HttpTarget
 */
export function scheduledCall(header: HeaderLookup): TransportMessage | undefined {
  if (header("x-cloudscheduler") === undefined) return undefined;
  const scheduleTime = header("x-cloudscheduler-scheduletime");
  return {
    transport: "scheduler",
    messageId: [header("x-cloudscheduler-jobname") ?? "job", scheduleTime ?? crypto.randomUUID()].join("-"),
    attempt: 1,
    scheduledFor: timeOf(scheduleTime),
    publishTime: undefined,
    attributes: {},
  };
}
