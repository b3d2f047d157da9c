import type { OutgoingTask, Receipt } from "../core/backend.ts";
import type { Clock } from "../core/clock.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { TasksError } from "../core/errors.ts";
import { ABANDONED, Dispatcher } from "./dispatcher.ts";
import type { Faults } from "./fault.ts";
import type { EngineHost } from "./host.ts";
import { Hosts } from "./hosts.ts";
import { Intake } from "./intake.ts";
import type { Journal } from "./journal.ts";
import { assertMaxInFlight, Lanes, MAX_IN_FLIGHT } from "./lanes.ts";
import type { Line } from "./line.ts";
import { Message } from "./message.ts";
import { Order } from "./order.ts";
import { ParkedLetters } from "./parked.ts";
import { Pump } from "./pump.ts";
import { Strangers } from "./strangers.ts";
import { Tally } from "./tally.ts";
import { tickTask } from "./tick-task.ts";

/** Settings of an engine. */
export interface EngineOptions {
  readonly clock: Clock;
  /** Deliveries in flight at once, all routes together; a whole number of 1 or more. Default 100. */
  readonly maxInFlight?: number | undefined;
  /** Where the queue is kept. Default: in memory alone. */
  readonly journal?: Journal | undefined;
  /** What goes wrong. Default: nothing. */
  readonly faults?: Faults | undefined;
  /** Makes what messages wait in, given what begins their delivery. Default: a {@link Pump}, which starts them by itself. */
  readonly line?: ((start: Dispatcher["start"]) => Line) | undefined;
}

/**
 * The local queue, with the semantics of the cloud: retries with back-off, delays, dedupe keys, dead letters, per-route
 * concurrency and rate. It knows nothing of how a message is delivered. With a journal, what it has accepted outlives the
 * process.
 */
export class Engine {
  readonly deadLetters: ParkedLetters;
  readonly #clock: Clock;
  readonly #journal: Journal | undefined;
  readonly #lanes: Lanes;
  readonly #line: Order;
  readonly #dispatcher: Dispatcher;
  readonly #intake: Intake;
  readonly #strangers: Strangers;
  readonly #hosts: Hosts;
  readonly #tally = new Tally((message) => this.#line.pass(message));
  #lastNumber: number;
  #closed = false;

