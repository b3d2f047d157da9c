import { describeError } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import type { Logger } from "./logger.ts";
import type { Outcome } from "./outcome.ts";
import { isThenable } from "./thenable.ts";

/** Which task a hook speaks of. */
export interface TaskEvent {
  readonly taskId: string;
  readonly name: string;
  readonly path: string;
}

/** A task was accepted by the backend. */
export interface EnqueuedEvent extends TaskEvent {
  readonly deduplicated: boolean;
}

/** A run is about to begin. */
export interface StartedEvent extends TaskEvent {
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly messageId: string;
  /** The tick that the run stands for; `undefined` for on-demand tasks. */
  readonly scheduledFor: Date | undefined;
}

/** A delivery has come to its outcome. */
export interface FinishedEvent extends StartedEvent {
  readonly outcome: Outcome;
  /** Milliseconds from arrival to outcome. */
  readonly duration: number;
}

/**
 * Called as tasks come and go, for metrics, error reporting and logs. A hook can never break or delay a task: what it
 * throws, or rejects with, is logged, and nobody waits for it.
 */
export interface Hooks {
  enqueued?(event: EnqueuedEvent): unknown;
  started?(event: StartedEvent): unknown;
  finished?(event: FinishedEvent): unknown;
}

/** The event of a run of a delivery. */
export function startedEvent(delivery: Delivery, route: AnyRoute): StartedEvent {
  return {
    taskId: delivery.taskId,
    name: route.name,
    path: route.path,
    attempt: delivery.attempt,
    maxAttempts: route.settings.maxAttempts,
    messageId: delivery.messageId,
    scheduledFor: delivery.scheduledFor,
  };
}

/** Hooks that may be called on their own, since what a service passes may be an instance of a class. */
export function boundHooks(hooks: Hooks = {}): Hooks {
  const bound: Hooks = {};
  if (hooks.enqueued !== undefined) bound.enqueued = hooks.enqueued.bind(hooks);
  if (hooks.started !== undefined) bound.started = hooks.started.bind(hooks);
  if (hooks.finished !== undefined) bound.finished = hooks.finished.bind(hooks);
  return bound;
}

/** Calls one hook, and logs instead of passing on whatever it throws. */
export function callHook<E>(hook: ((event: E) => unknown) | undefined, event: E, logger: Logger): void {
  if (hook === undefined) return;
  const failed = (error: unknown) =>
    logger.error("a hook threw; tasks are not affected", { error: describeError(error) });
  try {
    const result = hook(event);
    if (isThenable(result)) result.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}
