import { ActiveRun, abortMargin } from "./active-run.ts";
import type { Clock } from "./clock.ts";
import type { Config, Environment } from "./config.ts";
import { type DeadLetterSink, describeError, letterOf } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import { isBusy, isDiscard, isRetryAfter } from "./errors.ts";
import { callHook, type Hooks, startedEvent } from "./events.ts";
import { type Invocation, invoke } from "./invoke.ts";
import { isSwitchedOff } from "./kill-switch.ts";
import type { Logger } from "./logger.ts";
import { Ongoing } from "./ongoing.ts";
import { shown } from "./options.ts";
import type { BusyReason, Outcome, ParkReason } from "./outcome.ts";
import { logOutcome } from "./outcome-log.ts";
import { payloadOf, validatePayload } from "./payload.ts";
import { isPoolExhausted } from "./pool-exhaustion.ts";
import type { Registry } from "./registry.ts";
import { type Enqueue, RunContext } from "./run-context.ts";
import { Slots } from "./slots.ts";
import { isThenable } from "./thenable.ts";
import { identifyTick } from "./tick.ts";
import { within } from "./within.ts";

/** Seconds suggested to whoever is told to come back when nothing better is known. */
const RETRY_AFTER_S = 10;

/** How long a `ready` check may take before it counts as a no. */
const LONGEST_READY_MS = 5000;
/** Stands for an answer that did not come in time. */
const LATE = Symbol("late");

/** What an executor is given of its client. */
export interface ExecutorScope extends Invocation {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hooks: Hooks;
  readonly env: Environment;
  readonly enqueue: Enqueue;
  config(): Config;
  /** Where this client parks tasks; `undefined` when nothing of its own can keep them. */
  sink(delivery: Delivery): DeadLetterSink | undefined;
  /** Whether the service can take work, see `createTasks({ ready })`. */
  readonly ready: (() => boolean | Promise<boolean>) | undefined;
}

export function busy(reason: BusyReason, retryAfter: number = RETRY_AFTER_S): Outcome {
  return { type: "busy", reason, retryAfter };
}

function invalidPayload(error: unknown): Outcome {
  return { type: "rejected", reason: "invalid-payload", error };
}

/** The one path on which every delivery of every backend is run. */
export class Executor {
  readonly #scope: ExecutorScope;
  readonly #slots = new Map<AnyRoute, Slots>();
  readonly #ongoing: Ongoing;
  #draining = false;

  constructor(scope: ExecutorScope) {
    this.#scope = scope;
    this.#ongoing = new Ongoing(scope.clock);
    for (const route of scope.registry.routes) {
      const size = route.settings.maxConcurrency;
      if (size !== undefined) this.#slots.set(route, new Slots(size, scope.clock, route.settings.ackDeadline * 1000));
    }
  }

  /** Runs under way. */
  get running(): number {
    return this.#ongoing.runs.size;
  }

  /** Whether a delivery may come in at all: `undefined`, or the outcome that sends it away. Decided before its body is read. */
  admit(): Outcome | undefined | Promise<Outcome | undefined> {
    if (this.#draining) return busy("draining");
    if (this.#scope.ready === undefined) return undefined;
    return this.#admitWhenReady(this.#scope.ready);
  }

  async #admitWhenReady(ready: () => boolean | Promise<boolean>): Promise<Outcome | undefined> {
    try {
      const taken = await within(this.#scope.clock, LONGEST_READY_MS, Promise.resolve(ready()), () => false);
      return taken ? undefined : busy("not-ready");
    } catch (error) {
      this.#scope.logger.warn("the ready check threw; deliveries are sent back", { error: describeError(error) });
      return busy("not-ready");
    }
  }

  /**
   * Takes part in a delivery: `close` waits for it, from here until `leave`, so that what it came to is kept and answered
   * before the backend is gone.
   */
  enter(): void {
    this.#ongoing.enter();
  }

  /** See {@link Executor.enter}. */
  leave(): void {
    this.#ongoing.leave();
  }

  /** Looks up, validates, takes a slot, runs. Never rejects. */
  async execute(
    arrived: Delivery,
    route: AnyRoute | undefined = this.#scope.registry.find(arrived.taskName),
  ): Promise<Outcome> {
    if (route?.run === undefined) {
      this.#scope.logger.error("a delivery was rejected", {
        reason: "unknown-task",
        task: shown(arrived.taskName),
        taskId: arrived.taskId,
      });
      return { type: "rejected", reason: "unknown-task", error: undefined };
    }
    this.enter();
    try {
      const delivery = arrived.scheduled ? await this.#identified(arrived, route) : arrived;
      const outcome = await this.#executeRoute(delivery, route);
      this.#report(delivery, route, outcome);
      return outcome;
    } finally {
      this.leave();
    }
  }

