import type { AnyRoute, RouteRef } from "../core/declaration.ts";
import { assertKnownOptions, OptionReader } from "../core/options.ts";
import { Lane } from "../engine/lane.ts";
import { Message } from "../engine/message.ts";
import { pushBody } from "../engine/push-body.ts";
import { impostor, signer, testIdentity } from "./test-identity.ts";

/** What a push request of a test says of itself; every option is optional. */
export interface PushRequestOptions {
  /** Task id. Default: a fresh UUID. Without meaning beside `scheduledFor`, where the tick decides. */
  readonly id?: string;
  /** Id of the Pub/Sub message. Default: a fresh number. Two pushes of one id are two deliveries of one message. */
  readonly messageId?: string;
  /** Which delivery it is, from 1: Pub/Sub's `deliveryAttempt`. Default 1. */
  readonly attempt?: number;
  /** Attributes of the Pub/Sub message. Default none. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** When the message was published. Default: now, or `scheduledFor`. */
  readonly publishTime?: Date;
  /** Makes it the message of a scheduler for this tick. Default: a task that was enqueued. */
  readonly scheduledFor?: Date;
  /** Name of the subscription. Default `projects/test/subscriptions/` and the path. */
  readonly subscription?: string;
  /** The audience that the token is made out to. Default that of {@link testIdentity}. */
  readonly audience?: string;
  /**
   * The token: a good one (default), one that expired an hour ago, one of the same claims under a key that nobody trusts, or
   * none.
   */
  readonly token?: "valid" | "expired" | "foreign" | "none";
}

/** A push request: what `fetch(url, push)`, `new Request(url, push)` and most test clients take. */
export interface TestPush {
  readonly method: "POST";
  readonly headers: Readonly<Record<string, string>>;
  /** Pub/Sub's wrapped body, as JSON. */
  readonly body: string;
}

const OPTIONS = [
  "id",
  "messageId",
  "attempt",
  "attributes",
  "publishTime",
  "scheduledFor",
  "subscription",
  "audience",
  "token",
] as const satisfies readonly (keyof PushRequestOptions)[];

const HOUR_MS = 3_600_000;

let lastNumber = 0;

/**
 * Makes the request with which Pub/Sub would push a task, signed by {@link testIdentity}, to test one's own endpoint. A
 * client of `createTestTasks` lets it in, and so does `auth: testIdentity.oidc()`; whoever asks for a token and does not
 * trust that very key answers 403. The payload is sent as it is, unchecked, so that a wrong one can be tried as well. Times are the machine's,
 * by which tokens are judged.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export async function pushRequest<I>(
  route: AnyRoute & RouteRef<string, I>,
  payload: NoInfer<I>,
  options: PushRequestOptions = {},
): Promise<TestPush> {
  assertKnownOptions("pushRequest", options, OPTIONS);
  const read = new OptionReader("pushRequest", options);
  read.number("attempt", { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true }, 1);
  // A misspelled kind must not pass for a good token.
  read.oneOf("token", ["valid", "expired", "foreign", "none"]);
  const { token = "valid", audience = testIdentity.audience } = options;
  const headers = { "content-type": "application/json" };
  const body = bodyOf(route, payload, options);
  if (token === "none") return { method: "POST", headers, body };
  return { method: "POST", headers: { ...headers, authorization: `Bearer ${await signed(token, audience)}` }, body };
}

async function signed(token: "valid" | "expired" | "foreign", audience: string): Promise<string> {
  const identity = await (token === "foreign" ? impostor() : signer());
  // Tokens live for an hour.
  return identity.token({ audience, issuedAt: new Date(Date.now() - (token === "expired" ? 2 * HOUR_MS : 0)) });
}

function bodyOf(route: AnyRoute, payload: unknown, options: PushRequestOptions): string {
  const { attempt = 1, scheduledFor, publishTime = scheduledFor ?? new Date(), id = crypto.randomUUID() } = options;
  const task = {
    id,
    route,
    payloadJson: JSON.stringify(payload),
    enqueuedAt: publishTime.getTime(),
    runAt: undefined,
    dedupe: undefined,
    priority: undefined,
    carriedAttempts: 0,
  };
  // As Pub/Sub's: numbers of 16 digits.
  lastNumber = Math.max(lastNumber + 1, Date.now() * 1000);
  const message = new Message(task, new Lane(route), lastNumber, publishTime.getTime(), scheduledFor);
  message.failures = attempt - 1;
  const { subscription = `projects/test/subscriptions/${route.path}`, attributes, messageId } = options;
  const push = JSON.parse(pushBody(message, subscription)) as { message: Record<string, unknown> };
  if (attributes !== undefined) push.message.attributes = attributes;
  if (messageId !== undefined) Object.assign(push.message, { messageId, message_id: messageId });
  return JSON.stringify(push);
}
