import type { OutgoingTask } from "../core/backend.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { isSettled, type Outcome } from "../core/outcome.ts";
import type { InputOf, ResultOf } from "../core/tasks.ts";
import type { Mishap } from "../engine/fault.ts";

/** A value as JSON carries it: what a `Date` has become when it arrives, for one. */
export type AsJson<T> = T extends { toJSON(): infer J }
  ? AsJson<J>
  : T extends readonly (infer E)[]
    ? readonly AsJson<E>[]
    : T extends object
      ? { readonly [K in keyof T]: AsJson<T[K]> }
      : T;

/** What every record tells of its task. */
interface TaskRecord<P, I> {
  /** Path of the route. */
  readonly path: P;
  /** The payload as it travels, before the schema of the route has made anything of it. */
  readonly payload: I;
  /** Id of the task; the same for every delivery of it. */
  readonly taskId: string;
}

interface Enqueued<P, I> extends TaskRecord<P, I> {
  /** When it was enqueued. */
  readonly at: Date;
  /** The moment of its first delivery. */
  readonly due: Date;
}

interface Pending<P, I> extends TaskRecord<P, I> {
  /** Which attempt its next run will be, from 1. */
  readonly attempt: number;
  /** The moment from which it is delivered. */
  readonly due: Date;
  /** Id of the message; the same for every delivery of it. */
  readonly messageId: string;
  /** The tick that it stands for; `undefined` for what was not sent by a schedule. */
  readonly scheduledFor: Date | undefined;
}

interface Delivered<P, I, R> extends TaskRecord<P, I> {
  /** Which attempt it was, from 1. */
  readonly attempt: number;
  /** When it was delivered. */
  readonly at: Date;
  /** What it came to. */
  readonly outcome: Exclude<Outcome, { type: "done" }> | { readonly type: "done"; readonly result: R };
  /** Whether the message is done with. One that is not comes again. */
  readonly acknowledged: boolean;
  /** What the test let go wrong with it: `failNext`, `dropNext`, `duplicateNext` or a crash. */
  readonly mishap: Mishap | undefined;
  /** Id of the message; the same for every delivery of it. */
  readonly messageId: string;
  /** The tick that it stood for; `undefined` for what was not sent by a schedule. */
  readonly scheduledFor: Date | undefined;
}

/** A task that was enqueued, by the service or by another task; what a schedule sends is not among these. */
export type EnqueuedTask<U extends AnyRoute> = U extends AnyRoute ? Enqueued<U["path"], AsJson<InputOf<U>>> : never;

/** A task that waits to be delivered, now or later. */
export type PendingTask<U extends AnyRoute> = U extends AnyRoute ? Pending<U["path"], AsJson<InputOf<U>>> : never;

/** One delivery of a task, and what it came to. */
export type DeliveredTask<U extends AnyRoute> = U extends AnyRoute
  ? Delivered<U["path"], AsJson<InputOf<U>>, ResultOf<U>>
  : never;

/** Records of tasks of any route. */
export type AnyEnqueued = Enqueued<string, unknown>;
export type AnyPending = Pending<string, unknown>;
export type AnyDelivered = Delivered<string, unknown, unknown>;

/** The record of a task that a backend was given. */
export function enqueuedRecord({ route, payloadJson, id, enqueuedAt, runAt }: OutgoingTask): AnyEnqueued {
  return {
    path: route.path,
    payload: JSON.parse(payloadJson),
    taskId: id,
    at: new Date(enqueuedAt),
    due: new Date(runAt ?? enqueuedAt),
  };
}

/** The record of a delivery of a task that was `pending` before. */
export function deliveredRecord(
  pending: AnyPending,
  at: number,
  outcome: Outcome,
  mishap: Mishap | undefined,
): AnyDelivered {
  const { due: _, ...task } = pending;
  const acknowledged = isSettled(outcome) && mishap !== "crash" && mishap !== "drop";
  return { ...task, at: new Date(at), outcome, acknowledged, mishap };
}
