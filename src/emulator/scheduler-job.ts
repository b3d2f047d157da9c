import { cloudTasksDelay } from "../core/backoff.ts";
import type { TimerHandle } from "../core/clock.ts";
import { describeError } from "../core/dead-letter.ts";
import { longestWait } from "../engine/alarm.ts";
import type { HttpDispatcher } from "./dispatch.ts";
import { type RpcStatus, statusOfAnswer } from "./http-status.ts";
import { authorizationOf, methodOf, userHeaders } from "./http-target.ts";
import { type JobConfig, type JobHttpTarget, USER_AGENT } from "./scheduler-job-fields.ts";
import type { EmulatorScope } from "./service.ts";
import { CODES, RpcError } from "./status.ts";
import { fromMillis, toMillis, toSeconds } from "./time.ts";

/** One run of a job, with its retries. Moments are in milliseconds since the epoch. */
interface Execution {
  /** The tick that it stands for. */
  readonly scheduled: number;
  readonly began: number;
  /** Retries so far. */
  retries: number;
}

/**
 * One job: fires at the ticks of its schedule, one execution at a time. A tick that comes while an attempt is under way waits
 * for its end; of several, the latest is made up for. Retries end at the next tick.
 */
export class SchedulerJob {
  readonly #scope: EmulatorScope;
  readonly #dispatcher: HttpDispatcher;
  #config: JobConfig;
  #updateTime: number;
  #isPaused = false;
  #isClosed = false;
  /** The next tick. */
  #tick: number;
  /** The execution that failed and is tried again, and when. */
  #retry: { readonly execution: Execution; readonly at: number } | undefined;
  /** Attempts under way; more than one only if the job was told to run. */
  #outstanding = 0;
  #status: RpcStatus | undefined;
  #lastAttempt: number | undefined;
  #timer: TimerHandle | undefined;

  constructor(config: JobConfig, scope: EmulatorScope, dispatcher: HttpDispatcher) {
    this.#config = config;
    this.#scope = scope;
    this.#dispatcher = dispatcher;
    this.#updateTime = scope.clock.now();
    this.#tick = this.#tickAfter(this.#updateTime);
    this.#arm();
  }

  get config(): JobConfig {
    return this.#config;
  }

  get name(): string {
    return this.#config.fields.name;
  }

  get state(): "ENABLED" | "PAUSED" {
    return this.#isPaused ? "PAUSED" : "ENABLED";
  }

