import type { Backend, BackendHost, OutgoingTask, PushTrust, Receipt } from "../core/backend.ts";
import type { AnyRoute } from "../core/declaration.ts";
import type { Delivery } from "../core/delivery.ts";
import type { Outcome } from "../core/outcome.ts";
import { isThenable } from "../core/thenable.ts";
import { tickId } from "../core/tick.ts";
import type { VirtualClock } from "../engine/clock.ts";
import type { Dispatcher } from "../engine/dispatcher.ts";
import { Engine } from "../engine/engine.ts";
import type { EngineHost } from "../engine/host.ts";
import { inProcessHost } from "../engine/in-process.ts";
import type { Message } from "../engine/message.ts";
import { Shelf } from "../engine/shelf.ts";
import { Ticker } from "../engine/ticker.ts";
import { type AnyDelivered, type AnyEnqueued, type AnyPending, deliveredRecord, enqueuedRecord } from "./records.ts";
import { ScriptedFaults } from "./scripted-faults.ts";
import { testIdentity } from "./test-identity.ts";
import { processDied, type TestProcess } from "./test-process.ts";

/** A delivery under way. */
export interface UnderWay {
  /** The moment of its ack deadline, in milliseconds since the epoch. */
  readonly deadline: number;
  /** Settles with it. */
  readonly ended: Promise<void>;
}

/** The backend of a test: the local engine with nothing that starts deliveries, but the test. */
export class TestBackend implements Backend {
  readonly name = "test";
  readonly capabilities = {
    delay: true,
    dedupe: true,
    priority: false,
    ordering: true,
    durable: false,
    results: true,
    overlap: true,
  };
  readonly pushTrust: PushTrust = testIdentity;
  readonly faults: ScriptedFaults = new ScriptedFaults();
  /** What was enqueued, and what was delivered, in order. */
  readonly enqueued: AnyEnqueued[] = [];
  readonly delivered: AnyDelivered[] = [];
  /** Whether ticks that pass are left out. */
  ticksHeld = false;
  readonly #host: BackendHost;
  readonly #clock: VirtualClock;
  readonly #process: TestProcess;
  readonly #engine: Engine;
  readonly #shelf: Shelf;
  readonly #ticker: Ticker;
  readonly #underWay = new Map<Message, UnderWay>();
  readonly #messages = new WeakMap<AnyDelivered, Message>();
  /** What a message repeats, by its id. */
  readonly #originals = new Map<string, Message>();
  #started: Promise<void> | undefined;

