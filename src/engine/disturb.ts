import type { Clock, TimerHandle } from "../core/clock.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Fault } from "./fault.ts";
import type { Message } from "./message.ts";

/** Delivers messages late, or not at all, as faults want it. What becomes of the answer is the dispatcher's to do. */
export class Disturbance {
  readonly #clock: Clock;
  /** What ends the way of a message that is late, and the timer that it waits for. */
  readonly #underWay = new Map<() => void, TimerHandle>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves to `undefined` when the message was not delivered: nobody runs its route any more. */
  async deliver({ mishap, latency }: Fault, message: Message): Promise<Outcome | undefined> {
    const { route, id } = message.task;
    if (mishap !== undefined || latency > 0)
      message.lane.host?.logger.info("a fault was injected", {
        task: route.path,
        taskId: id,
        fault: mishap ?? "latency",
        latency,
      });
    if (latency > 0) await this.#late(latency);
    const { host } = message.lane;
    if (host === undefined || this.#closed || message.isFinished) return undefined;
    return mishap === "failure" ? injectedFailure() : host.deliver(message);
  }

  /** Lets nothing arrive any more, and leaves no timer. */
  close(): void {
    this.#closed = true;
    for (const [arrive, timer] of this.#underWay) {
      this.#clock.clearTimeout(timer);
      arrive();
    }
    this.#underWay.clear();
  }

  #late(seconds: number): Promise<void> {
    return new Promise((resolve) => {
      const arrive = () => {
        this.#underWay.delete(arrive);
        resolve();
      };
      this.#underWay.set(arrive, this.#clock.setTimeout(arrive, seconds * 1000));
    });
  }
}

/** An answer of 500 from something before the task. */
function injectedFailure(): Outcome {
  const error = new Error("a failure was injected before the task was run");
  error.name = "InjectedFailure";
  return { type: "failed", error, retryAfter: undefined };
}
