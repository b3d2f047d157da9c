import type { OutgoingTask } from "../core/backend.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { SCHEDULED_PREFIX } from "../core/envelope.ts";

/** The task that a schedule enqueues for a tick. */
export function tickTask(route: AnyRoute, tick: Date, now: number): OutgoingTask {
  return {
    // Seen only in the dead letter of a tick that nobody could take, where it must differ from tick to tick.
    id: `${SCHEDULED_PREFIX}${route.name}-${tick.toISOString().replace(/[-:]|\.\d+/g, "")}`,
    route,
    payloadJson: JSON.stringify(route.settings.schedulePayload),
    enqueuedAt: now,
    runAt: undefined,
    dedupe: undefined,
    priority: undefined,
    carriedAttempts: 0,
  };
}