  /** The job as an answer shows it. */
  view(): object {
    const next = Math.min(this.#tick, this.#retry?.at ?? Number.POSITIVE_INFINITY);
    const { code = CODES.OK } = this.#status ?? {};
    return {
      ...this.#config.fields,
      userUpdateTime: fromMillis(this.#updateTime),
      state: this.state,
      ...(this.#isPaused ? {} : { scheduleTime: fromMillis(next) }),
      ...(this.#status === undefined ? {} : { status: code === CODES.OK ? {} : { code } }),
      ...(this.#lastAttempt === undefined ? {} : { lastAttemptTime: fromMillis(this.#lastAttempt) }),
    };
  }

  /** Takes other settings; whether it is paused stays. */
  configure(config: JobConfig): void {
    this.#config = config;
    this.#updateTime = this.#scope.clock.now();
    this.#begin();
  }

  /** @throws RpcError FAILED_PRECONDITION when it is paused already. */
  pause(): void {
    if (this.#isPaused) throw wrongState("ENABLED", "paused");
    this.#isPaused = true;
    this.#begin();
  }

  /** @throws RpcError FAILED_PRECONDITION when it is not paused. */
  resume(): void {
    if (!this.#isPaused) throw wrongState("PAUSED", "resumed");
    this.#isPaused = false;
    this.#begin();
  }

  /** Runs it now, whatever its state, even if it is under way. */
  run(): void {
    const now = this.#scope.clock.now();
    void this.#attempt({ scheduled: now, began: now, retries: 0 });
  }

  /** Fires no more. */
  close(): void {
    this.#isClosed = true;
    this.#scope.clock.clearTimeout(this.#timer);
  }

  /** Waits for the first tick from now on. */
  #begin(): void {
    this.#tick = this.#tickAfter(this.#scope.clock.now());
    this.#retry = undefined;
    this.#arm();
  }

  #tickAfter(moment: number): number {
    return this.#config.schedule.next(new Date(moment)).getTime();
  }

  #arm(): void {
    const { clock } = this.#scope;
    clock.clearTimeout(this.#timer);
    if (this.#isClosed || this.#isPaused || this.#outstanding > 0) return;
    const next = Math.min(this.#tick, this.#retry?.at ?? Number.POSITIVE_INFINITY);
    const wait = Math.min(next - clock.now(), longestWait(clock));
    this.#timer = clock.setTimeout(() => this.#due(), wait, { keepAlive: false });
  }

  #due(): void {
    const now = this.#scope.clock.now();
    const retry = this.#retry;
    if (this.#tick <= now) {
      const following = this.#tickAfter(this.#tick);
      const latest = following > now ? this.#tick : this.#config.schedule.previous(new Date(now)).getTime();
      this.#tick = this.#tickAfter(latest);
      void this.#attempt({ scheduled: latest, began: now, retries: 0 });
    } else if (retry !== undefined && retry.at <= now) {
      retry.execution.retries += 1;
      void this.#attempt(retry.execution);
    } else this.#arm();
  }

  async #attempt(execution: Execution): Promise<void> {
    const { clock } = this.#scope;
    const config = this.#config;
    this.#retry = undefined;
    this.#outstanding += 1;
    this.#lastAttempt = clock.now();
    clock.clearTimeout(this.#timer);
    const status = await this.#fire(execution.scheduled);
    this.#outstanding -= 1;
    this.#status = status;
    // What was changed meanwhile begins anew.
    if (status.code !== CODES.OK && config === this.#config && !this.#isPaused) this.#again(execution, clock.now());
    if (status.code !== CODES.OK)
      this.#scope.logger.warn("an attempt of a scheduler job failed", { job: this.name, error: status.message });
    this.#arm();
  }

  /** Until all limits that are set are reached, or the next tick comes. */
  #again(execution: Execution, now: number): void {
    const { retryCount = 0, maxDoublings = 0, ...lengths } = this.#config.fields.retryConfig ?? {};
    const duration = toMillis(lengths.maxRetryDuration) ?? 0;
    const mayRetry = execution.retries < retryCount || (duration > 0 && now - execution.began < duration);
    if (retryCount === 0 || !mayRetry || this.#outstanding > 0) return;
    const curve = {
      minBackoff: toSeconds(lengths.minBackoffDuration) ?? 0,
      maxBackoff: toSeconds(lengths.maxBackoffDuration) ?? 0,
      maxDoublings,
    };
    // The next tick, if that is sooner, takes its place.
    this.#retry = { execution, at: now + cloudTasksDelay(curve, execution.retries + 1) * 1000 };
  }

  async #fire(scheduled: number): Promise<RpcStatus> {
    const { pubsubTarget, httpTarget } = this.#config.fields;
    if (pubsubTarget === undefined) return this.#request(httpTarget ?? {}, scheduled);
    const { topicName = "", data, attributes } = pubsubTarget;
    try {
      await this.#scope.publish(topicName, {
        ...(data === undefined ? {} : { data }),
        ...(attributes === undefined ? {} : { attributes }),
      });
      return { code: CODES.OK, message: "" };
    } catch (error) {
      if (error instanceof RpcError) return { code: error.code, message: error.message };
      return { code: CODES.INTERNAL, message: describeError(error) };
    }
  }

  async #request(target: JobHttpTarget, scheduled: number): Promise<RpcStatus> {
    const { uri = "", body } = target;
    const own = {
      ...USER_AGENT,
      "X-CloudScheduler": "true",
      "X-CloudScheduler-JobName": this.name.slice(this.name.lastIndexOf("/") + 1),
      "X-CloudScheduler-ScheduleTime": new Date(scheduled).toISOString().replace(".000Z", "Z"),
      ...authorizationOf(target, uri, this.#scope.identity),
    };
    const answer = await this.#dispatcher.send({
      url: uri,
      method: methodOf(target),
      headers: userHeaders(target, own),
      body,
      timeout: toMillis(this.#config.fields.attemptDeadline) ?? 0,
    });
    return statusOfAnswer(answer);
  }
}

function wrongState(expected: string, verb: string): RpcError {
  return new RpcError(CODES.FAILED_PRECONDITION, `Job must be in state ${expected} to be ${verb}.`);
}
