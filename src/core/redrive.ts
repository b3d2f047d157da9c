import type { OutgoingTask } from "./backend.ts";
import type { DeadLetter } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import { TasksError } from "./errors.ts";
import { payloadOf } from "./payload.ts";

/**
 * A letter's task as it is enqueued again: the same id and payload, no attempt used.
 *
 * @throws TasksError `INVALID_PAYLOAD` for a letter that holds no payload, or one that does not fit its route.
 */
export function redrivenTask(letter: DeadLetter, route: AnyRoute, now: number): OutgoingTask {
  if (letter.unreadable !== undefined)
    throw new TasksError(
      "INVALID_PAYLOAD",
      `redrive: expected dead letter "${letter.taskId}" to hold the JSON object of a payload, got another text; see unreadable, enqueue the task anew, and drop the letter`,
    );
  return {
    id: letter.taskId,
    route,
    payloadJson: JSON.stringify(payloadOf(route, letter.args, letter.kwargs)),
    enqueuedAt: letter.enqueuedAt === undefined ? now : Date.parse(letter.enqueuedAt),
    runAt: undefined,
    dedupe: undefined,
    priority: undefined,
    carriedAttempts: 0,
    replaces: letter.messageId,
  };
}

/** The error of a letter whose route is not in the list. */
export function strangeLetter({ path, taskId }: DeadLetter): TasksError {
  return new TasksError(
    "UNKNOWN_ROUTE",
    `redrive: expected the route of dead letter "${taskId}" in the list, got "${path}", which is not; add it to routes, or drop the letter`,
  );
}
