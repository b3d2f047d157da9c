import { ActiveRun, abortMargin } from "./active-run.ts";
import type { Config, Environment } from "./config.ts";
import { describeError } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import { isBusy, isDiscard, isRetryAfter, TasksError } from "./errors.ts";
import { callHook, type Hooks, startedEvent } from "./events.ts";
import { isLate, isSpent } from "./headroom.ts";
import { type Invocation, invoke } from "./invoke.ts";
import { isSwitchedOff } from "./kill-switch.ts";
import { Ongoing } from "./ongoing.ts";
import { shown } from "./options.ts";
import { busy, isSettled, type Outcome, type ParkReason } from "./outcome.ts";
import { logOutcome } from "./outcome-log.ts";
import { Parking, type ParkingScope } from "./parking.ts";
import { payloadOf, validatePayload } from "./payload.ts";
import { isPoolExhausted } from "./pool-exhaustion.ts";
import { busyUnless, type Ready } from "./readiness.ts";
import { type Enqueue, RunContext } from "./run-context.ts";
import { Slots } from "./slots.ts";
import { isThenable } from "./thenable.ts";
import { identifyTick } from "./tick.ts";
import { within } from "./within.ts";

/** Stands for an answer that did not come in time. */
const LATE = Symbol("late");

/** What an executor is given of its client. */
export interface ExecutorScope extends Invocation, ParkingScope {
  readonly hooks: Hooks;
  readonly env: Environment;
  readonly enqueue: Enqueue;
  config(): Config;
  /** Has the backend create a delivered task anew, with the attempts it has used carried along; whether it did. Never rejects. */
  createAnew(delivery: Delivery, route: AnyRoute, used: number): Promise<boolean>;
  /** Whether the service can take work, see `createTasks({ ready })`. */
  readonly ready: Ready | undefined;
}

function invalidPayload(error: unknown): Outcome {
  return { type: "rejected", reason: "invalid-payload", error };
}

/** Why a task has no attempt left although none of them was answered for. */
function unanswered({ attempt }: Delivery, { path, settings: { maxAttempts } }: AnyRoute): TasksError {
  return new TasksError(
    "TIMEOUT",
    `task "${path}": expected an answer to attempt ${maxAttempts}, its last, got attempt ${attempt}: its process ended, or its dead letter could not be kept; see what the task did before it is redriven`,
  );
}

/** The one path on which every delivery of every backend is run. */
export class Executor {
  readonly #scope: ExecutorScope;
  readonly #slots = new Map<AnyRoute, Slots>();
  readonly #ongoing: Ongoing;
  /** Where dead letters go. */
  readonly parking: Parking;
  #draining = false;

  constructor(scope: ExecutorScope) {
    this.#scope = scope;
    this.parking = new Parking(scope);
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
    return this.#scope.ready === undefined ? undefined : busyUnless(this.#scope.ready, this.#scope);
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
    this.enter();
    try {
      if (route?.run === undefined) return await this.#unknown(arrived, route);
      const delivery = arrived.scheduled ? await this.#identified(arrived, route) : arrived;
      const came = await this.#executeRoute(delivery, route);
      const outcome = isSettled(came) ? came : await this.#secured(delivery, route, came);
      this.#report(delivery, route, outcome);
      return outcome;
    } finally {
      this.leave();
    }
  }

  #unknown(arrived: Delivery, route: AnyRoute | undefined): Promise<Outcome> {
    const { taskId, taskName } = arrived;
    const fields = { reason: "unknown-task", task: shown(taskName), taskId };
    this.#scope.logger.error("a delivery was rejected", fields);
    return this.parking.rejected(arrived, route, { type: "rejected", reason: "unknown-task", error: undefined });
  }

  #executeRoute(delivery: Delivery, route: AnyRoute): Outcome | Promise<Outcome> {
    if (isSwitchedOff(route, this.#scope.env)) return this.#switchedOff(delivery, route);
    if (isSpent(delivery, route)) return this.#park(delivery, route, "exhausted", unanswered(delivery, route));
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
    return isLate(delivery, route) ? this.#anew(delivery, route, payload) : this.#runNow(delivery, route, payload);
  }

  /** A task that its queue may soon delete is not run: a run that ends the process could not bring it to safety. */
  async #anew(delivery: Delivery, route: AnyRoute, payload: unknown): Promise<Outcome> {
    return (await this.createAnew(delivery, route)) ?? this.#runNow(delivery, route, payload);
  }

  /** Puts another message in the place of a delivered one; `undefined` where that cannot be done. Never rejects. */
  async createAnew(
    delivery: Delivery,
    route: AnyRoute,
    used: number = delivery.attempt - 1,
  ): Promise<Outcome | undefined> {
    const created = await this.#scope.createAnew(delivery, route, used);
    return created ? { type: "skipped", reason: "created-anew" } : undefined;
  }

  /** What is not acknowledged comes again, unless its queue may delete it before: then it is parked, or created anew. */
  async #secured(delivery: Delivery, route: AnyRoute, came: Outcome): Promise<Outcome> {
    if (!isLate(delivery, route)) return came;
    const outcome = came.type === "rejected" ? await this.parking.rejected(delivery, route, came) : came;
    const failed = outcome.type === "failed";
    // One with a delay of its own is created anew by whoever answers for it.
    if (isSettled(outcome) || (failed && outcome.retryAfter !== undefined)) return outcome;
    return (await this.createAnew(delivery, route, failed ? delivery.attempt : undefined)) ?? outcome;
  }

  #runNow(delivery: Delivery, route: AnyRoute, payload: unknown): Outcome | Promise<Outcome> {
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
    const isTick = delivery.scheduled || delivery.scheduledFor !== undefined;
    if (isTick || route.settings.killSwitch?.onDemand === "skip") return { type: "skipped", reason: "switched-off" };
    if (this.#scope.sink(delivery) === undefined) return busy("switched-off", 60);
    return this.#park(delivery, route, "switched-off", undefined);
  }

  async #park(delivery: Delivery, route: AnyRoute, reason: ParkReason, error: unknown): Promise<Outcome> {
    const parked = await this.parking.park(delivery, route, reason, error);
    return parked ?? { type: "failed", error, retryAfter: undefined };
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
