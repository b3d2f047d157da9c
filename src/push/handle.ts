import type { Authenticator, AuthFactory, Verdict } from "../core/auth.ts";
import { isBuilding } from "../core/config.ts";
import { describeError } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import type { Delivery } from "../core/delivery.ts";
import { isTasksError, TasksError } from "../core/errors.ts";

import { isLate, mayBeLate } from "../core/headroom.ts";
import { assertKnownOptions, shown } from "../core/options.ts";
import { busy, type Outcome } from "../core/outcome.ts";
import type { Runtime } from "../core/runtime.ts";
import type { AnyTasks } from "../core/tasks.ts";
import { isThenable } from "../core/thenable.ts";
import { authenticatorOf } from "./authentication.ts";
import { assertWithin, type BodyContent, BodyTooLarge, keepable } from "./body.ts";
import { dispatchedTask, dispatchOf, scheduledCall } from "./cloud-tasks.ts";
import { decodeDelivery, decodePayload } from "./decode.ts";
import type { PushRequest, PushResponse } from "./request.ts";
import { responseOf } from "./status.ts";

/** 16 MB: a Pub/Sub message holds up to 10 MB, which is 14 MB in base64. */
const BODY_LIMIT = 16 * 1024 * 1024;

/** Options of a push handler and of every adapter. */
export interface PushOptions {
  /** How requests prove who they are. Default: that of `createTasks`, else by the environment. */
  readonly auth?: AuthFactory;
  /** Longest body, in bytes; a longer one is answered with 413. Default 16 MB. */
  readonly bodyLimit?: number;
  /**
   * Mounts one route whose body *is* the payload, raw JSON or nothing, for queues, jobs and topics that exist already.
   * Default: every route of the list, told apart by the envelope.
   */
  readonly route?: { readonly path: string };
}

/** Takes push requests of Pub/Sub, Cloud Tasks and Cloud Scheduler, whatever the framework. */
export interface PushHandler {
  /** Longest body that it reads, in bytes. */
  readonly bodyLimit: number;
  /** Answers one request. Never rejects. */
  handle(request: PushRequest): Promise<PushResponse>;
}

function readOptions(options: PushOptions): number {
  assertKnownOptions("push handler", options, ["auth", "bodyLimit", "route"]);
  const limit = options.bodyLimit ?? BODY_LIMIT;
  if (Number.isInteger(limit) && limit > 0) return limit;
  throw new TasksError(
    "INVALID_OPTION",
    `push handler: expected bodyLimit to be a whole number of bytes above 0, got ${shown(limit)}`,
  );
}

/**
 * Builds the push handler of a client. Authentication, environment and backend are settled now, so that a service that
 * would let in anybody, or could not run, does not start; while a framework builds, at the first request.
 *
 * @throws TasksError `INVALID_CONFIG`, `INVALID_OPTION`, `UNKNOWN_ROUTE` for a route outside the list.
 */
export function createPushHandler(tasks: AnyTasks, options: PushOptions = {}): PushHandler {
  const { runtime } = tasks;
  const bodyLimit = readOptions(options);
  const route = options.route === undefined ? undefined : mountable(runtime.registry.resolve(options.route));
  let door: Door | undefined;
  const open = (): Door => {
    door ??= new Door(runtime, authenticatorOf(runtime, options.auth), bodyLimit, route);
    return door;
  };
  if (!isBuilding(runtime.env)) open();
  return {
    bodyLimit,
    handle(request) {
      try {
        return open().answer(request);
      } catch (error) {
        return Promise.resolve(broken(runtime, error));
      }
    },
  };
}

/** The answer of a handler that could not be built or that failed itself: nothing is acknowledged. */
function broken({ logger }: Runtime, error: unknown): PushResponse {
  logger.error("the push handler could not be built or failed; nothing is acknowledged", {
    error: describeError(error),
  });
  return responseOf({ type: "failed", error, retryAfter: undefined });
}

