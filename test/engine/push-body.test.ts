import { describe, expect, it } from "vitest";
import type { OutgoingTask } from "../../src/core/backend.ts";
import { Message } from "../../src/engine/message.ts";
import { pushBody } from "../../src/engine/push-body.ts";
import { decodeDelivery } from "../../src/push/decode.ts";
import { laneOf, route } from "./scripted.ts";

const SUBSCRIPTION = "projects/myproject/subscriptions/mysubscription";
const PUBLISHED = Date.parse("2026-02-26T19:13:55.749Z");
const greet = route("accounts.greet", { schedule: "0 9 * * *" });

function message(overrides: Partial<OutgoingTask> = {}, scheduledFor?: Date): Message {
  const task: OutgoingTask = {
    id: "2f1b1c9e-7c4e-4b57-8a53-3c4f5a6b7c8d",
    route: greet,
    payloadJson: '{"name":"Zoë ✓","at":"2026-01-01T00:00:00.000Z"}',
    enqueuedAt: Date.parse("2026-02-26T19:13:55Z"),
    runAt: undefined,
    dedupe: undefined,
    priority: undefined,
    carriedAttempts: 0,
    ...overrides,
  };
  return new Message(task, laneOf(greet), 2070443601311540, PUBLISHED, scheduledFor);
}

function parsed(of: Message): { deliveryAttempt: number; message: Record<string, unknown> } {
  return JSON.parse(pushBody(of, SUBSCRIPTION));
}

function data(of: Message): unknown {
  return JSON.parse(Buffer.from(String(parsed(of).message.data), "base64").toString());
}

/** As the push handler of a service reads it. */
const delivered = (of: Message) => decodeDelivery(pushBody(of, SUBSCRIPTION), () => undefined, PUBLISHED);

describe("the body of a push", () => {
  // https://cloud.google.com/pubsub/docs/push#receive_push
  it("has the keys and types that Pub/Sub documents", () => {
    const sent = message();
    sent.sentBack = 1;
    expect(JSON.parse(pushBody(sent, SUBSCRIPTION))).toEqual({
      deliveryAttempt: 2,
      message: {
        attributes: { "taskroute-carried-attempts": "-1" },
        data: expect.stringMatching(/^[A-Za-z0-9+/]+={0,2}$/),
        messageId: "2070443601311540",
        message_id: "2070443601311540",
        publishTime: "2026-02-26T19:13:55.749Z",
        publish_time: "2026-02-26T19:13:55.749Z",
      },
      subscription: SUBSCRIPTION,
    });
  });

  it("leaves attributes out where there are none", () => {
    expect(Object.keys(parsed(message()).message)).toEqual([
      "data",
      "messageId",
      "message_id",
      "publishTime",
      "publish_time",
    ]);
  });

  it("carries the envelope", () => {
    expect(data(message())).toEqual({
      task_id: "2f1b1c9e-7c4e-4b57-8a53-3c4f5a6b7c8d",
      task_name: "greet",
      args: [],
      kwargs: { name: "Zoë ✓", at: "2026-01-01T00:00:00.000Z" },
      enqueued_at: "2026-02-26T19:13:55.000+00:00",
    });
  });

  it("carries the scheduler's fixed envelope for a tick", () => {
    const tick = message({ payloadJson: "{}" }, new Date("2026-02-26T19:13:00Z"));
    expect(data(tick)).toEqual({ task_id: "scheduled-greet", task_name: "greet", args: [], kwargs: {} });
    expect(delivered(tick)).toMatchObject({ scheduled: true, publishTime: "2026-02-26T19:13:55.749Z" });
  });

  it("is read by the push handler as what was sent", () => {
    expect(delivered(message())).toEqual({
      transport: "pubsub",
      taskId: "2f1b1c9e-7c4e-4b57-8a53-3c4f5a6b7c8d",
      taskName: "greet",
      args: [],
      kwargs: { name: "Zoë ✓", at: "2026-01-01T00:00:00.000Z" },
      enqueuedAt: "2026-02-26T19:13:55.000+00:00",
      messageId: "2070443601311540",
      attempt: 1,
      scheduled: false,
      scheduledFor: undefined,
      publishTime: "2026-02-26T19:13:55.749Z",
      receivedAt: PUBLISHED,
      attributes: {},
    });
  });

  it.each([
    { carried: 0, failures: 0, rejections: 0, sentBack: 0, deliveryAttempt: 1, attempt: 1 },
    { carried: 0, failures: 2, rejections: 0, sentBack: 0, deliveryAttempt: 3, attempt: 3 },
    { carried: 0, failures: 1, rejections: 0, sentBack: 5, deliveryAttempt: 7, attempt: 2 },
    { carried: 0, failures: 0, rejections: 3, sentBack: 0, deliveryAttempt: 4, attempt: 1 },
    { carried: 4, failures: 0, rejections: 0, sentBack: 0, deliveryAttempt: 1, attempt: 5 },
    { carried: 4, failures: 1, rejections: 1, sentBack: 2, deliveryAttempt: 5, attempt: 6 },
  ])(
    "counts every nack in deliveryAttempt ($deliveryAttempt), while the task sees attempt $attempt",
    ({ carried, failures, rejections, sentBack, deliveryAttempt, attempt }) => {
      const sent = message({ carriedAttempts: carried });
      sent.failures += failures;
      sent.rejections += rejections;
      sent.sentBack += sentBack;
      expect(parsed(sent).deliveryAttempt).toBe(deliveryAttempt);
      expect(delivered(sent).attempt).toBe(attempt);
    },
  );
});
