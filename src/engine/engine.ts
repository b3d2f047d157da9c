import type { OutgoingTask, Receipt } from "../core/backend.ts";
import type { Clock } from "../core/clock.ts";
import { loggableError } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { SCHEDULED_PREFIX } from "../core/envelope.ts";
import { TasksError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { isSettled, type Outcome } from "../core/outcome.ts";
import { Alarm } from "./alarm.ts";
import { DedupeKeys, dedupeKeyOf } from "./dedupe.ts";
import type { Lane } from "./lane.ts";
import { Lanes } from "./lanes.ts";
import { Message } from "./message.ts";
import { ParkedLetters, undeliverable } from "./parked.ts";

/** Deliveries started in one turn of the event loop, so that a full queue does not starve sockets. */
const TURN = 256;
/** Pub/Sub waits this long at least before it pushes again to an endpoint that sent a message back; seconds. */
const SHORTEST_PUSH_BACKOFF = 0.1;
/** What becomes of messages that are still waiting when the engine is closed. */
const ABANDONED: Outcome = { type: "busy", reason: "draining", retryAfter: 0 };

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
  /** Deliveries in flight at once, all routes together; a whole number of 1 or more. Default 100. */
  readonly maxInFlight?: number | undefined;
}

function assertMaxInFlight(value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new TasksError(
    "INVALID_OPTION",
    `engine: expected maxInFlight to be a whole number of 1 or more, got ${value}`,
  );
}

/**
 * The local queue, with the semantics of the cloud: retries with back-off, delays, dedupe keys, dead letters, per-route
 * concurrency and rate. It knows nothing of how a message is delivered.
 *
 * Work starts on its own, in the turn of the event loop after it fell due; there is no polling, and one timer for all that
 * waits for a moment.
 */
export class Engine {
  readonly #clock: Clock;
  readonly #lanes: Lanes;
  #host: EngineHost;
  readonly #delayed: Alarm<Message>;
  readonly #keys = new DedupeKeys<Message>();
  readonly deadLetters: ParkedLetters;
  #pumping = false;
  #unfinished = 0;
  #lastMessageId: number;
  #closed = false;
  #waitingForIdle: (() => void)[] = [];
  #waitingForQuiet: (() => void)[] = [];

  /** @throws TasksError `INVALID_OPTION`. */
  constructor(host: EngineHost, options: EngineOptions) {
    this.#clock = options.clock;
    this.#lanes = new Lanes(assertMaxInFlight(options.maxInFlight ?? 100));
    this.#delayed = new Alarm(this.#clock, (message) => this.#offer(message));
    this.#host = host;
    // Like Pub/Sub's, message ids are numbers of 16 digits; those of an engine that is started later are greater.
    this.#lastMessageId = this.#clock.now() * 1000;
    this.deadLetters = new ParkedLetters({
      clock: this.#clock,
      route: (path) => this.#lanes.route(path),
      publish: (task) => this.#accept(task, this.#clock.now()),
    });
    this.attach(host);
  }

  /** Delivers to another host from now on: the same routes, evaluated anew by a hot reload. What waits stays. */
  attach(host: EngineHost): void {
    this.#host = host;
    for (const route of host.routes) this.#lanes.of(route).route = route;
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
    return this.#lanes.taken;
  }

  /**
   * Takes a task, unless its dedupe key is held.
   *
   * @throws TasksError `CLOSED`.
   */
  publish(task: OutgoingTask): Receipt {
    const now = this.#clock.now();
    if (task.dedupe === undefined) return this.#accept(task, now);
    const key = dedupeKeyOf(task.route, task.dedupe.key);
    const holder = this.#keys.holder(key, now);
    if (holder !== undefined) return { id: holder.id, deduplicated: true, outcome: () => holder.outcome() };
    const message = this.#accept(task, now);
    this.#keys.hold(key, message, now + task.dedupe.window * 1000);
    return message;
  }