  constructor(host: BackendHost, clock: VirtualClock, process: TestProcess) {
    this.#host = host;
    this.#clock = clock;
    this.#process = process;
    const inProcess = inProcessHost({ ...host, execute: (delivery, route) => this.#execute(delivery, route) });
    const engineHost: EngineHost = { ...inProcess, deliver: (message) => this.#run(inProcess, message) };
    let begin: Dispatcher["start"] = () => Promise.resolve(undefined);
    this.#shelf = new Shelf(clock, (message) => begin(message));
    const line = (start: Dispatcher["start"]) => {
      begin = start;
      return this.#shelf;
    };
    this.#engine = new Engine(engineHost, { clock, faults: this.faults, line });
    const engine = this.#engine;
    const ticks = {
      serves: () => true,
      ticksSince: (route: AnyRoute) => engine.ticksSince(route),
      publishTick: (route: AnyRoute, tick: Date) => {
        if (!this.ticksHeld) engine.publishTick(route, tick);
      },
    };
    this.#ticker = new Ticker({ clock, logger: host.logger, host: engineHost, engine: ticks });
  }

  get deadLetters(): Engine["deadLetters"] {
    return this.#engine.deadLetters;
  }

  send(task: OutgoingTask): Receipt | Promise<Receipt> {
    const receipt = this.#engine.publish(task);
    const taken = (given: Receipt): Receipt => {
      // One that carries attempts is created anew, for `RetryAfter`.
      if (!given.deduplicated && task.carriedAttempts === 0) this.enqueued.push(enqueuedRecord(task));
      return given;
    };
    return isThenable(receipt) ? receipt.then(taken) : taken(receipt);
  }

  /** Starts the schedules: from now on they tick as time moves. */
  start(): Promise<void> {
    this.#started ??= this.#ticker.start(this.#host.registry.routes);
    return this.#started;
  }

  async close(): Promise<void> {
    this.#ticker.close();
    this.#engine.close();
  }

  /** What waits, in the order in which it falls due. */
  waiting(): Message[] {
    return this.#shelf.waiting();
  }

  /** All that waits, with what waits for others of its ordering key. */
  pending(): Message[] {
    return [...this.#shelf.waiting(), ...this.#engine.held].sort((a, b) => a.due - b.due);
  }

  /** Deliveries under way. */
  get underWay(): ReadonlyMap<Message, UnderWay> {
    return this.#underWay;
  }

  /** The record of a message that waits or is under way. */
  record(message: Message): AnyPending {
    const { task, lane, attempt, due } = message;
    const { messageId, scheduledFor } = this.#originals.get(message.messageId) ?? message;
    return {
      path: lane.route.path,
      payload: JSON.parse(task.payloadJson),
      taskId: scheduledFor === undefined ? task.id : tickId(this.#host.config, lane.route, scheduledFor),
      attempt,
      due: new Date(due),
      messageId,
      scheduledFor,
    };
  }

  /** Delivers a message that is due. Resolves to `undefined` when it was put behind others. */
  async deliver(message: Message): Promise<AnyDelivered | undefined> {
    const pending = this.record(message);
    const at = this.#clock.now();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#underWay.set(message, { deadline: at + message.lane.route.settings.ackDeadline * 1000, ended });
    const outcome = await this.#shelf.deliver(message);
    this.#underWay.delete(message);
    end();
    const mishap = this.faults.end(message);
    if (outcome === undefined) return undefined;
    const record = deliveredRecord(pending, at, outcome, mishap);
    this.delivered.push(record);
    this.#messages.set(record, message);
    return record;
  }

  /** Sends a tick; `undefined` when the one before it is unfinished and may not overlap. */
  tick(route: AnyRoute): Message | undefined {
    return this.#newcomer(() => this.#engine.publishTick(route, new Date(this.#clock.now())));
  }

  /** The record of a tick that was not sent. */
  skipped(route: AnyRoute): AnyDelivered {
    const at = new Date(this.#clock.now());
    const taskId = tickId(this.#host.config, route, at);
    return {
      path: route.path,
      payload: route.settings.schedulePayload,
      taskId,
      attempt: 1,
      at,
      outcome: { type: "skipped", reason: "overlap" },
      acknowledged: true,
      mishap: undefined,
      messageId: taskId,
      scheduledFor: at,
    };
  }

  /** Lets the message of an acknowledged delivery come once more. */
  repeat(record: AnyDelivered): Message {
    const message = this.#messages.get(record) as Message;
    const task = { ...message.task, runAt: undefined, dedupe: undefined, carriedAttempts: record.attempt - 1 };
    const repeated = this.#newcomer(() => void this.#engine.publish(task)) as Message;
    this.#originals.set(repeated.messageId, this.#originals.get(message.messageId) ?? message);
    return repeated;
  }

  /** Lets the process die: what is under way will not be acknowledged. */
  die(): void {
    this.faults.crashAll();
    this.#process.die();
  }

  #newcomer(act: () => void): Message | undefined {
    const before = new Set(this.#shelf.waiting());
    act();
    return this.#shelf.waiting().find((message) => !before.has(message));
  }

  async #run(host: EngineHost, message: Message): Promise<Outcome> {
    const doomed = this.faults.of(message) === "crash";
    const outcome = await host.deliver(message);
    if (doomed) this.die();
    return this.faults.of(message) === "crash" && outcome.type === "busy" ? processDied() : outcome;
  }

  /** A message that is repeated arrives as it did at first. */
  #execute(delivery: Delivery, route: AnyRoute): Promise<Outcome> {
    const original = this.#originals.get(delivery.messageId);
    if (original === undefined) return this.#host.execute(delivery, route);
    const { messageId, scheduledFor } = original;
    const tick = scheduledFor === undefined ? {} : { scheduled: true, scheduledFor, enqueuedAt: undefined };
    return this.#host.execute({ ...delivery, ...tick, messageId }, route);
  }
}
