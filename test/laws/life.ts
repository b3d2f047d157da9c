import { rmSync } from "node:fs";
import { local } from "../../src/backends/local.ts";
import type { TimerHandle, TimerOptions } from "../../src/core/clock.ts";
import type { EnqueueOptions, TaskContext } from "../../src/core/context.ts";
import type { FinishedEvent } from "../../src/core/events.ts";
import type { FaultOptions } from "../../src/core/fault-options.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { TaskContractOptions } from "../../src/core/route-options.ts";
import type { Tasks } from "../../src/core/tasks.ts";
import { isThenable } from "../../src/core/thenable.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { recordLog } from "../support/log.ts";
import { killedNow } from "../support/queue-file.ts";

type Payload = Readonly<Record<string, unknown>>;

/** A route without its body. */
export type RouteSpec = Omit<TaskContractOptions<string, Payload, Payload>, "schedulePayload">;

/** When a process is killed: so many moments into its life, and so many turns of the event loop after that. */
export interface Doom {
  /** Counted are its beginning, each task offered and accepted, each timer, and each run's beginning and end. */
  readonly moments: number;
  readonly turns: number;
  /** Seconds until the next process is started. */
  readonly downtime: number;
}

/** One run of a task, as the task saw it. */
export interface Run {
  /** The process that ran it, counted from 0. */
  readonly life: number;
  readonly path: string;
  readonly id: string;
  readonly payload: Payload;
  /** Which run of its task it is, from 1, through all processes. */
  readonly count: number;
  readonly messageId: string;
  readonly attempt: number;
  readonly scheduledFor: number | undefined;
  /** When it began, in milliseconds since the epoch. */
  readonly at: number;
  /** How it ended and when; `undefined` while it runs, for ever if its process was killed. */
  end: { readonly at: number; readonly as: "returned" | "threw" } | undefined;
}

/** One call of `enqueue`. */
export interface Offer {
  readonly path: string;
  readonly id: string;
  readonly options: EnqueueOptions;
  readonly life: number;
  /** When it was made, in milliseconds since the epoch. */
  readonly at: number;
  /** What `enqueue` resolved to while its process lived. */
  accepted: { readonly id: string; readonly deduplicated: boolean } | undefined;
  /** The task's end, if its enqueuer was told. */
  told: Outcome | undefined;
}

/** What a world has seen, through all its processes. */
export interface Chronicle {
  readonly runs: Run[];
  readonly offers: Offer[];
  readonly finished: (FinishedEvent & { readonly life: number })[];
}

/** What the processes of a world have in common. */
export interface LifeOptions {
  readonly routes: readonly RouteSpec[];
  /** What a task does. */
  readonly body: (run: Run, life: Life, ctx: TaskContext) => unknown;
  readonly maxInFlight?: number;
  readonly faults?: FaultOptions;
  /** Seconds. */
  readonly drainTimeout?: number;
  readonly ready?: () => boolean;
}

const NEVER = new Promise<never>(() => {});

/** Virtual time that stands still for a process once it is dead. */
class MortalClock extends VirtualClock {
  readonly #beat: () => boolean;

  constructor(start: Date, beat: () => boolean) {
    super(start);
    this.#beat = beat;
  }

  override setTimeout(callback: () => void, ms: number, options?: TimerOptions): TimerHandle {
    return super.setTimeout(() => this.#beat() && callback(), ms, options);
  }
}

/** One process of a service: a client on the local backend that can be killed at any moment. */
export class Life {
  readonly number: number;
  readonly clock: VirtualClock;
  readonly tasks: Tasks<TaskRoute<string>>;
  readonly lines: ReturnType<typeof recordLog>["lines"];
  /** Resolves when it is killed. */
  readonly death: Promise<void>;
  /** What it left, and when. */
  remains: { readonly file: string; readonly at: number; readonly downtime: number } | undefined;
  /** Path of its queue. */
  readonly file: string;
  readonly #options: LifeOptions;
  readonly #chronicle: Chronicle;
  readonly #doom: Doom | undefined;
  readonly #routes: ReadonlyMap<string, TaskRoute<string>>;
  readonly #dies: () => void;
  #moments = 0;

