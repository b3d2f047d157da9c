import { ActiveRun } from "./active-run.ts";
import type { Clock } from "./clock.ts";
import type { Config, Environment } from "./config.ts";
import { type DeadLetterSink, describeError, letterOf } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import { isBusy, isDiscard, isRetryAfter } from "./errors.ts";
import { callHook, type Hooks } from "./events.ts";
import { type Invocation, invoke } from "./invoke.ts";
import { isSwitchedOff } from "./kill-switch.ts";
import type { Logger } from "./logger.ts";
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

/** Seconds suggested to whoever is told to come back when nothing better is known. */
const RETRY_AFTER_S = 10;

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

type Ended = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly error: unknown };

/** The one path on which every delivery of every backend is run. */
export class Executor {
  readonly #scope: ExecutorScope;
  readonly #slots = new Map<AnyRoute, Slots>();
  readonly #active = new Set<ActiveRun>();
  #idle: (() => void) | undefined;
  #draining = false;

  constructor(scope: ExecutorScope) {
    this.#scope = scope;
    for (const route of scope.registry.routes) {
      const size = route.settings.maxConcurrency;
      if (size !== undefined) this.#slots.set(route, new Slots(size, scope.clock, route.settings.ackDeadline * 1000));
    }
  }

  /** Runs under way. */
  get running(): number {
    return this.#active.size;
  }

  /** Whether a delivery may come in at all: `undefined`, or the outcome that sends it away. Decided before its body is read. */
  admit(): Outcome | undefined | Promise<Outcome | undefined> {
    if (this.#draining) return busy("draining");
    if (this.#scope.ready === undefined) return undefined;
    return this.#admitWhenReady(this.#scope.ready);
  }

  async #admitWhenReady(ready: () => boolean | Promise<boolean>): Promise<Outcome | undefined> {
    try {
      return (await ready()) ? undefined : busy("not-ready");
    } catch (error) {
      this.#scope.logger.warn("the ready check threw; deliveries are sent back", { error: describeError(error) });
      return busy("not-ready");
    }
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
    const delivery = arrived.scheduled ? await this.#identified(arrived, route) : arrived;
    const outcome = await this.#executeRoute(delivery, route);
    this.#report(delivery, route, outcome);
    return outcome;
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
    return Promise.resolve(payload).then((settled) => this.#runInSlot(delivery, route, settled), invalidPayload);
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

  async #run(delivery: Delivery, route: AnyRoute, payload: unknown, slots: Slots | undefined): Promise<Outcome> {
    const { clock, hooks, logger } = this.#scope;
    const run = new ActiveRun(clock, delivery.receivedAt, route.settings.ackDeadline * 1000);
    const context = new RunContext(route, delivery, run, this.#scope);
    this.#active.add(run);
    if (hooks.started !== undefined) {
      callHook(
        hooks.started,
        {
          taskId: delivery.taskId,
          name: route.name,
          path: route.path,
          attempt: delivery.attempt,
          maxAttempts: route.settings.maxAttempts,
          messageId: delivery.messageId,
          scheduledFor: delivery.scheduledFor,
        },
        logger,
      );
    }
    const ended = await this.#settled(run, slots, () => invoke(this.#scope, route, payload, context));
    return ended.ok ? { type: "done", result: ended.result } : this.#failed(delivery, route, run, ended.error);
  }

  /** Waits for the run, but no longer than its deadline. Its slot stays taken until it settles or is abandoned. */
  #settled(run: ActiveRun, slots: Slots | undefined, start: () => unknown): Ended | Promise<Ended> {
    const leave = () => {
      run.settle();
      if (!this.#active.delete(run)) return;
      slots?.release();
      if (this.#active.size === 0) this.#idle?.();
    };
    let work: unknown;
    try {
      work = start();
    } catch (error) {
      leave();
      return { ok: false, error };
    }
    if (!isThenable(work)) {
      leave();
      return { ok: true, result: work };
    }
    return new Promise((resolve) => {
      run.watch(() => resolve({ ok: false, error: run.abortReason }), leave);
      Promise.resolve(work).then(
        (result) => {
          leave();
          resolve({ ok: true, result });
        },
        (error: unknown) => {
          leave();
          resolve({ ok: false, error });
        },
      );
    });
  }

  #failed(delivery: Delivery, route: AnyRoute, run: ActiveRun, error: unknown): Outcome | Promise<Outcome> {
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

  #report(delivery: Delivery, route: AnyRoute, outcome: Outcome): void {
    const { clock, hooks, logger } = this.#scope;
    if (outcome.type !== "done") logOutcome(logger, delivery, route, outcome);
    if (hooks.finished === undefined) return;
    callHook(
      hooks.finished,
      {
        taskId: delivery.taskId,
        name: route.name,
        path: route.path,
        attempt: delivery.attempt,
        maxAttempts: route.settings.maxAttempts,
        messageId: delivery.messageId,
        scheduledFor: delivery.scheduledFor,
        outcome,
        duration: clock.now() - delivery.receivedAt,
      },
      logger,
    );
  }

  /**
   * Stops taking work, waits `timeoutMs` for what runs, then aborts the signals and waits `graceMs` more. Resolves to the
   * number of runs that would not end; they stay unacknowledged and come again.
   */
  async drain(timeoutMs: number, graceMs: number): Promise<number> {
    this.#draining = true;
    for (const slots of this.#slots.values()) slots.dismiss();
    if (await this.#idleWithin(timeoutMs)) return 0;
    for (const run of this.#active) run.shutDown();
    await this.#idleWithin(graceMs);
    return this.#active.size;
  }

  #idleWithin(ms: number): boolean | Promise<boolean> {
    if (this.#active.size === 0) return true;
    return new Promise((resolve) => {
      const timer = this.#scope.clock.setTimeout(() => resolve(false), ms);
      this.#idle = () => {
        this.#scope.clock.clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
