import type { Fault, Faults, Mishap } from "../engine/fault.ts";
import type { Message } from "../engine/message.ts";

interface Plan {
  readonly mishap: Mishap;
  /** Path of the route that is hit; `undefined` for any. */
  readonly path: string | undefined;
}

/** Faults that a test asks for, each for one delivery, in the order in which it asks. */
export class ScriptedFaults implements Faults {
  #plans: readonly Plan[] = [];
  readonly #underWay = new Map<Message, { mishap: Mishap | undefined; readonly latency: number }>();

  /** Lets something go wrong with the next delivery that nothing is planned for yet. */
  plan(mishap: Mishap, path?: string): void {
    this.#plans = [...this.#plans, { mishap, path }];
  }

  next(message: Message): Fault {
    const plan = this.#plans.find(({ path }) => path === undefined || path === message.lane.route.path);
    this.#plans = this.#plans.filter((other) => other !== plan);
    const fault = { mishap: plan?.mishap, latency: 0 };
    this.#underWay.set(message, fault);
    return fault;
  }

  /** What goes wrong with a delivery under way. */
  of(message: Message): Mishap | undefined {
    return this.#underWay.get(message)?.mishap;
  }

  /** A process dies: no delivery under way will be acknowledged. */
  crashAll(): void {
    for (const fault of this.#underWay.values()) fault.mishap = "crash";
  }

  /** A delivery has ended; tells what went wrong with it. */
  end(message: Message): Mishap | undefined {
    const mishap = this.of(message);
    this.#underWay.delete(message);
    return mishap;
  }
}
