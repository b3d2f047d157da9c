import { randomBytes } from "node:crypto";
import type { OutgoingTask } from "../core/backend.ts";
import { cloudTasksDelay } from "../core/backoff.ts";
import type { AnyRoute } from "../core/declaration.ts";
import type { Outcome } from "../core/outcome.ts";
import { DedupeKeys } from "../engine/dedupe.ts";
import type { EngineHost } from "../engine/host.ts";
import type { LanePolicy } from "../engine/lane-policy.ts";
import type { Message } from "../engine/message.ts";
import type { QueueConfig } from "./cloud-tasks-queue-config.ts";
import { QueuedTask, type TaskFields } from "./cloud-tasks-task.ts";
import { QueueThrottle } from "./cloud-tasks-throttle.ts";
import type { HttpAnswer, HttpDispatcher } from "./dispatch.ts";
import { isSuccess, statusOfAnswer } from "./http-status.ts";
import { laneRoute } from "./lane-route.ts";
import type { EmulatorScope } from "./service.ts";
import { alreadyExists, notFound } from "./status.ts";
import { fromMillis, toMillis, toSeconds } from "./time.ts";

/** The name of a task that is gone stays taken for an hour: the least that the service promises. */
const TOMBSTONE_MS = 3_600_000;
/** Tasks are deleted when they are this old, dispatched or not. */
const RETENTION_MS = 31 * 86_400_000;
/** Seconds after which an answer counts as lost that a fault takes away. */
const LOST_AFTER_S = 600;

const DELETED: Outcome = { type: "discarded", reason: "discarded", error: undefined };

/** One queue, its tasks, and their dispatch: a lane of the engine. */
export class TaskQueue {
  readonly name: string;
  readonly #scope: EmulatorScope;
  readonly #dispatcher: HttpDispatcher;
  readonly #route: AnyRoute;
  readonly #host: EngineHost;
  readonly #throttle: QueueThrottle;
  readonly #tasks = new Map<string, QueuedTask>();
  readonly #gone = new DedupeKeys<true>();
  #config: QueueConfig;
  #isPaused = false;
  #purgeTime: number | undefined;