  constructor(options: LifeOptions, number: number, file: string, start: number, chronicle: Chronicle, doom?: Doom) {
    this.number = number;
    this.#options = options;
    this.file = file;
    this.#chronicle = chronicle;
    this.#doom = doom;
    this.clock = new MortalClock(new Date(start), () => this.moment());
    ({ promise: this.death, resolve: this.#dies } = Promise.withResolvers<void>());
    const routes = options.routes.map(
      (spec) => new TaskRoute({ ...spec, run: (payload, ctx: TaskContext) => this.#run(spec.path, payload, ctx) }),
    );
    this.#routes = new Map(routes.map((route) => [route.path, route]));
    const { logger, lines } = recordLog();
    this.lines = lines;
    const { maxInFlight, faults, drainTimeout, ready } = options;
    this.tasks = createTasks({
      routes,
      clock: this.clock,
      logger,
      env: {},
      backend: local({
        file,
        ...(maxInFlight === undefined ? {} : { maxInFlight }),
        ...(faults === undefined ? {} : { faults }),
      }),
      hooks: { finished: (event) => !this.isDead && chronicle.finished.push({ ...event, life: number }) },
      ...(drainTimeout === undefined ? {} : { drainTimeout }),
      ...(ready === undefined ? {} : { ready }),
    });
  }

  /** Begins to deliver. */
  async open(): Promise<void> {
    if (this.moment()) await Promise.race([this.tasks.start(), this.death]);
  }

  get isDead(): boolean {
    return this.remains !== undefined;
  }

  /** One of the moments that a {@link Doom} counts; says whether the process has survived it. */
  moment(): boolean {
    if (this.#doom !== undefined && this.#moments === this.#doom.moments) this.killAfter(this.#doom.turns);
    this.#moments += 1;
    return !this.isDead;
  }

  /** Kills it after so many turns of the event loop. */
  killAfter(turns: number): void {
    if (turns === 0) this.kill();
    else setImmediate(() => this.killAfter(turns - 1));
  }

  /** Kills it, so that nothing of it is left but its file as it is now. */
  kill(downtime: number = this.#doom?.downtime ?? 0): void {
    if (this.isDead) return;
    this.remains = { file: killedNow(this.file), at: this.clock.now(), downtime };
    this.#dies();
    this.discard();
  }

  /** Lets go of its file. What it still does is done to one that nobody will read. */
  discard(): void {
    const remove = () => ["", "-wal", "-shm"].map((suffix) => rmSync(this.file + suffix, { force: true }));
    void this.tasks.runtime.backend.close().then(remove);
  }

  /** Enqueues a task, without waiting for it to be accepted. */
  offer(path: string, id: string, payload: Payload = {}, options: EnqueueOptions = {}): Offer {
    const { number: life, clock } = this;
    const offer: Offer = { path, id, options, life, at: clock.now(), accepted: undefined, told: undefined };
    if (this.moment()) {
      this.#chronicle.offers.push(offer);
      void this.#enqueue(offer, payload);
    }
    return offer;
  }

  async #enqueue(offer: Offer, payload: Payload): Promise<void> {
    const route = this.#routes.get(offer.path);
    if (route === undefined) throw new Error(`no route ${offer.path}`);
    const { id } = offer;
    const run = await this.answered(this.tasks.enqueue(route, payload, { ...offer.options, id }));
    offer.accepted = { id: run.id, deduplicated: run.deduplicated };
    if (!this.moment() || run.deduplicated) return;
    const outcome = await this.answered(run.outcome());
    if (outcome.type !== "busy") offer.told = outcome;
  }

  /** Settles as some work does, unless the process is dead by then. */
  answered<T>(work: Promise<T>): Promise<T> {
    return work.then(
      (answer) => (this.isDead ? NEVER : answer),
      (error: unknown) => {
        if (this.isDead) return NEVER;
        throw error;
      },
    );
  }

  /** Resolves after so many seconds, unless the process is dead by then. */
  after(seconds: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimeout(resolve, seconds * 1000));
  }

  #run(path: string, payload: Payload, ctx: TaskContext): unknown {
    if (this.isDead) return NEVER;
    const { taskId: id, messageId, attempt } = ctx;
    const { runs } = this.#chronicle;
    const count = runs.filter((earlier) => earlier.id === id).length + 1;
    const scheduledFor = ctx.scheduledFor?.getTime();
    const of = { life: this.number, path, id, payload, count, messageId, attempt, scheduledFor };
    const run: Run = { ...of, at: this.clock.now(), end: undefined };
    runs.push(run);
    if (!this.moment()) return NEVER;
    let work: unknown;
    try {
      work = this.#options.body(run, this, ctx);
    } catch (error) {
      work = Promise.reject(error);
    }
    if (!isThenable(work)) return this.#ended(run, "returned") ? work : NEVER;
    return work.then(
      (result) => (this.#ended(run, "returned") ? result : NEVER),
      (error: unknown) => {
        if (!this.#ended(run, "threw")) return NEVER;
        throw error;
      },
    );
  }

  #ended(run: Run, as: "returned" | "threw"): boolean {
    if (!this.moment()) return false;
    run.end = { at: this.clock.now(), as };
    return true;
  }
}
