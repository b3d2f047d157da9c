import { AsyncLocalStorage } from "node:async_hooks";
import type { Backend, BackendFactory, BackendHost, OutgoingTask, Receipt } from "../core/backend.ts";
import { describeError } from "../core/dead-letter.ts";
import { TasksError } from "../core/errors.ts";
import { assertKnownOptions } from "../core/options.ts";
import { isSettled, type Outcome } from "../core/outcome.ts";
import { assertDevelopment } from "../core/production.ts";
import { DedupeKeys, dedupeKeyOf } from "../engine/dedupe.ts";
import { ParkedLetters } from "../engine/parked.ts";

/** Tasks enqueued within one another, from which on they are taken for endless. */
const DEEPEST = 1000;

/** Options of {@link immediate}. */
export interface ImmediateOptions {
  /**
   * Whether `enqueue` throws `TASK_FAILED` when the task fails, with what it threw as `cause`, instead of recording that as
   * the run's outcome. Default `false`.
   */
  readonly throwOnFailure?: boolean;
  /** Whether it may be used in production. Default `false`. */
  readonly allowInProduction?: boolean;
}

/**
 * Runs every task inline, before `enqueue` resolves: once, through the same JSON round trip, schema, context and
 * middleware as anywhere else. For tests. A failure is the run's outcome (`run.outcome()`, `run.result()`) and is not
 * retried. Time does not pass inline, so that `delay` and `runAt` run at once; a task that enqueues itself again and again
 * is refused after 1000 rounds (`UNSUPPORTED`): use the local backend on a virtual clock for it.
 */
export function immediate(options: ImmediateOptions = {}): BackendFactory {
  assertKnownOptions("immediate", options, ["throwOnFailure", "allowInProduction"]);
  return (host) => {
    assertDevelopment(host.config, "immediate", options.allowInProduction);
    return new ImmediateBackend(host, options.throwOnFailure ?? false);
  };
}

class ImmediateBackend implements Backend {
  readonly name = "immediate";
  readonly capabilities = {
    delay: true,
    dedupe: true,
    priority: false,
    ordering: true,
    durable: false,
    results: true,
    overlap: true,
  };
  readonly deadLetters: ParkedLetters;
  readonly #host: BackendHost;
  readonly #throwOnFailure: boolean;
  readonly #keys = new DedupeKeys<Receipt>();
  /** How many tasks the one that is enqueued now was enqueued within. */
  readonly #depth = new AsyncLocalStorage<number>();
  /** The last run of each ordering key that is not finished. */
  readonly #last = new Map<string, Promise<Outcome>>();
  #sent = 0;

  constructor(host: BackendHost, throwOnFailure: boolean) {
    this.#host = host;
    this.#throwOnFailure = throwOnFailure;
    this.deadLetters = new ParkedLetters({
      clock: host.clock,
      route: (path) => host.registry.routes.find((route) => route.path === path),
      publish: (task) => this.#rerun(task),
    });
  }

  async send(task: OutgoingTask): Promise<Receipt> {
    if (this.#enclosing >= DEEPEST) {
      throw new TasksError(
        "UNSUPPORTED",
        `"${task.route.path}": expected tasks that come to an end, got ${DEEPEST} enqueued within one another; use the local backend for a task that enqueues itself`,
      );
    }
    if (task.carriedAttempts > 0) {
      throw new TasksError(
        "UNSUPPORTED",
        `"${task.route.path}": expected a backend that retries, got immediate, which would run the task here and now; leave it with whoever delivers it`,
      );
    }
    if (task.dedupe === undefined) return this.#receipt(task, await this.#inOrder(task));
    const now = this.#host.clock.now();
    const key = dedupeKeyOf(task.route, task.dedupe.key);
    const holder = this.#keys.holder(key, now);
    if (holder !== undefined) return { ...holder, deduplicated: true };
    let settle: (outcome: Promise<Outcome>) => void = () => {};
    const outcome = new Promise<Outcome>((resolve) => {
      settle = resolve;
    });
    // Held before the task runs, so that a task which enqueues its own key does not run itself for ever.
    this.#keys.hold(key, { id: task.id, deduplicated: false, outcome: () => outcome }, now + task.dedupe.window * 1000);
    const running = this.#inOrder(task);
    outcome.catch(() => {});
    settle(running);
    return this.#receipt(task, await running);
  }

  /** Nothing inline tries a task again: one that fails once more stays parked. */
  async #rerun(task: OutgoingTask): Promise<void> {
    const outcome = await this.#run(task);
    assertOpen(outcome);
    if (!isSettled(outcome)) throwFailure(task, outcome);
  }

  #receipt(task: OutgoingTask, outcome: Outcome): Receipt {
    assertOpen(outcome);
    if (this.#throwOnFailure) throwFailure(task, outcome);
    return { id: task.id, deduplicated: false, outcome: () => Promise.resolve(outcome) };
  }

  /** Of one ordering key one after the other. */
  #inOrder(task: OutgoingTask): Promise<Outcome> {
    if (task.orderingKey === undefined) return this.#run(task);
    const key = `${task.route.path}\n${task.orderingKey}`;
    const before = this.#last.get(key);
    const run = () => this.#run(task);
    // One that is enqueued within another of its key would wait for itself.
    const running = before === undefined || this.#enclosing > 0 ? run() : before.then(run, run);
    this.#last.set(key, running);
    const forget = () => {
      if (this.#last.get(key) === running) this.#last.delete(key);
    };
    running.then(forget, forget);
    return running;
  }

  get #enclosing(): number {
    return this.#depth.getStore() ?? 0;
  }

  async #run(task: OutgoingTask): Promise<Outcome> {
    // On a stack of its own: tasks enqueued within one another would use up a single one.
    await undefined;
    return this.#depth.run(this.#enclosing + 1, () => this.#execute(task));
  }

  #execute(task: OutgoingTask): Promise<Outcome> {
    const { clock, execute } = this.#host;
    this.#sent += 1;
    return execute(
      {
        transport: "immediate",
        taskId: task.id,
        taskName: task.route.name,
        args: [],
        kwargs: JSON.parse(task.payloadJson) as Record<string, unknown>,
        enqueuedAt: task.enqueuedAt,
        messageId: String(this.#sent),
        attempt: 1,
        scheduled: false,
        scheduledFor: undefined,
        publishTime: undefined,
        receivedAt: clock.now(),
        attributes: {},
      },
      task.route,
    );
  }

  async close(): Promise<void> {}
}

/** A task that came while the client was closing was not run. Elsewhere it would come again. */
function assertOpen(outcome: Outcome): void {
  if (outcome.type !== "busy" || outcome.reason !== "draining") return;
  throw new TasksError("CLOSED", "enqueue: expected an open backend, got a closed one; enqueue before close()");
}

function throwFailure(task: OutgoingTask, outcome: Outcome): void {
  if (outcome.type === "done" || outcome.type === "skipped") return;
  const cause = "error" in outcome ? outcome.error : undefined;
  const got = cause === undefined ? outcome.type : describeError(cause);
  throw new TasksError("TASK_FAILED", `"${task.route.path}": expected the task to succeed, got ${got}; see cause`, {
    cause,
  });
}
