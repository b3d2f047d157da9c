import type { Receipt } from "./backend.ts";
import type { Clock } from "./clock.ts";
import { TasksError } from "./errors.ts";
import type { Outcome } from "./outcome.ts";
import { within } from "./within.ts";

/** How to wait for a result. */
export interface ResultOptions {
  /** Seconds to wait before giving up with `TIMEOUT`. Default: no limit. */
  readonly timeout?: number;
}

/** One enqueued task, as `enqueue` returns it. */
export interface TaskRun<R> {
  /** Id of the task; of the earlier task when `deduplicated`. */
  readonly id: string;
  /** Whether an earlier task holds the same dedupe key, so that nothing was enqueued. */
  readonly deduplicated: boolean;
  /**
   * What the task returned, as JSON carries it.
   *
   * @throws TasksError `TASK_FAILED` when it failed for good (`cause` is what it threw), `TIMEOUT` when that took longer
   * than `timeout`, `UNSUPPORTED` when the backend keeps no results.
   */
  result(options?: ResultOptions): Promise<R>;
  /**
   * What the task came to in the end, failed or not; never throws for a task that failed.
   *
   * @throws TasksError `TIMEOUT` or `UNSUPPORTED` as `result` does.
   */
  outcome(options?: ResultOptions): Promise<Outcome>;
}

/** A run over a backend's receipt. */
export class ReceiptRun<R> implements TaskRun<R> {
  readonly id: string;
  readonly deduplicated: boolean;
  readonly #receipt: Receipt;
  readonly #path: string;
  readonly #clock: Clock;

  constructor(receipt: Receipt, path: string, clock: Clock) {
    this.id = receipt.id;
    this.deduplicated = receipt.deduplicated;
    this.#receipt = receipt;
    this.#path = path;
    this.#clock = clock;
  }

  async outcome(options: ResultOptions = {}): Promise<Outcome> {
    const settled = this.#receipt.outcome?.();
    if (settled === undefined) {
      throw new TasksError(
        "UNSUPPORTED",
        `result of "${this.#path}": expected a backend that keeps results, got one that does not; use the immediate or local backend, or a store`,
      );
    }
    return options.timeout === undefined ? settled : this.#within(options.timeout, settled);
  }

  async result(options: ResultOptions = {}): Promise<R> {
    const outcome = await this.outcome(options);
    if (outcome.type === "done")
      return (outcome.result === undefined ? undefined : JSON.parse(JSON.stringify(outcome.result) ?? "null")) as R;
    if (outcome.type === "busy" && outcome.reason === "draining") {
      throw new TasksError(
        "CLOSED",
        `result of "${this.#path}": expected the client to stay open until the task ends, got a closed one; await the result before close()`,
      );
    }
    const why = "reason" in outcome ? `${outcome.type}: ${outcome.reason}` : outcome.type;
    throw new TasksError(
      "TASK_FAILED",
      `result of "${this.#path}": expected the task to succeed, got ${why}; see cause`,
      {
        cause: "error" in outcome ? outcome.error : undefined,
      },
    );
  }

  #within(seconds: number, settled: Promise<Outcome>): Promise<Outcome> {
    return within(this.#clock, seconds * 1000, settled, () => {
      throw new TasksError(
        "TIMEOUT",
        `result of "${this.#path}": expected an end within ${seconds} s, got none yet; wait longer or look again later`,
      );
    });
  }
}
