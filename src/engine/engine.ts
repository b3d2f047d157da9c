import type { OutgoingTask, Receipt } from "../core/backend.ts";
import { type Clock, LONGEST_TIMEOUT, type TimerHandle } from "../core/clock.ts";
import { describeError } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { SCHEDULED_PREFIX } from "../core/envelope.ts";
import type { Logger } from "../core/logger.ts";
import { isSettled, type Outcome } from "../core/outcome.ts";
import { DedupeKeys } from "./dedupe.ts";
import { Fifo } from "./fifo.ts";
import { Heap } from "./heap.ts";
import { Lane } from "./lane.ts";
import { Message } from "./message.ts";
import { ParkedLetters } from "./parked.ts";

/** Deliveries started in a row before the event loop gets a turn, so that a full queue does not starve sockets. */
const TURN = 256;

/** Who the engine delivers to, and for. */
export interface EngineHost {
  readonly routes: readonly AnyRoute[];
  readonly logger: Logger;
  /** Delivers one message and tells what it came to. Must not reject. */
  deliver(message: Message): Promise<Outcome>;
  /** Reports a tick that was not sent because the run before it is not finished. */
  skipped(route: AnyRoute, scheduledFor: Date): void;
}

/** Settings of an engine. */
export interface EngineOptions {
  readonly clock: Clock;
  /** Deliveries in flight at once, all routes together. Default 100. */
  readonly maxInFlight?: number;
}

/**
 * The local queue, with the semantics of the cloud: retries with back-off, delays, dedupe keys, dead letters, per-route
 * concurrency and rate. It knows nothing of how a message is delivered.
 *
 * Work starts on its own as soon as something is due; there is no polling, and one timer for all that waits.
 */