  constructor(name: string, config: QueueConfig, scope: EmulatorScope, dispatcher: HttpDispatcher) {
    this.name = name;
    this.#config = config;
    this.#scope = scope;
    this.#dispatcher = dispatcher;
    this.#route = laneRoute(name, LOST_AFTER_S);
    this.#throttle = new QueueThrottle(scope.clock, () => scope.engine.resume(this.#route));
    this.#host = {
      routes: [this.#route],
      logger: scope.logger,
      generation: 0,
      policy: () => this.#policy(),
      deliver: (message) => this.#deliver(message),
      gaveUp: (message) => this.#gaveUp(message),
      skipped: () => {},
    };
    scope.engine.attach(this.#host);
  }

  get config(): QueueConfig {
    return this.#config;
  }

  /** How many tasks it holds. */
  get size(): number {
    return this.#tasks.size;
  }

  get state(): "RUNNING" | "PAUSED" {
    return this.#isPaused ? "PAUSED" : "RUNNING";
  }

  /** The queue as an answer shows it. */
  view(): object {
    const purged = this.#purgeTime === undefined ? {} : { purgeTime: fromMillis(this.#purgeTime) };
    return { name: this.name, ...this.#config, state: this.state, ...purged };
  }

  /** Takes other settings, for what waits as well. */
  configure(config: QueueConfig): void {
    this.#config = config;
    this.#scope.engine.resume(this.#route);
  }

  /** Dispatches nothing any more, or goes on. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#scope.engine.resume(this.#route);
  }

  /** Deletes every task that is here now. */
  purge(): void {
    this.#purgeTime = this.#scope.clock.now();
    for (const task of [...this.#tasks.values()]) this.#remove(task);
  }

  /** Every task, in no particular order. */
  tasks(): QueuedTask[] {
    const now = this.#scope.clock.now();
    return [...this.#tasks.values()].filter((task) => now - task.createTime < RETENTION_MS);
  }

  /**
   * Takes a task in.
   *
   * @throws RpcError ALREADY_EXISTS; INVALID_ARGUMENT.
   */
  create(fields: TaskFields): QueuedTask {
    const now = this.#scope.clock.now();
    const task = new QueuedTask(fields.name || this.#freshName(), fields, now);
    if (this.#tasks.has(task.name) || this.#gone.holder(task.name, now) !== undefined)
      throw alreadyExists("Requested entity already exists");
    this.#tasks.set(task.name, task);
    task.message = this.#scope.engine.post(this.#outgoing(task));
    void task.message.outcome().then(() => this.#forget(task));
    return task;
  }

  /** @throws RpcError NOT_FOUND. */
  get(name: string): QueuedTask {
    const now = this.#scope.clock.now();
    const task = this.#tasks.get(name);
    if (task !== undefined && now - task.createTime < RETENTION_MS) return task;
    throw notFound(
      this.#gone.holder(name, now) === undefined
        ? "Requested entity was not found."
        : "The task no longer exists, though a task with this name existed recently. The task either successfully completed or was deleted.",
    );
  }

  /** @throws RpcError NOT_FOUND. */
  delete(name: string): void {
    this.#remove(this.get(name));
  }

  /**
   * Dispatches a task now, whatever its moment, the queue's limits and its state, even if it is under way already.
   *
   * @throws RpcError NOT_FOUND.
   */
  run(name: string): QueuedTask {
    const task = this.get(name);
    const { message } = task;
    if (message === undefined || this.#scope.engine.expedite(message)) return task;
    // It is under way: whichever dispatch succeeds ends it.
    void this.#attempt(task).then((answer) => {
      if (isSuccess(answer)) this.#remove(task);
    });
    return task;
  }

  /** Deletes the queue with all that is in it. */
  close(): void {
    for (const task of [...this.#tasks.values()]) this.#remove(task);
    this.#throttle.close();
    this.#scope.engine.retire(this.#host);
  }

  #freshName(): string {
    return `${this.name}/tasks/${randomBytes(8).readBigUInt64BE()}`;
  }

  #outgoing({ name, firstScheduled }: QueuedTask): OutgoingTask {
    const now = this.#scope.clock.now();
    const task = { id: name, route: this.#route, payloadJson: "{}", enqueuedAt: now, runAt: firstScheduled };
    return { ...task, dedupe: undefined, priority: undefined, carriedAttempts: 0 };
  }

  #policy(): LanePolicy {
    const queue = this;
    return {
      maxDeliveries: Number.POSITIVE_INFINITY,
      backoff: (nacks) => queue.#backoff(nacks),
      isSpent: (message, now) => queue.#isSpent(message, now),
      get ratePerSecond() {
        return queue.#config.rateLimits.maxDispatchesPerSecond;
      },
      get burst() {
        return queue.#config.rateLimits.maxBurstSize;
      },
      get maxConcurrent() {
        return queue.#isPaused || queue.#throttle.isHeld ? 0 : queue.#config.rateLimits.maxConcurrentDispatches;
      },
    };
  }

  #backoff(nacks: number): number {
    const { minBackoff, maxBackoff, maxDoublings } = this.#config.retryConfig;
    return cloudTasksDelay(
      { minBackoff: toSeconds(minBackoff), maxBackoff: toSeconds(maxBackoff), maxDoublings },
      nacks,
    );
  }

  /** Retries end once every limit that is set has been reached: attempts alone, duration alone, or both. */
  #isSpent(message: Message, now: number): boolean {
    const { maxAttempts, maxRetryDuration } = this.#config.retryConfig;
    const duration = toMillis(maxRetryDuration);
    if (maxAttempts === -1 && duration === undefined) return false;
    const began = this.#tasks.get(message.id)?.firstDispatched ?? now;
    const isWornOut = maxAttempts === -1 || message.nacks >= maxAttempts;
    return isWornOut && (duration === undefined || now - began >= duration);
  }

  async #deliver(message: Message): Promise<Outcome> {
    const task = this.#tasks.get(message.id);
    if (task === undefined || this.#scope.clock.now() - task.createTime >= RETENTION_MS) return DELETED;
    const answer = await this.#attempt(task);
    if (isSuccess(answer)) return { type: "done", result: undefined };
    const asked = answer.type === "answered" ? answer.retryAfter : undefined;
    const retryAfter = asked === undefined ? undefined : Math.max(asked, this.#backoff(message.nacks + 1));
    return { type: "failed", error: new Error(statusOfAnswer(answer).message), retryAfter };
  }

  async #attempt(task: QueuedTask): Promise<HttpAnswer> {
    const { clock, identity } = this.#scope;
    const { rounds } = this.#throttle;
    const answer = await this.#dispatcher.send(task.begin(clock.now(), identity));
    task.end(answer, clock.now());
    if (answer.type === "answered") this.#throttle.note(answer.status, answer.retryAfter, rounds);
    return answer;
  }

  #gaveUp({ id }: Message): void {
    this.#scope.logger.warn("a task has used up its retries and was deleted", { task: id });
  }

  #remove(task: QueuedTask): void {
    if (task.message !== undefined) this.#scope.engine.withdraw(task.message);
    this.#forget(task);
  }

  #forget(task: QueuedTask): void {
    if (this.#tasks.get(task.name) !== task) return;
    this.#tasks.delete(task.name);
    if (task.isNamed) this.#gone.hold(task.name, true, this.#scope.clock.now() + TOMBSTONE_MS);
  }
}