  /** Sends a schedule's message, unless the one before it is unfinished and may not overlap. */
  publishTick(route: AnyRoute, tick: Date): void {
    if (this.#closed) return;
    const lane = this.#lanes.of(route);
    if (lane.ticks > 0 && route.settings.overlap !== "allow") {
      this.#host.skipped(route, tick);
      return;
    }
    lane.ticks += 1;
    const now = this.#clock.now();
    const task: OutgoingTask = {
      // Seen only in the dead letter of a tick that nobody could take, where it must differ from tick to tick.
      id: `${SCHEDULED_PREFIX}${route.name}-${tick.toISOString().replace(/[-:]|\.\d+/g, "")}`,
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
    return new Promise((resolve) => this.#waitingForIdle.push(resolve));
  }

  /** Resolves once nothing is in flight. */
  whenQuiet(): Promise<void> {
    if (this.inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForQuiet.push(resolve));
  }

  /**
   * Stops delivering and takes no more tasks. What is in flight may finish; what waits is given up: it still counts as
   * `unfinished`, and whoever waits for its outcome is told that there will be none (`busy`, `draining`).
   */
  close(): void {
    this.#closed = true;
    for (const lane of this.#lanes.all()) {
      this.#clock.clearTimeout(lane.timer);
      while (lane.ready.size > 0) lane.ready.shift()?.finish(ABANDONED);
    }
    for (const message of this.#delayed.clear()) message.finish(ABANDONED);
  }

  /** Says, once the engine is closed, how many tasks it gave up: they were in memory alone. */
  reportAbandoned(): void {
    if (this.#unfinished === 0) return;
    const fields = { waiting: this.#unfinished };
    this.#host.logger.warn("the local backend was closed with tasks waiting in memory; they are gone", fields);
  }

  #accept(task: OutgoingTask, now: number, tick?: Date): Message {
    if (this.#closed)
      throw new TasksError("CLOSED", "enqueue: expected an open backend, got a closed one; enqueue before close()");
    this.#lastMessageId += 1;
    const message = new Message(task, String(this.#lastMessageId), now, tick);
    this.#unfinished += 1;
    if (task.runAt !== undefined && task.runAt > now) this.#delayed.set(task.runAt, message);
    else this.#offer(message);
    return message;
  }

  #offer(message: Message): void {
    const lane = this.#lanes.of(message.task.route);
    lane.ready.push(message);
    this.#enlist(lane);
  }

  #enlist(lane: Lane): void {
    this.#lanes.enlist(lane);
    this.#pumpSoon();
  }

  #pumpSoon(): void {
    if (this.#pumping || this.#closed || !this.#lanes.hasNext) return;
    this.#pumping = true;
    setImmediate(() => this.#pump());
  }

  #pump(): void {
    this.#pumping = false;
    for (let looks = 0; looks < TURN && !this.#closed; looks++) {
      const lane = this.#lanes.next();
      if (lane === undefined) return;
      this.#startOne(lane);
    }
    this.#pumpSoon();
  }

  #startOne(lane: Lane): void {
    const wait = lane.takeToken(this.#clock.now());
    if (wait > 0) {
      lane.timer = this.#clock.setTimeout(() => {
        lane.timer = undefined;
        this.#enlist(lane);
      }, wait);
      return;
    }
    const message = lane.ready.shift() as Message;
    this.#lanes.enter(lane);
    this.#lanes.enlist(lane);
    this.#host.deliver(message).then(
      (outcome) => this.#settle(lane, message, outcome),
      (error: unknown) => this.#settle(lane, message, { type: "failed", error, retryAfter: undefined }),
    );
  }

  #settle(lane: Lane, message: Message, outcome: Outcome): void {
    this.#lanes.leave(lane);
    if (isSettled(outcome)) this.#finish(lane, message, outcome);
    else this.#nack(lane, message, outcome);
    this.#enlist(lane);
    if (this.inFlight === 0) this.#waitingForQuiet = released(this.#waitingForQuiet);
  }

  #nack(lane: Lane, message: Message, outcome: Outcome): void {
    let seconds: number;
    if (outcome.type === "busy" || outcome.type === "denied") {
      message.sentBack += 1;
      const wanted = outcome.type === "busy" ? outcome.retryAfter : lane.backoff(message.sentBack);
      seconds = Math.max(wanted, SHORTEST_PUSH_BACKOFF);
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
    if (this.#closed) message.finish(ABANDONED);
    else if (seconds > 0) this.#delayed.set(this.#clock.now() + seconds * 1000, message);
    else this.#offer(message);
  }

  /** What a dead-letter policy does: nobody could take the message, so it is kept aside. */
  #giveUp(lane: Lane, message: Message, outcome: Outcome): void {
    const letter = undeliverable(message, outcome, this.#clock.now());
    this.deadLetters.park(letter);
    this.#host.logger.error("a message could not be delivered and was parked as a dead letter", {
      task: letter.path,
      taskId: letter.taskId,
      error: "error" in outcome ? loggableError(outcome.error) : outcome.type,
    });
    this.#finish(lane, message, outcome);
  }

  #finish(lane: Lane, message: Message, outcome: Outcome): void {
    if (message.scheduledFor !== undefined) lane.ticks -= 1;
    this.#unfinished -= 1;
    message.finish(outcome);
    if (this.#unfinished === 0) this.#waitingForIdle = released(this.#waitingForIdle);
  }
}

/** Resolves those who wait, and leaves nobody waiting. */
function released(waiting: readonly (() => void)[]): (() => void)[] {
  for (const resolve of waiting) resolve();
  return [];
}
