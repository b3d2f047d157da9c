import type { HeaderLookup } from "../core/auth.ts";
import type { AnyRoute } from "../core/declaration.ts";
import type { Delivery } from "../core/delivery.ts";
import { assertPlain, decodeEnvelope, isObject, isScheduledEnvelope } from "../core/envelope.ts";
import { TasksError } from "../core/errors.ts";
import { type BodyContent, parseBody, parseData } from "./body.ts";
import { dispatchedTask, scheduledCall } from "./cloud-tasks.ts";
import { isWrapped, unwrappedMessage, wrappedMessage } from "./pubsub.ts";
import type { TransportMessage } from "./transport.ts";

/** A message with its transport stripped off. */
interface Unwrapped {
  readonly message: TransportMessage | undefined;
  /** The parsed content; `undefined` when there was none. */
  readonly content: unknown;
}

/** Headers decide first: whatever comes with them is content, and content may well have a `message` of its own. */
function unwrap(body: BodyContent, header: HeaderLookup): Unwrapped {
  const parsed = parseBody(body);
  const message = dispatchedTask(header) ?? scheduledCall(header) ?? unwrappedMessage(header);
  if (message !== undefined || !isWrapped(parsed)) return { message, content: parsed };
  return { message: wrappedMessage(parsed), content: parseData(parsed.message.data) };
}

function anonymous(messageId: string): TransportMessage {
  return {
    transport: "pubsub",
    messageId,
    attempt: 1,
    scheduledFor: undefined,
    publishTime: undefined,
    attributes: {},
  };
}

/**
 * Reads a push request's body as a delivery of whichever route its envelope names.
 *
 * @throws TasksError `MALFORMED_MESSAGE`.
 */
export function decodeDelivery(body: BodyContent, header: HeaderLookup, receivedAt: number): Delivery {
  const { message, content } = unwrap(body, header);
  if (content === undefined) throw new TasksError("MALFORMED_MESSAGE", "message: expected an envelope, got no data");
  const envelope = decodeEnvelope(content);
  const transport = message ?? anonymous(envelope.task_id);
  return {
    transport: transport.transport,
    taskId: envelope.task_id,
    taskName: envelope.task_name,
    args: envelope.args,
    kwargs: envelope.kwargs,
    enqueuedAt: envelope.enqueued_at,
    messageId: transport.messageId,
    attempt: transport.attempt,
    dispatch: transport.dispatch,
    scheduled: isScheduledEnvelope(envelope),
    scheduledFor: transport.scheduledFor,
    publishTime: transport.publishTime,
    orderingKey: transport.orderingKey,
    receivedAt,
    attributes: transport.attributes,
  };
}

/**
 * Reads a push request's body as the payload of one route: for queues, jobs and topics whose messages know nothing of
 * envelopes. No body at all is the empty payload.
 *
 * @throws TasksError `MALFORMED_MESSAGE`.
 */
export function decodePayload(route: AnyRoute, body: BodyContent, header: HeaderLookup, receivedAt: number): Delivery {
  const { message, content = {} } = unwrap(body, header);
  if (!isObject(content))
    throw new TasksError("MALFORMED_MESSAGE", "message: expected an object or nothing, got something else");
  assertPlain(content);
  const transport = message ?? anonymous(crypto.randomUUID());
  return {
    ...transport,
    taskId: transport.messageId,
    taskName: route.name,
    args: [],
    kwargs: content,
    enqueuedAt: undefined,
    scheduled: transport.transport === "scheduler",
    receivedAt,
  };
}
