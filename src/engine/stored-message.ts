import type { OutgoingTask } from "../core/backend.ts";
import type { AnyRoute } from "../core/declaration.ts";
import type { Lane } from "./lane.ts";
import { Message } from "./message.ts";

/** A message as a row of the queue file: its columns in their order. Times are in milliseconds since the epoch. */
export type StoredMessage = readonly [
  number: number,
  taskId: string,
  path: string,
  payload: string,
  enqueuedAt: number,
  publishTime: number,
  due: number,
  scheduledFor: number | null,
  carried: number,
  failures: number,
  rejections: number,
  sentBack: number,
  lost: number,
  inFlight: number,
  orderingKey: string | null,
];

/** The row of a message as it is now. */
export function storedMessage(message: Message): StoredMessage {
  const { task, number, publishTime, due, scheduledFor, failures, rejections, sentBack, lost } = message;
  const { id, route, payloadJson, enqueuedAt, carriedAttempts, orderingKey } = task;
  const tick = scheduledFor?.getTime() ?? null;
  const times = [enqueuedAt, publishTime, due, tick] as const;
  const counts = [carriedAttempts, failures, rejections, sentBack, lost] as const;
  return [number, id, route.path, payloadJson, ...times, ...counts, message.isInFlight ? 1 : 0, orderingKey ?? null];
}

/** The message of a row, for the queue of its route. */
export function revivedMessage(stored: StoredMessage, lane: Lane): Message {
  const [number, id, , payload, enqueuedAt, publishTime, due, tick, carried, failures, ...rest] = stored;
  const [rejections, sentBack, lost, inFlight, orderingKey] = rest;
  const task = storedTask(id, lane.route, payload, enqueuedAt, carried, orderingKey ?? undefined);
  const message = new Message(task, lane, number, publishTime, tick === null ? undefined : new Date(tick));
  message.due = due;
  message.failures = failures;
  message.rejections = rejections;
  message.sentBack = sentBack;
  message.lost = lost;
  message.isInFlight = inFlight === 1;
  message.isStored = true;
  return message;
}

function storedTask(
  id: string,
  route: AnyRoute,
  payloadJson: string,
  enqueuedAt: number,
  carried: number,
  orderingKey: string | undefined,
): OutgoingTask {
  return {
    id,
    route,
    payloadJson,
    enqueuedAt,
    runAt: undefined,
    dedupe: undefined,
    priority: undefined,
    orderingKey,
    carriedAttempts: carried,
  };
}