  #executeRoute(delivery: Delivery, route: AnyRoute): Outcome | Promise<Outcome> {
    if (isSwitchedOff(route, this.#scope.env)) return this.#switchedOff(delivery, route);
    let payload: unknown;
    try {
      payload = validatePayload(route, payloadOf(route, delivery.args, delivery.kwargs));
    } catch (error) {
      return invalidPayload(error);
    }
    if (!isThenable(payload)) return this.#runInSlot(delivery, route, payload);
    return this.#validatedInTime(delivery, route, payload);
  }

  /** A schema that asks somebody else has until the deadline, and never counts as the task's own failure. */
  async #validatedInTime(delivery: Delivery, route: AnyRoute, checking: PromiseLike<unknown>): Promise<Outcome> {
    const { clock } = this.#scope;
    const ackDeadlineMs = route.settings.ackDeadline * 1000;
    const left = delivery.receivedAt + ackDeadlineMs - abortMargin(ackDeadlineMs) - clock.now();
    let payload: unknown;
    try {
      payload = await within<unknown>(clock, left, checking, () => LATE);
    } catch (error) {
      return invalidPayload(error);
    }
    return payload === LATE ? busy("not-ready") : this.#runInSlot(delivery, route, payload);
  }

  #runInSlot(delivery: Delivery, route: AnyRoute, payload: unknown): Outcome | Promise<Outcome> {
    // Draining may have begun since the delivery was admitted, while its body was read or checked.
    if (this.#draining) return busy("draining");
    const slots = this.#slots.get(route);
    return slots === undefined
      ? this.#run(delivery, route, payload, undefined)
      : this.#waitForSlot(delivery, route, payload, slots);
  }

  async #waitForSlot(delivery: Delivery, route: AnyRoute, payload: unknown, slots: Slots): Promise<Outcome> {
    const taken = slots.acquire();
    if (!(taken === true || (await taken))) return busy(this.#draining ? "draining" : "no-slot");
    return this.#draining ? busy("draining") : this.#run(delivery, route, payload, slots);
  }