export class Engine {
  readonly #clock: Clock;
  readonly #maxInFlight: number;
  #host: EngineHost;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes with something ready that may be looked at, each at most once. */
  readonly #listed = new Fifo<Lane>();
  readonly #delayed = new Heap<Message>();
  readonly #keys = new DedupeKeys<Message>();
  readonly deadLetters: ParkedLetters;
  #wakeAt = Number.POSITIVE_INFINITY;
  #timer: TimerHandle | undefined;
  #pumping = false;
  #inFlight = 0;
  #unfinished = 0;
  #published = 0;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(host: EngineHost, options: EngineOptions) {
    this.#clock = options.clock;
    this.#maxInFlight = options.maxInFlight ?? 100;
    this.#host = host;
    this.deadLetters = new ParkedLetters({
      clock: this.#clock,
      route: (path) => this.#lanes.get(path)?.route,
      publish: (task) => this.#accept(task, this.#clock.now()),
    });
    this.attach(host);
  }

  /** Delivers to another host from now on: the same routes, evaluated anew by a hot reload. What waits stays. */
  attach(host: EngineHost): void {
    this.#host = host;
    for (const route of host.routes) {
      const lane = this.#lanes.get(route.path);
      if (lane === undefined) this.#lanes.set(route.path, new Lane(route));
      else lane.route = route;
    }
  }

  /** The host that is delivered to. */
  get host(): EngineHost {
    return this.#host;
  }

  /** Messages that are not finished: waiting, delayed or in flight. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** Messages in flight. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Takes a task, unless its dedupe key is held. */
  publish(task: OutgoingTask): Receipt {
    const now = this.#clock.now();
    if (task.dedupe === undefined) return this.#accept(task, now);
    const key = `${task.route.path}\n${task.dedupe.key}`;
    const holder = this.#keys.holder(key, now);
    if (holder !== undefined) return { id: holder.id, deduplicated: true, outcome: () => holder.outcome() };
    const message = this.#accept(task, now);
    this.#keys.hold(key, message, now + task.dedupe.window * 1000);
    return message;
  }

  /** Sends a schedule's message, unless the one before it is unfinished and may not overlap. */
  publishTick(route: AnyRoute, tick: Date): void {
    const lane = this.#laneOf(route);
    if (lane.ticks > 0 && route.settings.overlap !== "allow") {
      this.#host.skipped(route, tick);
      return;
    }
    lane.ticks += 1;
    const now = this.#clock.now();
    const task: OutgoingTask = {
      id: `${SCHEDULED_PREFIX}${route.name}`,
      route,
      payloadJson: JSON.stringify(route.settings.schedulePayload),
      enqueuedAt: now,
      runAt: undefined,
      dedupe: undefined,
      priority: undefined,
      carriedAttempts: 0,
    };
    this.#accept(task, now, tick);
  }

  /** Resolves once nothing is unfinished. */
  whenIdle(): Promise<void> {
    if (this.#unfinished === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Stops delivering. What is in flight may finish; what waits is left where it is. */
  close(): void {
    this.#closed = true;
    this.#clock.clearTimeout(this.#timer);
    for (const lane of this.#lanes.values()) this.#clock.clearTimeout(lane.timer);
  }

  #accept(task: OutgoingTask, now: number, tick?: Date): Message {
    this.#published += 1;
    const message = new Message(task, String(this.#published), now, tick);
    this.#unfinished += 1;
    if (task.runAt !== undefined && task.runAt > now) this.#delay(message, task.runAt);
    else this.#offer(message);
    return message;
  }

  #laneOf(route: AnyRoute): Lane {
    let lane = this.#lanes.get(route.path);
    if (lane === undefined) {
      lane = new Lane(route);
      this.#lanes.set(route.path, lane);
    }
    return lane;
  }

  #offer(message: Message): void {
    const lane = this.#laneOf(message.task.route);
    lane.ready.push(message);
    this.#list(lane);
  }

  #list(lane: Lane): void {
    if (lane.listed || lane.ready.size === 0 || lane.inFlight >= lane.maxConcurrent) return;
    lane.listed = true;
    this.#listed.push(lane);
    this.#pumpSoon();
  }

  #pumpSoon(): void {
    if (this.#pumping || this.#closed || this.#inFlight >= this.#maxInFlight) return;
    this.#pumping = true;
    queueMicrotask(() => this.#pump());
  }

  #pump(): void {
    this.#pumping = false;
    for (let started = 0; !this.#closed && this.#inFlight < this.#maxInFlight; started++) {
      if (started === TURN) {
        this.#pumping = true;
        setImmediate(() => this.#pump());
        return;
      }
      const lane = this.#listed.shift();
      if (lane === undefined) return;
      lane.listed = false;
      this.#startOne(lane);
    }
  }

  #startOne(lane: Lane): void {
    const now = this.#clock.now();
    const wait = lane.takeToken(now);
    if (wait > 0) {
      lane.listed = true;
      lane.timer = this.#clock.setTimeout(() => {
        lane.listed = false;
        this.#list(lane);
      }, wait);
      return;
    }
    const message = lane.ready.shift() as Message;
    lane.inFlight += 1;
    this.#inFlight += 1;
    this.#list(lane);
    this.#host.deliver(message).then(
      (outcome) => this.#settle(lane, message, outcome),
      (error: unknown) => this.#settle(lane, message, { type: "failed", error, retryAfter: undefined }),
    );
  }

  #settle(lane: Lane, message: Message, outcome: Outcome): void {
    lane.inFlight -= 1;
    this.#inFlight -= 1;
    if (isSettled(outcome)) this.#finish(lane, message, outcome);
    else this.#nack(lane, message, outcome);
    this.#list(lane);
    if (this.#listed.size > 0) this.#pumpSoon();
  }

  #nack(lane: Lane, message: Message, outcome: Outcome): void {
    let seconds: number;
    if (outcome.type === "busy" || outcome.type === "denied") {
      message.sentBack += 1;
      seconds = outcome.type === "busy" ? outcome.retryAfter : lane.backoff(message.sentBack);
    } else {
      if (outcome.type === "failed") message.failures += 1;
      else message.rejections += 1;
      const nacks = message.failures - message.task.carriedAttempts + message.rejections;
      if (nacks >= lane.maxDeliveries) {
        this.#giveUp(lane, message, outcome);
        return;
      }
      seconds = outcome.type === "failed" ? (outcome.retryAfter ?? lane.backoff(nacks)) : lane.backoff(nacks);
    }
    if (seconds > 0) this.#delay(message, this.#clock.now() + seconds * 1000);
    else this.#offer(message);
  }

  /** What a dead-letter policy does: nobody could take the message, so it is kept aside. */
  #giveUp(lane: Lane, message: Message, outcome: Outcome): void {
    const { task } = message;
    const error = "error" in outcome && outcome.error !== undefined ? describeError(outcome.error) : outcome.type;
    this.deadLetters.park({
      taskId: task.id,
      path: task.route.path,
      taskName: task.route.name,
      args: [],
      kwargs: JSON.parse(task.payloadJson) as Record<string, unknown>,
      enqueuedAt: new Date(task.enqueuedAt).toISOString(),
      messageId: message.messageId,
      reason: "undeliverable",
      error,
      attempts: message.failures,
      parkedAt: this.#clock.now(),
    });
    this.#host.logger.error("a message could not be delivered and was parked as a dead letter", {
      task: task.route.path,
      taskId: task.id,
      error,
    });
    this.#finish(lane, message, outcome);
  }

  #finish(lane: Lane, message: Message, outcome: Outcome): void {
    if (message.scheduledFor !== undefined) lane.ticks -= 1;
    this.#unfinished -= 1;
    message.finish(outcome);
    if (this.#unfinished > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #delay(message: Message, until: number): void {
    this.#delayed.push(until, message);
    this.#arm();
  }

  /** One timer, for whatever is due first. */
  #arm(): void {
    const first = this.#delayed.peekKey ?? Number.POSITIVE_INFINITY;
    if (this.#closed || first >= this.#wakeAt) return;
    this.#clock.clearTimeout(this.#timer);
    this.#wakeAt = first;
    this.#timer = this.#clock.setTimeout(() => this.#wake(), Math.min(first - this.#clock.now(), LONGEST_TIMEOUT));
  }

  #wake(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    while ((this.#delayed.peekKey ?? Number.POSITIVE_INFINITY) <= now) this.#offer(this.#delayed.pop() as Message);
    this.#arm();
  }
}