function mountable(route: AnyRoute): AnyRoute {
  if (route.run !== undefined) return route;
  throw new TasksError(
    "INVALID_OPTION",
    `push handler: expected route to have a body, got the contract "${route.path}"; list and mount the TaskRoute that completes it`,
  );
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/**
 * Whether a delivery that is sent away may be the last that its queue makes, or the only call of its tick. Whoever was not
 * let in has none.
 */
function isLastChance(refusal: Outcome, { header }: PushRequest): boolean {
  if (refusal.type !== "busy" || refusal.reason === "auth-unavailable") return false;
  const dispatch = dispatchOf(header);
  return dispatch === undefined ? scheduledCall(header) !== undefined : mayBeLate(dispatch);
}

/** Seconds until a task that is to be created anew runs; `undefined` when it is not to be. */
function delayOf({ transport }: Delivery, outcome: Outcome, { settings }: AnyRoute): number | undefined {
  if (outcome.type === "failed" && outcome.retryAfter !== undefined) return outcome.retryAfter;
  if (transport !== "scheduler") return undefined;
  if (outcome.type === "failed") return settings.minRetryDelay;
  return outcome.type === "busy" ? outcome.retryAfter : undefined;
}

/** The way in, in its order: method, authentication, capacity, body, decoding, and then the run. */
class Door {
  readonly #runtime: Runtime;
  readonly #auth: Authenticator;
  readonly #limit: number;
  readonly #route: AnyRoute | undefined;

  constructor(runtime: Runtime, auth: Authenticator, limit: number, route: AnyRoute | undefined) {
    this.#runtime = runtime;
    this.#auth = auth;
    this.#limit = limit;
    this.#route = route;
    // Whatever goes wrong is logged where it does, and shows in what the pushes come to.
    runtime.start().catch(() => {});
  }

  /** Never rejects. One function, as every promise between the socket and the task is paid for by every push. */
  async answer(request: PushRequest): Promise<PushResponse> {
    const { clock, executor } = this.#runtime;
    const receivedAt = clock.now();
    executor.enter();
    try {
      const turned = this.#turnAway(request);
      const refusal = isThenable(turned) ? await turned : turned;
      if (refusal !== undefined && !isLastChance(refusal, request)) return responseOf(refusal);
      let delivery: Delivery;
      let content: BodyContent;
      try {
        const read = request.body(this.#limit);
        content = isThenable(read) ? await read : read;
        delivery = this.#decode(content, request, receivedAt);
      } catch (error) {
        return responseOf(refusal ?? (await this.#unreadable(error, content, request)));
      }
      if (refusal !== undefined) return responseOf(await this.#sentBack(delivery, refusal));
      const outcome = await executor.execute(delivery, this.#route);
      if (outcome.type !== "failed" && delivery.transport !== "scheduler") return responseOf(outcome);
      return responseOf(await this.#handedOver(delivery, outcome));
    } catch (error) {
      return broken(this.#runtime, error);
    } finally {
      executor.leave();
    }
  }

  /** By method, caller and capacity: everything that is decided before the body is read. */
  #turnAway(request: PushRequest): Outcome | undefined | Promise<Outcome | undefined> {
    if (request.method !== "POST") return this.#refused(405, { method: shown(request.method) });
    const verdict = this.#auth.authenticate(request.header);
    return isThenable(verdict) ? verdict.then((judged) => this.#judge(judged)) : this.#judge(verdict);
  }

  #judge(verdict: Verdict): Outcome | undefined | Promise<Outcome | undefined> {
    return verdict.ok ? this.#runtime.executor.admit() : this.#denied(verdict);
  }

  #denied(verdict: Extract<Verdict, { ok: false }>): Outcome {
    this.#runtime.logger.warn("a push was not let in", { reason: verdict.reason });
    return verdict.unavailable === true ? busy("auth-unavailable") : { type: "denied", detail: verdict.reason };
  }

  #refused(status: 405 | 413, fields: Record<string, unknown>): Outcome {
    this.#runtime.logger.warn("a push was refused", { status, ...fields });
    return { type: "refused", status };
  }

  #decode(body: BodyContent, { header }: PushRequest, receivedAt: number): Delivery {
    assertWithin(body, this.#limit);
    if (this.#route !== undefined) return decodePayload(this.#route, body, header, receivedAt);
    return decodeDelivery(body, header, receivedAt);
  }

  #unreadable(error: unknown, content: BodyContent, { header }: PushRequest): Outcome | Promise<Outcome> {
    if (error instanceof BodyTooLarge) return this.#refused(413, { limit: this.#limit });
    // A body that was taken away before it got here is no fault of the message.
    if (isTasksError(error, "INVALID_CONFIG")) throw error;
    // Only our own errors are known not to quote the body; a framework's parser may.
    const reported = isTasksError(error) ? describeError(error) : `${nameOf(error)}: the body could not be read`;
    this.#runtime.logger.error("a push was rejected", { reason: "malformed", error: reported });
    const outcome = { type: "rejected", reason: "malformed", error } as const;
    const message = dispatchedTask(header);
    if (message === undefined) return outcome;
    return this.#runtime.executor.parking.unreadable(message, () => keepable(content), this.#route, outcome);
  }

  /** A delivery that cannot be taken now, and that may not come again: the task is created anew. */
  async #sentBack(delivery: Delivery, refusal: Outcome): Promise<Outcome> {
    const { registry, executor } = this.#runtime;
    if (delivery.transport === "scheduler") return this.#handedOver(delivery, refusal);
    const route = this.#route ?? registry.find(delivery.taskName);
    if (route === undefined || !isLate(delivery, route)) return refusal;
    return (await executor.createAnew(delivery, route)) ?? refusal;
  }

  /**
   * What is not to come again by its transport's own back-off is created anew, where the backend can, and only then
   * acknowledged: for `RetryAfter`, and for a call of Cloud Scheduler, which tries five times and keeps no dead letters.
   */
  async #handedOver(delivery: Delivery, outcome: Outcome): Promise<Outcome> {
    const { registry, logger, enqueuer } = this.#runtime;
    const route = this.#route ?? registry.find(delivery.taskName);
    const seconds = route === undefined ? undefined : delayOf(delivery, outcome, route);
    if (route === undefined || seconds === undefined) return outcome;
    const used = outcome.type === "failed" ? delivery.attempt : delivery.attempt - 1;
    try {
      if (await enqueuer.deferAgain(delivery, route, seconds, used)) return { type: "done", result: undefined };
    } catch (error) {
      logger.error("a task could not be created anew with its own delay; plain back-off applies", {
        taskId: delivery.taskId,
        error: describeError(error),
      });
    }
    return outcome;
  }
}
