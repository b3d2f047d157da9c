import type { Clock } from "../core/clock.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Fault } from "./fault.ts";
import type { EngineHost } from "./host.ts";
import type { Message } from "./message.ts";

/** Delivers a message late, or not at all, as a fault wants it. What becomes of the answer is the dispatcher's to do. */
export async function disturbed(fault: Fault, message: Message, host: EngineHost, clock: Clock): Promise<Outcome> {
  const { mishap, latency } = fault;
  const { route, id } = message.task;
  if (mishap !== undefined || latency > 0)
    host.logger.info("a fault was injected", { task: route.path, taskId: id, fault: mishap ?? "latency", latency });
  if (latency > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, latency * 1000));
  return mishap === "failure" ? injectedFailure() : host.deliver(message);
}

/** An answer of 500 from something before the task. */
function injectedFailure(): Outcome {
  const error = new Error("a failure was injected before the task was run");
  error.name = "InjectedFailure";
  return { type: "failed", error, retryAfter: undefined };
}