  async #identified(delivery: Delivery, route: AnyRoute): Promise<Delivery> {
    try {
      return await identifyTick(delivery, route, this.#scope.config());
    } catch (error) {
      this.#scope.logger.warn("a tick could not be told apart; its message id stands for it", {
        task: route.path,
        error: describeError(error),
      });
      return { ...delivery, taskId: delivery.messageId };
    }
  }

  /** Runs, but waits no longer than the deadline. The slot stays taken until the run settles or is abandoned. */
  #run(delivery: Delivery, route: AnyRoute, payload: unknown, slots: Slots | undefined): Outcome | Promise<Outcome> {
    const run = new ActiveRun(delivery.receivedAt, route.settings.ackDeadline * 1000);
    const context = new RunContext(route, delivery, run, this.#scope);
    this.#ongoing.runs.add(run);
    this.#started(delivery, route);
    let work: unknown;
    try {
      work = invoke(this.#scope, route, payload, context);
      if (!isThenable(work)) {
        this.#leave(run, slots);
        return { type: "done", result: work };
      }
    } catch (error) {
      this.#leave(run, slots);
      return this.#failed(delivery, route, run, error);
    }
    return new Promise((resolve) => {
      const leave = () => this.#leave(run, slots);
      run.watch(() => resolve(this.#failed(delivery, route, run, run.abortReason)), leave);
      Promise.resolve(work).then(
        (result) => {
          leave();
          resolve({ type: "done", result });
        },
        (error: unknown) => {
          leave();
          resolve(this.#failed(delivery, route, run, error));
        },
      );
    });
  }

  #leave(run: ActiveRun, slots: Slots | undefined): void {
    if (this.#ongoing.end(run)) slots?.release();
  }

  async #failed(delivery: Delivery, route: AnyRoute, run: ActiveRun, error: unknown): Promise<Outcome> {
    if (run.isShutDown) return busy("draining");
    if (isBusy(error)) return busy("task-busy", error.retryAfter);
    if (isPoolExhausted(error)) return busy("pool-exhausted");
    if (isDiscard(error)) return this.#park(delivery, route, "discarded", error);
    if (delivery.attempt >= route.settings.maxAttempts) return this.#park(delivery, route, "exhausted", error);
    return { type: "failed", error, retryAfter: isRetryAfter(error) ? error.seconds : undefined };
  }

  #switchedOff(delivery: Delivery, route: AnyRoute): Outcome | Promise<Outcome> {
    if (delivery.scheduled || route.settings.killSwitch?.onDemand === "skip")
      return { type: "skipped", reason: "switched-off" };
    if (this.#scope.sink(delivery) === undefined) return busy("switched-off", 60);
    return this.#park(delivery, route, "switched-off", undefined);
  }

  /** Acknowledged only once the dead letter is kept; without a place to keep it the message stays with the transport. */
  async #park(delivery: Delivery, route: AnyRoute, reason: ParkReason, error: unknown): Promise<Outcome> {
    const sink = this.#scope.sink(delivery);
    if (sink === undefined) return { type: "failed", error, retryAfter: undefined };
    try {
      await sink.park(letterOf(delivery, route, reason, error, this.#scope.clock.now()));
    } catch (failure) {
      this.#scope.logger.error("a dead letter could not be kept; the message is not acknowledged", {
        task: route.path,
        taskId: delivery.taskId,
        error: describeError(failure),
      });
      return { type: "failed", error, retryAfter: undefined };
    }
    return { type: "discarded", reason, error };
  }

  #started(delivery: Delivery, route: AnyRoute): void {
    const { hooks, logger } = this.#scope;
    if (hooks.started !== undefined) callHook(hooks.started, startedEvent(delivery, route), logger);
  }

  #report(delivery: Delivery, route: AnyRoute, outcome: Outcome): void {
    const { clock, hooks, logger } = this.#scope;
    if (outcome.type !== "done") logOutcome(logger, delivery, route, outcome);
    if (hooks.finished === undefined) return;
    const event = { ...startedEvent(delivery, route), outcome, duration: clock.now() - delivery.receivedAt };
    callHook(hooks.finished, event, logger);
  }

  /**
   * Stops taking work, waits `timeoutMs` for what runs, then aborts the signals and waits `graceMs` more. Resolves to the
   * number of runs that would not end; they stay unacknowledged and come again.
   */
  async drain(timeoutMs: number, graceMs: number): Promise<number> {
    this.#draining = true;
    for (const slots of this.#slots.values()) slots.dismiss();
    if (!(await this.#ongoing.idleWithin(timeoutMs))) {
      for (const run of this.#ongoing.runs) run.shutDown();
      await this.#ongoing.idleWithin(graceMs);
    }
    this.#ongoing.runs.stop();
    return this.#ongoing.runs.size;
  }
}
