import type { BackendHost } from "../core/backend.ts";
import type { Delivery } from "../core/delivery.ts";
import type { EngineHost } from "./host.ts";
import type { Message } from "./message.ts";

/** The host of an engine that delivers straight to the tasks of this process. */
export function inProcessHost({ generation, registry, clock, logger, execute, skipped }: BackendHost): EngineHost {
  return {
    generation,
    routes: registry.routes,
    logger,
    // The lane's route, not the message's: a message may be older than the module that runs it.
    deliver: (message) => execute(deliveryOf(message, clock.now()), message.lane.route),
    skipped,
  };
}

/** A message as it arrives. */
function deliveryOf(message: Message, now: number): Delivery {
  const { task } = message;
  return {
    transport: "local",
    taskId: task.id,
    taskName: task.route.name,
    args: [],
    kwargs: JSON.parse(task.payloadJson) as Record<string, unknown>,
    enqueuedAt: message.scheduledFor === undefined ? task.enqueuedAt : undefined,
    messageId: message.messageId,
    attempt: message.attempt,
    scheduled: message.scheduledFor !== undefined,
    scheduledFor: message.scheduledFor,
    publishTime: undefined,
    orderingKey: task.orderingKey,
    receivedAt: now,
    attributes: {},
  };
}
