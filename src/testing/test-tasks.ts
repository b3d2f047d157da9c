import type { AnyRoute } from "../core/declaration.ts";
import { TasksError } from "../core/errors.ts";
import { assertKnownOptions, OptionReader, shown } from "../core/options.ts";
import type { Runtime } from "../core/runtime.ts";
import { Tasks } from "../core/tasks.ts";
import type { VirtualClock } from "../engine/clock.ts";
import { assertNoLetters, Driver, noDelivery } from "./driver.ts";
import { type AnyTestTasks, hasSucceeded } from "./expectations.ts";
import type { AnyDelivered, DeliveredTask, EnqueuedTask, PendingTask } from "./records.ts";
import type { TestBackend } from "./test-backend.ts";

/** How to deliver many tasks. */
export interface DeliverOptions {
  /**
   * Deliveries after which they are taken for endless; those of one moment only where the end is a moment. Default 1000.
   */
  readonly limit?: number;
  /** Whether tasks may end as dead letters; else one that does fails the test. Default that of the client. */
  readonly allowDeadLetters?: boolean;
}

/** What a {@link TestTasks} is made of. */
export interface TestTasksParts {
  readonly runtime: Runtime;
  readonly backend: TestBackend;
  readonly clock: VirtualClock;
  /** Seconds of the machine's time that a delivery may take; 0 for ever. */
  readonly patience: number;
  readonly allowDeadLetters: boolean;
  /** Seconds that `close` waits for running tasks. */
  readonly drainTimeout: number;
}

const LIMIT = 1000;
/** Seconds that the runs of a closed client get to end once their signals were aborted, and a little more. */
const ABORT_GRACE_S = 2;

/**
 * The client of a test: all that `Tasks` can do, on a queue from which nothing is delivered unless the test says so, and
 * on time that only the test moves.
 */
export class TestTasks<U extends AnyRoute> extends Tasks<U> implements AnyTestTasks {
  /** Time, as the tasks see it. */
  readonly clock: VirtualClock;
  readonly #backend: TestBackend;
  readonly #driver: Driver;
  readonly #allowDeadLetters: boolean;
  readonly #drainTimeout: number;

  constructor({ runtime, backend, clock, patience, allowDeadLetters, drainTimeout }: TestTasksParts) {
    super(runtime);
    this.clock = clock;
    this.#backend = backend;
    this.#driver = new Driver(backend, clock, patience);
    this.#allowDeadLetters = allowDeadLetters;
    this.#drainTimeout = drainTimeout;
  }

  /** The present, as the tasks see it. */
  get now(): Date {
    return new Date(this.clock.now());
  }

