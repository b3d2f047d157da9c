import type { DeadLetter } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { assertPlain, decodeEnvelope, type Envelope } from "../core/envelope.ts";
import type { ParkReason } from "../core/outcome.ts";
import { LARGEST_REQUEST, type MeasuredMessage, measured } from "./publish-request.ts";

/** Attributes of a dead letter; its data is the envelope, as other services and languages read it. */
const REASON = "taskroute-dead-reason";
const ERROR = "taskroute-dead-error";
const ATTEMPTS = "taskroute-dead-attempts";
const PATH = "taskroute-dead-path";
const MESSAGE_ID = "taskroute-dead-message-id";
const PARKED_AT = "taskroute-dead-at";

/** What Pub/Sub adds to a message that it forwards itself. https://cloud.google.com/pubsub/docs/handling-failures */
const SOURCE_DELIVERIES = "CloudPubSubDeadLetterSourceDeliveryCount";

const REASONS: readonly ParkReason[] = ["discarded", "exhausted", "switched-off", "undeliverable"];

/** Bytes of an attribute. */
const LONGEST_VALUE = 1024;
/** Bytes left free beside a letter: less than beside a message, so that whatever was published can be parked. */
const ROOM = 1000;

/** A message of Pub/Sub as it is pulled. */
export interface PulledMessage {
  readonly data?: Uint8Array | string | null;
  readonly attributes?: Readonly<Record<string, string>> | null;
  readonly messageId?: string | null;
  readonly publishTime?: { readonly seconds?: unknown; readonly nanos?: number | null } | null;
}

/** A dead letter as it is published. */
export function messageOf(letter: DeadLetter): MeasuredMessage {
  const { taskId, taskName, args, kwargs, enqueuedAt, unreadable } = letter;
  const envelope: Envelope = { task_id: taskId, task_name: taskName, args, kwargs, enqueued_at: enqueuedAt };
  const attributes: Record<string, string> = {
    [REASON]: letter.reason,
    [ATTEMPTS]: String(letter.attempts),
    [PATH]: cut(letter.path),
    [MESSAGE_ID]: cut(letter.messageId),
    [PARKED_AT]: new Date(letter.parkedAt).toISOString(),
    ...(letter.error === undefined ? {} : { [ERROR]: cut(letter.error) }),
  };
  const text = unreadable ?? JSON.stringify(envelope);
  return measured({ text, attributes, orderingKey: undefined }, LARGEST_REQUEST - ROOM);
}

/** As much of a text as an attribute holds, whole characters only. */
function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= LONGEST_VALUE) return text;
  let end = LONGEST_VALUE - 3;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${bytes.toString("utf8", 0, end)}…`;
}

/** The dead letter in a message, parked by us or forwarded by Pub/Sub, in the topic of a route. */
export function letterOf(message: PulledMessage, route: AnyRoute): DeadLetter {
  const attributes = message.attributes ?? {};
  const text = typeof message.data === "string" ? message.data : Buffer.from(message.data ?? []).toString();
  const messageId = attributes[MESSAGE_ID] ?? message.messageId ?? "";
  return {
    ...contentOf(text, messageId, route),
    path: attributes[PATH] ?? route.path,
    messageId,
    reason: REASONS.find((known) => known === attributes[REASON]) ?? "undeliverable",
    error: attributes[ERROR],
    attempts: Number(attributes[ATTEMPTS] ?? attributes[SOURCE_DELIVERIES]) || 0,
    parkedAt: parkedAt(attributes[PARKED_AT], message.publishTime),
  };
}

type Content = Pick<DeadLetter, "taskId" | "taskName" | "args" | "kwargs" | "enqueuedAt" | "unreadable">;

/** Whatever was published to the topic is forwarded by Pub/Sub, envelope or not. */
function contentOf(text: string, messageId: string, route: AnyRoute): Content {
  try {
    const parsed: unknown = JSON.parse(text);
    const { task_id, task_name, args, kwargs, enqueued_at } = decodeEnvelope(parsed);
    assertPlain(kwargs);
    return { taskId: task_id, taskName: task_name, args, kwargs, enqueuedAt: enqueued_at };
  } catch {
    return {
      taskId: messageId,
      taskName: route.name,
      args: [],
      kwargs: {},
      enqueuedAt: undefined,
      unreadable: text,
    };
  }
}

function parkedAt(given: string | undefined, published: PulledMessage["publishTime"]): number {
  const time = given === undefined ? Number.NaN : Date.parse(given);
  if (Number.isFinite(time)) return time;
  return Number(published?.seconds ?? 0) * 1000 + Math.floor((published?.nanos ?? 0) / 1e6);
}
