import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import type { DeadLetterBox, DeadLetterSink } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import type { Logger } from "./logger.ts";
import type { Outcome } from "./outcome.ts";
import type { Registry } from "./registry.ts";

/** What a backend can do. The client checks once, before anything is sent; a backend never ignores what it cannot do. */
export interface Capabilities {
  /** `delay` and `runAt`. */
  readonly delay: boolean;
  /** `dedupeKey`. */
  readonly dedupe: boolean;
  /** `priority`. */
  readonly priority: boolean;
  /** Whether accepted tasks survive the end of this process. */
  readonly durable: boolean;
  /** Whether `run.result()` works without a store. */
  readonly results: boolean;
  /** `orderingKey`. */
  readonly ordering: boolean;
  /** Whether overlapping runs of one schedule can be told and skipped. */
  readonly overlap: boolean;
}

/** One task on its way to a backend: checked, serialised, named. */
export interface OutgoingTask {
  readonly id: string;
  readonly route: AnyRoute;
  /** The payload as JSON text. */
  readonly payloadJson: string;
  /** Milliseconds since the epoch. */
  readonly enqueuedAt: number;
  /** Earliest first delivery, milliseconds since the epoch; `undefined` means at once. */
  readonly runAt: number | undefined;
  /** Key and window in seconds. */
  readonly dedupe: { readonly key: string; readonly window: number } | undefined;
  readonly priority: string | undefined;
  /** Tasks of one key of a route are delivered in order. */
  readonly orderingKey?: string | undefined;
  /** Attempts used before, by a task that is created anew. */
  readonly carriedAttempts: number;
  /**
   * Id of the message, delivered or parked, whose place this one takes. Its task id is no new one then, and a service that
   * remembers names of tasks must not take it for the task that has come and gone.
   */
  readonly replaces?: string | undefined;
  /** The tick that it carries on with, where a scheduler's own call has failed. */
  readonly scheduledFor?: Date | undefined;
}

/** A backend's word that it has a task. */
export interface Receipt {
  /** Id of the task that will run: of an earlier one when `deduplicated`. */
  readonly id: string;
  readonly deduplicated: boolean;
  /** What the task came to in the end; only from backends that declare `results`. */
  outcome?(): Promise<Outcome>;
}

/** A key set whose tokens the push handler may trust outside production, because the backend in this process signs them. */
export interface PushTrust {
  readonly audience: string;
  readonly email: string;
  /** Key id to PEM public key. */
  certificates(): Promise<Record<string, string>>;
}

/** Where `enqueue` puts an envelope. */
export interface Backend {
  /** As `TASKS_BACKEND` spells it. */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** The one of several backends, which this one stands for, that takes a route. */
  carrierOf?(route: AnyRoute): Backend;
  /** What it can do for one route, where that differs from route to route. */
  capabilitiesOf?(route: AnyRoute): Capabilities;
  /** Id for a task that has a key and no id of its own, where the id of the one that holds the key cannot be asked for. */
  dedupedId?(route: AnyRoute, dedupe: NonNullable<OutgoingTask["dedupe"]>, now: number): string | undefined;
  /** Loads and connects ahead of the first `send`, whose caller would wait for it. */
  warm?(): Promise<void>;
  /**
   * Refuses a task that could never be sent; asked before the first of many is.
   *
   * @throws TasksError `INVALID_OPTION`, `INVALID_PAYLOAD` or `UNSUPPORTED`.
   */
  assertSendable?(task: OutgoingTask): void;
  /** Resolves once the backend has the task; rejects when it does not. */
  send(task: OutgoingTask): Receipt | Promise<Receipt>;
  /** Many at once, in order; each element stands for the task at its place. Never rejects as a whole. */
  sendMany?(tasks: readonly OutgoingTask[]): Promise<readonly PromiseSettledResult<Receipt>[]>;
  /** Begins delivering, for backends that deliver by themselves; resolves when every schedule is set. Safe to call again. */
  start?(): Promise<void>;
  /** Where tasks are parked. */
  readonly deadLetters?: DeadLetterSink | DeadLetterBox;
  /** See {@link PushTrust}. */
  readonly pushTrust?: PushTrust;
  /** Stops delivering, lets what is in flight finish and gives everything back. */
  close(): Promise<void>;
}

/** What a backend is given of its client. */
export interface BackendHost {
  /** Which client of the process it is, counted from 1 as they are made. */
  readonly generation: number;
  readonly registry: Registry;
  /** Whether a route's tasks are this backend's to carry; not to be asked before the backend is made. */
  carries(route: AnyRoute): boolean;
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Sends a task by whichever backend of the client carries its route; for a letter that is redriven. */
  send(task: OutgoingTask): Receipt | Promise<Receipt>;
  /** Runs one delivery. Never rejects. */
  execute(delivery: Delivery, route: AnyRoute): Promise<Outcome>;
  /** Reports that a tick was not run because the one before it still is. */
  skipped(route: AnyRoute, scheduledFor: Date): void;
}

/**
 * Makes a backend for a client; what `local()` or `immediate()` return and `createTasks({ backend })` takes.
 *
 * @throws TasksError `INVALID_CONFIG` when it may not be used here, such as a local backend in production.
 */
export type BackendFactory = (host: BackendHost) => Backend;
