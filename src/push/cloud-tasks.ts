import type { HeaderLookup } from "../core/auth.ts";
import { CARRIED_ATTEMPTS } from "../core/delivery.ts";
import { carriedAttempts, type TransportMessage, timeOf } from "./transport.ts";

/**
 * A dispatch of Cloud Tasks, told by its task name. `TaskRetryCount` is 0 at first and counts every dispatch since.
 * https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler
 */
export function dispatchedTask(header: HeaderLookup): TransportMessage | undefined {
  const messageId = header("x-cloudtasks-taskname");
  if (messageId === undefined) return undefined;
  const retries = Number(header("x-cloudtasks-taskretrycount") ?? 0);
  const dispatches = Number.isInteger(retries) && retries > 0 ? retries + 1 : 1;
  return {
    transport: "cloud-tasks",
    messageId,
    attempt: Math.max(1, dispatches + carriedAttempts(header(CARRIED_ATTEMPTS))),
    scheduledFor: undefined,
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