  /** @throws TasksError `INVALID_OPTION`. */
  constructor(host: EngineHost, { clock, maxInFlight = MAX_IN_FLIGHT, journal, faults, line }: EngineOptions) {
    this.#clock = clock;
    this.#journal = journal;
    this.#lanes = new Lanes(assertMaxInFlight(maxInFlight));
    this.#hosts = new Hosts(this.#lanes);
    const start = (message: Message) => this.#dispatcher.start(message);
    this.#line = new Order(line?.(start) ?? new Pump(clock, this.#lanes, start));
    // Like Pub/Sub's, message ids are numbers of 16 digits; those of an engine that is started later are greater.
    this.#lastNumber = Math.max(Math.floor(clock.now() * 1000), journal?.lastNumber() ?? 0);
    faults?.begin?.(this.#lastNumber + 1);
    const published = {
      clock,
      journal,
      route: (path: string) => this.#lanes.route(path),
      publish: (task: OutgoingTask) => this.publish(task),
    };
    this.deadLetters = new ParkedLetters(published, journal?.letters());
    this.#dispatcher = new Dispatcher({
      clock,
      journal,
      faults,
      lanes: this.#lanes,
      line: this.#line,
      letters: this.deadLetters,
      tally: this.#tally,
    });
    this.#strangers = new Strangers(journal);
    this.#intake = new Intake({
      journal,
      accept: (task, now) => this.#accept(task, now),
      withdraw: (message, outcome) => {
        message.finish(outcome);
        this.#tally.end(message);
      },
    });
    this.attach(host);
    this.#intake.holdKept(clock.now(), () => this.#line.waiting());
  }

  /**
   * Delivers to another host from now on what is of its routes: the same ones, evaluated anew by a hot reload, or further
   * ones. A host that has a route in common with a later one is done with as a whole: it was an earlier evaluation. What
   * waits stays, and what a file keeps of these routes is taken up.
   */
  attach(host: EngineHost): void {
    if (!this.#hosts.add(host)) return;
    for (const route of host.routes) {
      const lane = this.#lanes.of(route);
      for (const message of this.#strangers.of(lane)) this.#restore(message);
      this.#line.resume(lane);
    }
    for (const message of this.#line.waiting()) if (message.lane.host === host) message.reclaim();
    this.#strangers.report(this.#line.waiting(), host.logger);
  }

  /** Whether a host's routes are still its own: whether it is not closed, and was not followed by a later one. */
  serves(host: EngineHost): boolean {
    return this.#hosts.has(host);
  }

  /** Whether it runs any of a host's routes already. */
  hasRouteOf({ routes }: EngineHost): boolean {
    return routes.some(({ path }) => this.#lanes.route(path) !== undefined);
  }

  /** Messages that are not finished: waiting, delayed or in flight. */
  get unfinished(): number {
    return this.#tally.unfinished;
  }

  /** Messages that wait for others of their ordering key, in no particular order among keys. */
  get held(): readonly Message[] {
    return this.#line.held();
  }

  /** Messages in flight. */
  get inFlight(): number {
    return this.#lanes.taken;
  }

  /**
   * Takes a task, unless its dedupe key is held. With a journal it resolves once the task is written down.
   *
   * @throws TasksError `CLOSED`; what the journal's file threw.
   */
  publish(task: OutgoingTask): Receipt | Promise<Receipt> {
    return this.#intake.publish(task, this.#clock.now());
  }

  /**
   * Takes a task as `publish` does, without a look at its dedupe key, and gives out its message: for hosts that go on to deal
   * with it. Not written down before it returns.
   *
   * @throws TasksError `CLOSED`.
   */
  post(task: OutgoingTask): Message {
    return this.#accept(task, this.#clock.now());
  }

  /**
   * Takes a message out for good, whether it waits or is in flight; what a delivery under way comes to has no effect any more.
   * Whoever waits for its outcome is told that it was `discarded`. `false` when it is finished already.
   */
  withdraw(message: Message): boolean {
    if (message.isFinished) return false;
    message.finish({ type: "discarded", reason: "discarded", error: undefined });
    if (!message.isInFlight) this.#line.forget(message);
    this.#journal?.mark(message);
    this.#tally.end(message);
    return true;
  }

  /**
   * Delivers a message now, whatever its moment and the limits of its lane; `false` when it does not wait: it is in flight or
   * finished. Costs time that grows with what waits.
   */
  expedite(message: Message): boolean {
    if (this.#closed || message.isFinished || !this.#line.take(message)) return false;
    message.due = this.#clock.now();
    void this.#dispatcher.start(message);
    return true;
  }

  /** Looks again at a route whose limits have changed. */
  resume(route: AnyRoute): void {
    const lane = this.#lanes.of(route);
    this.#clock.clearTimeout(lane.timer);
    lane.timer = undefined;
    this.#line.resume(lane);
  }

  /** Sends a schedule's message, unless the one before it is unfinished and may not overlap. */
  publishTick(route: AnyRoute, tick: Date): void {
    const lane = this.#lanes.of(route);
    if (this.#closed || lane.host === undefined) return;
    this.#journal?.ticked(route, tick.getTime());
    if (lane.ticks > 0 && route.settings.overlap !== "allow") {
      lane.host.skipped(route, tick);
      return;
    }
    const now = this.#clock.now();
    // A commit that fails is reported and tried again by the journal; the tick is in memory meanwhile.
    this.#accept(tickTask(route, tick, now), now, tick);
  }

  /**
   * The moment from which a route's ticks are to be sent: that of its last tick where a file has kept one, so that the one
   * missed while no process ran is made up for; else now, as after a tick that a clock which was ahead has left.
   */
  ticksSince(route: AnyRoute): Date {
    const kept = this.#journal?.lastTick(route);
    const now = this.#clock.now();
    if (kept !== undefined && kept <= now) return new Date(kept);
    this.#journal?.ticked(route, now);
    return new Date(now);
  }

  /** Resolves once nothing is unfinished. */
  whenIdle(): Promise<void> {
    return this.#tally.whenIdle();
  }

  /**
   * Takes a host's routes from it: nothing more is delivered to it, and whoever waits for the outcome of a task of its
   * routes is told that there will be none (`busy`, `draining`). What waits is kept for the next host of the same routes.
   * When no host is left the engine is closed.
   *
   * @returns whether it is closed.
   */
  detach(host: EngineHost): boolean {
    if (!this.#hosts.remove(host)) return false;
    if (this.#hosts.size === 0) {
      this.close();
      return true;
    }
    for (const message of this.#line.waiting()) if (message.lane.host === undefined) message.abandon(ABANDONED);
    return false;
  }

  /**
   * Detaches a host whose routes will not come back: what waits of theirs is withdrawn, and they are forgotten. Withdraw first
   * what is in flight, or it waits for ever if it comes back.
   */
  retire(host: EngineHost): void {
    const lanes = [...this.#lanes.all()].filter((lane) => lane.host === host);
    for (const message of this.#line.waiting()) if (message.lane.host === host) this.withdraw(message);
    for (const lane of lanes) {
      this.#clock.clearTimeout(lane.timer);
      this.#lanes.remove(lane);
    }
    this.detach(host);
  }

  /**
   * Stops delivering and takes no more tasks. What is in flight may finish; what waits is given up: it still counts as
   * `unfinished`, and whoever waits for its outcome is told that there will be none.
   */
  close(): void {
    this.#closed = true;
    this.#line.close();
    this.#dispatcher.close();
    for (const message of this.#line.waiting()) message.abandon(ABANDONED);
  }

  /** Lets go of what the closed engine holds; says how many tasks it gave up if they were in memory alone. */
  dispose(logger: EngineHost["logger"]): void {
    if (this.#journal?.close() === false)
      logger.error(
        "the local queue was closed with changes that could not be written; the next process repeats what they were",
      );
    else if (this.#journal === undefined && this.unfinished > 0) {
      const fields = { waiting: this.unfinished };
      logger.warn("the local backend was closed with tasks waiting in memory; they are gone", fields);
    }
  }

  #accept(task: OutgoingTask, now: number, tick?: Date): Message {
    if (this.#closed)
      throw new TasksError("CLOSED", "enqueue: expected an open backend, got a closed one; enqueue before close()");
    this.#lastNumber += 1;
    const message = new Message(task, this.#lanes.of(task.route), this.#lastNumber, now, tick);
    this.#tally.begin(message);
    // Placed first: what starts within this turn is written down together with its beginning.
    this.#line.place(message);
    this.#journal?.mark(message);
    return message;
  }

  #restore(message: Message): void {
    this.#tally.begin(message);
    if (message.isInFlight) {
      message.isInFlight = false;
      this.#dispatcher.recover(message);
    } else this.#line.place(message);
  }
}
