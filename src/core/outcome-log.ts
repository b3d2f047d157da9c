import { loggableError } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import type { Logger } from "./logger.ts";
import type { Outcome } from "./outcome.ts";

/** One line for each delivery that did not simply succeed; never its payload. */
export function logOutcome(logger: Logger, delivery: Delivery, route: AnyRoute, outcome: Outcome): void {
  const fields = {
    task: route.path,
    taskId: delivery.taskId,
    attempt: delivery.attempt,
    maxAttempts: route.settings.maxAttempts,
  };
  switch (outcome.type) {
    case "failed":
      logger.warn("a task failed and will be retried", { ...fields, error: loggableError(outcome.error) });
      return;
    case "discarded":
      logger.error("a task was parked as a dead letter", {
        ...fields,
        reason: outcome.reason,
        ...(outcome.error === undefined ? {} : { error: loggableError(outcome.error) }),
      });
      return;
    case "rejected":
      logger.error("a delivery was rejected", {
        ...fields,
        reason: outcome.reason,
        error: loggableError(outcome.error),
      });
      return;
    case "busy":
      logger.warn("a delivery was sent back", { ...fields, reason: outcome.reason });
      return;
    case "skipped":
      logger.info("a run was skipped", { ...fields, reason: outcome.reason });
      return;
    case "done":
    case "denied":
    case "refused":
      return;
  }
}
