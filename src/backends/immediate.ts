import type { Backend, BackendFactory, BackendHost, OutgoingTask, Receipt } from "../core/backend.ts";
import { TasksError } from "../core/errors.ts";
import type { Outcome } from "../core/outcome.ts";
import { assertDevelopment } from "../core/production.ts";
import { DedupeKeys } from "../engine/dedupe.ts";
import { ParkedLetters } from "../engine/parked.ts";

/** Options of {@link immediate}. */
export interface ImmediateOptions {
  /** Whether `enqueue` throws what a task throws, instead of recording it as the run's outcome. Default `false`. */
  readonly throwOnFailure?: boolean;
  /** Whether it may be used in production. Default `false`. */
  readonly allowInProduction?: boolean;
}

/**
 * Runs every task inline, before `enqueue` resolves: once, through the same JSON round trip, schema, context and
 * middleware as anywhere else. For tests. A failure is the run's outcome (`run.outcome()`, `run.result()`) and is not
 * retried. Time does not pass inline, so that `delay` and `runAt` run at once.
 */
export function immediate(options: ImmediateOptions = {}): BackendFactory {
  return (host) => {
    assertDevelopment(host.config, "immediate", options.allowInProduction);
    return new ImmediateBackend(host, options.throwOnFailure ?? false);
  };
}

class ImmediateBackend implements Backend {
  readonly name = "immediate";
  readonly capabilities = { delay: true, dedupe: true, priority: false, durable: false, results: true, overlap: true };
  readonly deadLetters: ParkedLetters;
  readonly #host: BackendHost;
  readonly #throwOnFailure: boolean;
  readonly #keys = new DedupeKeys<Receipt>();
  #sent = 0;

  constructor(host: BackendHost, throwOnFailure: boolean) {
    this.#host = host;
    this.#throwOnFailure = throwOnFailure;
    this.deadLetters = new ParkedLetters({
      clock: host.clock,
      route: (path) => host.registry.routes.find((route) => route.path === path),
      publish: (task) => this.send(task),
    });
  }

  async send(task: OutgoingTask): Promise<Receipt> {
    if (task.dedupe === undefined) return this.#run(task);
    const now = this.#host.clock.now();
    const key = `${task.route.path}\n${task.dedupe.key}`;
    const holder = this.#keys.holder(key, now);
    if (holder !== undefined) return { ...holder, deduplicated: true };
    let settle: (outcome: Promise<Outcome>) => void = () => {};
    const outcome = new Promise<Outcome>((resolve) => {
      settle = resolve;
    });
    // Held before the task runs, so that a task which enqueues its own key does not run itself for ever.
    this.#keys.hold(key, { id: task.id, deduplicated: false, outcome: () => outcome }, now + task.dedupe.window * 1000);
    const receipt = await this.#run(task);
    settle(receipt.outcome());
    return receipt;
  }

  async #run(task: OutgoingTask): Promise<Required<Receipt>> {
    const { clock, execute } = this.#host;
    this.#sent += 1;
    const outcome = await execute(
      {
        transport: "immediate",
        taskId: task.id,
        taskName: task.route.name,
        args: [],
        kwargs: JSON.parse(task.payloadJson) as Record<string, unknown>,
        enqueuedAt: new Date(task.enqueuedAt).toISOString(),
        messageId: String(this.#sent),
        attempt: task.carriedAttempts + 1,
        scheduled: false,
        scheduledFor: undefined,
        publishTime: undefined,
        receivedAt: clock.now(),
        attributes: {},
      },
      task.route,
    );
    if (this.#throwOnFailure) throwFailure(task, outcome);
    return { id: task.id, deduplicated: false, outcome: () => Promise.resolve(outcome) };
  }

  async close(): Promise<void> {}
}

function throwFailure(task: OutgoingTask, outcome: Outcome): void {
  if (outcome.type === "done" || outcome.type === "skipped") return;
  if ("error" in outcome && outcome.error !== undefined) throw outcome.error;
  throw new TasksError("TASK_FAILED", `"${task.route.path}": expected the task to succeed, got ${outcome.type}`);
}
