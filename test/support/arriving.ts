import type { Delivery, Transport } from "../../src/core/delivery.ts";

/** A delivery as a transport makes it, for the first time unless said otherwise. */
export function arrivingBy(transport: Transport, overrides: Partial<Delivery> & Pick<Delivery, "taskName">): Delivery {
  return {
    transport,
    taskId: "task-1",
    args: [],
    kwargs: {},
    enqueuedAt: "2026-01-01T00:00:00+00:00",
    messageId: "message-1",
    attempt: 1,
    scheduled: false,
    scheduledFor: undefined,
    publishTime: undefined,
    receivedAt: 0,
    attributes: {},
    ...overrides,
  };
}