  /** Every task that was enqueued, by the service or by a task, in order; what schedules send is not among them. */
  get enqueued(): readonly EnqueuedTask<U>[] {
    return [...this.#backend.enqueued] as EnqueuedTask<U>[];
  }

  /** The tasks that wait, in the order in which they fall due. */
  get pending(): readonly PendingTask<U>[] {
    return this.#backend.pending().map((message) => this.#backend.record(message)) as PendingTask<U>[];
  }

  /** The tasks that are being delivered right now. */
  get running(): readonly PendingTask<U>[] {
    return [...this.#backend.underWay.keys()].map((message) => this.#backend.record(message)) as PendingTask<U>[];
  }

  /** Every delivery that has ended, in order, with what it came to; retries are deliveries of their own. */
  get delivered(): readonly DeliveredTask<U>[] {
    return [...this.#backend.delivered] as DeliveredTask<U>[];
  }

  /** The deliveries among them whose task returned and was acknowledged. */
  get succeeded(): readonly DeliveredTask<U>[] {
    return this.#backend.delivered.filter(hasSucceeded) as DeliveredTask<U>[];
  }

  /**
   * Delivers the next task that is due. What the task throws is in the `outcome`, and thrown no further.
   *
   * @param route the next one of it. Default: of any.
   * @throws TasksError `NO_DELIVERY` when none is due, with what waits; `TIMEOUT` when the run hangs.
   */
  async deliverNext<P extends U["path"]>(route?: {
    readonly path: P;
  }): Promise<DeliveredTask<Extract<U, { path: P }>>> {
    const path = this.#pathOf(route);
    const delivered = await this.#driver.next(path);
    if (delivered === undefined) throw this.#driver.nothingDue("deliverNext", path);
    return delivered as DeliveredTask<Extract<U, { path: P }>>;
  }

  /**
   * Delivers until nothing is left: retries and delays too, for which it moves time, and whatever tasks enqueue. Schedules
   * stand still meanwhile. Resolves to the deliveries that it made.
   *
   * @throws TasksError `TASK_FAILED` when tasks ended as dead letters, unless they may; `TIMEOUT` when there is no end to it,
   * with the tasks that come again and again, or when a run hangs.
   */
  async deliverAll(options: DeliverOptions = {}): Promise<readonly DeliveredTask<U>[]> {
    return this.#many("deliverAll", options, (limit) => this.#driver.all(limit));
  }

  /**
   * Moves time to a moment, and delivers all that falls due until then at its own moment. Schedules tick. Resolves to the
   * deliveries that it made.
   *
   * @throws as {@link TestTasks.deliverAll}; TasksError `INVALID_OPTION` for a moment that lies in the past.
   */
  async deliverUntil(moment: Date, options: DeliverOptions = {}): Promise<readonly DeliveredTask<U>[]> {
    if (!(moment instanceof Date && moment.getTime() >= this.clock.now()))
      refuseTime("deliverUntil", `a Date at or after ${this.now.toISOString()}`, moment);
    await this.start();
    return this.#many("deliverUntil", options, (limit) => this.#driver.until(moment.getTime(), limit));
  }

  /**
   * Moves time and delivers nothing: what falls due can be delivered afterwards, schedules tick, and deadlines of what is
   * under way pass.
   */
  async advance(seconds: number): Promise<void> {
    if (!(Number.isFinite(seconds) && seconds >= 0)) refuseTime("advance", "0 or more seconds", seconds);
    await this.start();
    await this.clock.advance(seconds * 1000);
  }

  /**
   * Sends a tick of a schedule, as Cloud Scheduler would now, and delivers it. While an earlier one is unfinished its outcome
   * is `skipped`, as it would be. Called twice at one moment it is one tick that fires twice.
   *
   * @throws TasksError `INVALID_OPTION` for a route without a schedule; `TIMEOUT` when the run hangs.
   */
  async runSchedule<P extends U["path"]>(route: { readonly path: P }): Promise<DeliveredTask<Extract<U, { path: P }>>> {
    const scheduled = this.runtime.registry.resolve(route);
    if (scheduled.settings.schedule === undefined || scheduled.run === undefined) {
      throw new TasksError(
        "INVALID_OPTION",
        `runSchedule: expected a route with a schedule and a body, got "${scheduled.path}"; enqueue it instead`,
      );
    }
    const message = this.#backend.tick(scheduled);
    const delivered = message === undefined ? this.#backend.skipped(scheduled) : await this.#driver.one(message);
    return delivered as DeliveredTask<Extract<U, { path: P }>>;
  }

  /**
   * Delivers the last delivery once more although it was acknowledged, as an at-least-once service may: the same task id,
   * message id and attempt.
   *
   * @param route the last one of it. Default: of any.
   * @throws TasksError `NO_DELIVERY` when there is none, or when it comes again by itself.
   */
  async redeliverLast<P extends U["path"]>(route?: {
    readonly path: P;
  }): Promise<DeliveredTask<Extract<U, { path: P }>>> {
    const path = this.#pathOf(route);
    const last = this.#backend.delivered.findLast((delivered) => path === undefined || delivered.path === path);
    if (last === undefined)
      throw noDelivery(`redeliverLast: expected a delivery${of(path)}, got none so far; call deliverNext() first`);
    if (!last.acknowledged) {
      throw noDelivery(
        `redeliverLast: expected a delivery that was acknowledged, got one of "${last.path}" whose outcome is ${last.outcome.type}; it comes again by itself, see pending`,
      );
    }
    return (await this.#driver.one(this.#backend.repeat(last))) as DeliveredTask<Extract<U, { path: P }>>;
  }

  /** Lets the next `times` deliveries fail before their task is run; each uses up an attempt. */
  failNext(times = 1): void {
    assertTimes("failNext", times);
    for (let time = 0; time < times; time++) this.#backend.faults.plan("failure");
  }

  /**
   * Lets the acknowledgements of the next `times` deliveries get lost after their task has run: each comes again once its ack
   * deadline has passed.
   */
  dropNext(times = 1): void {
    assertTimes("dropNext", times);
    for (let time = 0; time < times; time++) this.#backend.faults.plan("drop");
  }

  /** Lets the next delivery that is acknowledged come once more all the same; it then waits to be delivered again. */
  duplicateNext(): void {
    this.#backend.faults.plan("duplicate");
  }

  /** Puts the next task that would be delivered behind all others that are due. */
  reorderNext(): void {
    this.#backend.faults.plan("reorder");
  }

  /**
   * Lets the process die in the next delivery of a route, after all that the task does and before it is acknowledged: the
   * task is due again at once, whatever else was under way as well, and `onCrash` forgets what was only in memory.
   */
  crashDuring(route: { readonly path: U["path"] }): void {
    this.#backend.faults.plan("crash", this.#pathOf(route));
  }

  /**
   * Lets the process die here and now, for a fake that a task calls in the middle of its work: `await tasks.crashNow()` never
   * comes back. Else as {@link TestTasks.crashDuring}.
   *
   * @throws TasksError `NO_DELIVERY` when nothing is under way.
   */
  async crashNow(): Promise<never> {
    if (this.#backend.underWay.size === 0)
      throw noDelivery("crashNow: expected to be called by a task, got no delivery under way; see crashDuring(route)");
    this.#backend.die();
    return new Promise(() => {});
  }

  /**
   * Lets the ack deadline of what is under way pass: its signal aborts, a run that does not end fails, and it is retried.
   * Call it between `deliverNext()` and awaiting that.
   *
   * @throws TasksError `NO_DELIVERY` when nothing is under way.
   */
  async expireDeadline(): Promise<void> {
    // A delivery that was asked for just now may not have begun.
    await this.clock.advance(0);
    const deadlines = [...this.#backend.underWay.values()].map(({ deadline }) => deadline);
    if (deadlines.length === 0) {
      throw noDelivery(
        "expireDeadline: expected a delivery under way, got none; call deliverNext() before it, and await that after it",
      );
    }
    await this.clock.advanceTo(new Date(Math.max(this.clock.now(), ...deadlines)));
  }

  /** Closes the client, as `Tasks` does; time passes as far as running tasks take it. */
  override async close(): Promise<void> {
    this.#driver.close();
    const closing = super.close();
    if (this.#backend.underWay.size > 0) await this.clock.advance((this.#drainTimeout + ABORT_GRACE_S) * 1000);
    await closing;
  }

  #pathOf(route: { readonly path: string } | undefined): string | undefined {
    return route === undefined ? undefined : this.runtime.registry.resolve(route).path;
  }

  async #many(
    method: string,
    options: DeliverOptions,
    deliver: (limit: number) => Promise<AnyDelivered[]>,
  ): Promise<readonly DeliveredTask<U>[]> {
    assertKnownOptions(method, options, ["limit", "allowDeadLetters"] satisfies (keyof DeliverOptions)[]);
    const range = { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true };
    const limit = new OptionReader(method, options).number("limit", range, LIMIT);
    const { allowDeadLetters = this.#allowDeadLetters } = options;
    const before = new Set(await this.#backend.deadLetters.list());
    const made = await deliver(limit);
    const letters = (await this.#backend.deadLetters.list()).filter((letter) => !before.has(letter));
    if (!allowDeadLetters) assertNoLetters(method, letters, made);
    return made as DeliveredTask<U>[];
  }
}

function of(path: string | undefined): string {
  return path === undefined ? "" : ` of "${path}"`;
}

function refuseTime(call: string, expected: string, got: unknown): never {
  const shownAs = got instanceof Date && Number.isFinite(got.getTime()) ? got.toISOString() : shown(got);
  throw new TasksError("INVALID_OPTION", `${call}: expected ${expected}, got ${shownAs}; time does not go back`);
}

function assertTimes(call: string, times: number): void {
  if (Number.isInteger(times) && times >= 1) return;
  throw new TasksError("INVALID_OPTION", `${call}: expected a whole number of 1 or more, got ${shown(times)}`);
}
