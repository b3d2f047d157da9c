import { TasksError } from "./errors.ts";

/**
 * How long before the ack deadline the signal aborts, in milliseconds: max(2 s, 5 %), so that an answer still reaches the
 * service before it delivers again.
 */
export function abortMargin(ackDeadlineMs: number): number {
  return Math.max(2000, ackDeadlineMs * 0.05);
}

/** What comes next in a run that goes on and on. */
type Phase = "running" | "aborted" | "overdue" | "abandoned";

/** One run under way: its deadline, its signal, and who aborted it. */
export class ActiveRun {
  /** Milliseconds since the epoch at which the service delivers again. */
  readonly deadline: number;
  /** When {@link ActiveRun.pass} is to be called next, milliseconds since the epoch. */
  nextAt: number;
  /** Its neighbours in the list of runs under way, and whether it stands there; kept by `Deadlines`. */
  previous: ActiveRun | undefined = undefined;
  next: ActiveRun | undefined = undefined;
  listed = false;
  readonly #ackDeadlineMs: number;
  readonly #margin: number;
  #phase: Phase = "running";
  #overdue: (() => void) | undefined;
  #abandoned: (() => void) | undefined;
  #controller: AbortController | undefined;
  #abortReason: Error | undefined;
  #shutdown = false;

  constructor(receivedAt: number, ackDeadlineMs: number) {
    this.#ackDeadlineMs = ackDeadlineMs;
    this.#margin = abortMargin(ackDeadlineMs);
    this.deadline = receivedAt + ackDeadlineMs;
    this.nextAt = this.deadline - this.#margin;
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

  /** Who is told half a margin before the deadline that the run goes on, and at twice the deadline that it still does. */
  watch(overdue: () => void, abandoned: () => void): void {
    this.#overdue = overdue;
    this.#abandoned = abandoned;
  }

  /** The moment `nextAt` has come: first the signal aborts, then the run is overdue, and at last it is abandoned. */
  pass(): void {
    switch (this.#phase) {
      case "running":
        this.#phase = "aborted";
        this.nextAt = this.deadline - this.#margin / 2;
        this.#abort(
          new TasksError(
            "TIMEOUT",
            `task: expected to finish within its ack deadline of ${this.#ackDeadlineMs / 1000} s, got no end; raise ackDeadline or split the work`,
          ),
        );
        return;
      case "aborted":
        this.#phase = "overdue";
        this.nextAt = this.deadline + this.#ackDeadlineMs;
        this.#overdue?.();
        return;
      case "overdue":
      case "abandoned":
        this.#phase = "abandoned";
        this.nextAt = Number.POSITIVE_INFINITY;
        this.#abandoned?.();
    }
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
}
