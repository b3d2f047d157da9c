import type { Clock, TimerHandle } from "./clock.ts";
import { TasksError } from "./errors.ts";

/**
 * How long before the ack deadline the signal aborts, in milliseconds: max(2 s, 5 %), so that an answer still reaches the
 * service before it delivers again.
 */
export function abortMargin(ackDeadlineMs: number): number {
  return Math.max(2000, ackDeadlineMs * 0.05);
}

/** One run under way: its deadline, its signal, and who aborted it. */
export class ActiveRun {
  /** Milliseconds since the epoch at which the service delivers again. */
  readonly deadline: number;
  readonly #clock: Clock;
  readonly #ackDeadlineMs: number;
  #controller: AbortController | undefined;
  #timer: TimerHandle | undefined;
  #abortReason: Error | undefined;
  #shutdown = false;

  constructor(clock: Clock, receivedAt: number, ackDeadlineMs: number) {
    this.#clock = clock;
    this.#ackDeadlineMs = ackDeadlineMs;
    this.deadline = receivedAt + ackDeadlineMs;
  }

  /** Made when first asked for: most tasks never look at it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** Whether the run was told to stop because the client is closing: what it then throws is no failure of its own. */
  get isShutDown(): boolean {
    return this.#shutdown;
  }

  /** Why the signal aborted, if it did. */
  get abortReason(): Error | undefined {
    return this.#abortReason;
  }

  /**
   * Starts the deadline: aborts the signal at its margin; half a margin later, with the run still going, calls
   * `overdue`, and at twice the deadline `abandoned`.
   */
  watch(overdue: () => void, abandoned: () => void): void {
    const margin = abortMargin(this.#ackDeadlineMs);
    const untilDeadline = this.deadline - this.#clock.now();
    this.#after(untilDeadline - margin, () => {
      this.#abort(
        new TasksError(
          "TIMEOUT",
          `task: expected to finish within its ack deadline of ${this.#ackDeadlineMs / 1000} s, got no end; raise ackDeadline or split the work`,
        ),
      );
      this.#after(margin / 2, () => {
        overdue();
        this.#after(this.#ackDeadlineMs + margin / 2, abandoned);
      });
    });
  }

  /** Stops the deadline: the run has settled. */
  settle(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  /** Aborts the signal because the client is closing. */
  shutDown(): void {
    this.#shutdown = true;
    this.#abort(
      new TasksError(
        "CLOSED",
        "task: expected to finish before the client closed, got more time than drainTimeout; it will be delivered again",
      ),
    );
  }

  #abort(reason: Error): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(reason);
  }

  #after(ms: number, callback: () => void): void {
    this.#timer = this.#clock.setTimeout(callback, ms);
  }
}
