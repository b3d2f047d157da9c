import type { OutgoingTask, Receipt } from "../../src/core/backend.ts";
import type { AnyRoute } from "../../src/core/declaration.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { TaskContractOptions } from "../../src/core/route-options.ts";
import { isThenable } from "../../src/core/thenable.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { Faults } from "../../src/engine/fault.ts";
import type { EngineHost } from "../../src/engine/host.ts";
import { Lane } from "../../src/engine/lane.ts";
import type { Message } from "../../src/engine/message.ts";
import { type LogLine, recordLog } from "../support/log.ts";

export const done: Outcome = { type: "done", result: undefined };
export const rejected: Outcome = { type: "rejected", reason: "unknown-task", error: undefined };
export const denied: Outcome = { type: "denied", detail: "expected a token, got none" };
export const discarded: Outcome = { type: "discarded", reason: "discarded", error: new Error("no use") };

/** A run that failed; with `retryAfter`, one that asked for a delay of its own. */
export function failed(retryAfter?: number): Outcome {
  return { type: "failed", error: new Error("boom"), retryAfter };
}

/** A delivery that was sent back. */
export function busy(retryAfter: number): Outcome {
  return { type: "busy", reason: "task-busy", retryAfter };
}

/** A route without a payload of its own. */
export function route(
  path: string,
  options: Omit<TaskContractOptions<string, object, unknown>, "path" | "payload" | "schedulePayload"> = {},
): AnyRoute {
  return new TaskRoute({ ...options, path, run: () => {} });
}

/** A host of routes whose deliveries all succeed. */
export function hostOf(...routes: readonly AnyRoute[]): EngineHost {
  return { generation: 1, routes, logger: recordLog().logger, deliver: async () => done, skipped: () => {} };
}

/** The queue of a route that somebody runs. */
export function laneOf(to: AnyRoute): Lane {
  const lane = new Lane(to);
  lane.host = hostOf(to);
  return lane;
}

/** One delivery as it arrived. */
export interface Arrival {
  readonly path: string;
  readonly id: string;
  readonly attempt: number;
  readonly delivery: number;
  /** Seconds since the engine began. */
  readonly at: number;
}

/** How a task is published, besides its route. */
export interface Publication extends Partial<Pick<OutgoingTask, "id" | "dedupe" | "carriedAttempts">> {
  /** Seconds. */
  readonly delay?: number;
  readonly payload?: object;
}

/** An engine on virtual time, whose deliveries come to what `answer` says. */
export class ScriptedEngine {
  readonly clock: VirtualClock;
  readonly engine: Engine;
  readonly arrivals: Arrival[] = [];
  readonly lines: readonly LogLine[];
  readonly skipped: Date[] = [];
  readonly #begin: number;
  #published = 0;

  constructor(
    routes: readonly AnyRoute[],
    answer: (arrival: Arrival, message: Message) => Outcome | Promise<Outcome> = () => done,
    {
      maxInFlight,
      faults,
      clock = new VirtualClock(),
    }: { maxInFlight?: number; faults?: Faults; clock?: VirtualClock } = {},
  ) {
    this.clock = clock;
    this.#begin = clock.now();
    const { logger, lines } = recordLog();
    this.lines = lines;
    const host = {
      generation: 1,
      routes,
      logger,
      skipped: (_route: AnyRoute, tick: Date) => void this.skipped.push(tick),
      deliver: async (message: Message) => {
        const { id, route } = message.task;
        const { attempt, delivery } = message;
        const arrival = { path: route.path, id, attempt, delivery, at: this.seconds };
        this.arrivals.push(arrival);
        return answer(arrival, message);
      },
    };
    this.engine = new Engine(host, { clock, maxInFlight, faults });
  }

  /** Seconds since the engine began. */
  get seconds(): number {
    return (this.clock.now() - this.#begin) / 1000;
  }

  /** When deliveries arrived, in seconds since the engine began. */
  get times(): number[] {
    return this.arrivals.map(({ at }) => at);
  }

  publish(to: AnyRoute, { id, dedupe, carriedAttempts = 0, delay, payload = {} }: Publication = {}): Receipt {
    this.#published += 1;
    const now = this.clock.now();
    const receipt = this.engine.publish({
      id: id ?? `task-${this.#published}`,
      route: to,
      payloadJson: JSON.stringify(payload),
      enqueuedAt: now,
      runAt: delay === undefined ? undefined : now + delay * 1000,
      dedupe,
      priority: undefined,
      carriedAttempts,
    });
    if (isThenable(receipt)) throw new Error("expected an engine in memory, which takes a task at once");
    return receipt;
  }

  /** Lets time pass, in seconds. */
  pass(seconds: number): Promise<void> {
    return this.clock.advance(seconds * 1000);
  }

  /** Resolves after a while, in seconds of virtual time: for a delivery that takes time. */
  after(seconds: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimeout(resolve, seconds * 1000));
  }
}
