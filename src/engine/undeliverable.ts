import { type DeadLetter, describeError } from "../core/dead-letter.ts";
import { TasksError } from "../core/errors.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Message } from "./message.ts";

/** What a delivery comes to whose acknowledgement was lost. */
export function lostAnswer({ lane: { route } }: Message): Outcome {
  return unanswered(
    `delivery of "${route.path}": expected an acknowledgement within ${route.settings.ackDeadline} s, got none; the task may have run, see what it did before it is redriven`,
  );
}

/** What a delivery comes to whose process died under way, as often as the message's answer never came. */
export function endedProcess({ lane: { route }, lost }: Message): Outcome {
  const times = lost === 1 ? "once" : `${lost} times`;
  return unanswered(
    `delivery of "${route.path}": expected an answer, got the end of the process ${times} while it ran; see whether the task ends its process, or uses up its memory, before it is redriven`,
  );
}

function unanswered(text: string): Outcome {
  return { type: "failed", error: new TasksError("TIMEOUT", text), retryAfter: undefined };
}

/** What a dead-letter policy does: the letter of a message that nobody could take, after its last `outcome`. */
export function undeliverable(message: Message, outcome: Outcome, parkedAt: number): DeadLetter {
  const { task, messageId } = message;
  const kwargs = readPayload(task.payloadJson);
  const error = kwargs === undefined ? unreadable(message) : "error" in outcome ? outcome.error : undefined;
  return {
    taskId: task.id,
    path: task.route.path,
    taskName: task.route.name,
    args: [],
    kwargs: kwargs ?? {},
    ...(kwargs === undefined ? { unreadable: task.payloadJson } : {}),
    enqueuedAt: message.scheduledFor === undefined ? new Date(task.enqueuedAt).toISOString() : undefined,
    messageId,
    reason: "undeliverable",
    error: error === undefined ? outcome.type : describeError(error),
    attempts: message.failures,
    parkedAt,
  };
}

/** `undefined` for a text that is no JSON object: what a file keeps may have been damaged. */
function readPayload(text: string): Record<string, unknown> | undefined {
  try {
    const payload: unknown = JSON.parse(text);
    return typeof payload === "object" && payload !== null && !Array.isArray(payload)
      ? (payload as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function unreadable({ lane: { route } }: Message): TasksError {
  return new TasksError(
    "INVALID_PAYLOAD",
    `payload of "${route.path}": expected a JSON object, got a damaged text; see the letter for what is left of it`,
  );
}
