import { createIdentity } from "../../src/engine/identity.ts";
import { AUDIENCE, type Credentials, EMAIL, PUSH_PATH } from "./service.ts";

/** Bytes of the envelope: a payload of a dozen fields. */
const ENVELOPE_BYTES = 600;

/** One push as Pub/Sub sends it, and what a server needs to trust it. */
export interface PushMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly credentials: Credentials;
}

function envelope(note: string): string {
  return JSON.stringify({
    task_id: "0f8fad5b-d9cb-469f-a165-70867728950e",
    task_name: "sendWelcomeEmail",
    args: [],
    kwargs: {
      userId: "8c1f0d52-6f0e-4f6f-9f55-3b8f6c6f7f10",
      email: "ada.lovelace@example.com",
      locale: "en",
      plan: { name: "team", seats: 12, trial: true },
      tags: ["newsletter", "beta", "referral"],
      note,
    },
    enqueued_at: "2026-01-15T10:30:00.000+00:00",
  });
}

/** The wrapped form, cloud.google.com/pubsub/docs/push#receive_push. */
function pushBody(): string {
  const data = Buffer.from(envelope("x".repeat(ENVELOPE_BYTES - envelope("").length)));
  if (data.length !== ENVELOPE_BYTES) throw new Error(`envelope: expected ${ENVELOPE_BYTES} bytes, got ${data.length}`);
  return JSON.stringify({
    deliveryAttempt: 1,
    message: {
      attributes: {},
      data: data.toString("base64"),
      messageId: "13284915573619431",
      message_id: "13284915573619431",
      publishTime: "2026-01-15T10:30:00.123Z",
      publish_time: "2026-01-15T10:30:00.123Z",
    },
    subscription: "projects/p/subscriptions/dev--app.tasks--accounts.sendWelcomeEmail-sub",
  });
}

/** Signs a token with a key of its own, valid for an hour. */
export async function createPushMessage(): Promise<PushMessage> {
  const identity = await createIdentity({ email: EMAIL });
  const token = identity.token({ audience: AUDIENCE, issuedAt: new Date() });
  const body = pushBody();
  return {
    body,
    headers: {
      host: "service.example",
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(body)),
      accept: "application/json",
      "accept-encoding": "gzip, deflate, br",
      authorization: `Bearer ${token}`,
      from: "noreply@google.com",
      "user-agent": "CloudPubSub-Google",
    },
    credentials: await identity.certificates(),
  };
}

/** The request as it goes over the wire. */
export function wireForm({ headers, body }: PushMessage): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`POST ${PUSH_PATH} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
}
