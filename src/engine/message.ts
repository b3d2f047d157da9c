import type { OutgoingTask, Receipt } from "../core/backend.ts";
import type { Outcome } from "../core/outcome.ts";

/** One task in the engine, from publishing to its end. */
export class Message implements Receipt {
  readonly task: OutgoingTask;
  /** Id that the engine gives it; a republished task has another. */
  readonly messageId: string;
  /** Milliseconds since the epoch. */
  readonly publishTime: number;
  /** The tick it stands for, if a schedule sent it. */
  readonly scheduledFor: Date | undefined;
  /** Failed runs so far, with those carried along from an earlier message of the same task. */
  failures: number;
  /** Refusals as malformed, unknown or invalid. */
  rejections = 0;
  /** Deliveries that could not be taken and count for nothing. */
  sentBack = 0;
  #outcome: Outcome | undefined;
  #waiting: ((outcome: Outcome) => void)[] | undefined;

  constructor(task: OutgoingTask, messageId: string, publishTime: number, scheduledFor?: Date) {
    this.task = task;
    this.messageId = messageId;
    this.publishTime = publishTime;
    this.scheduledFor = scheduledFor;
    this.failures = task.carriedAttempts;
  }

  get id(): string {
    return this.task.id;
  }

  get deduplicated(): false {
    return false;
  }

  /** Which attempt the next run is, from 1. */
  get attempt(): number {
    return this.failures + 1;
  }

  /** Which delivery the next one is, from 1, as Pub/Sub counts: every nack. */
  get delivery(): number {
    return this.failures - this.task.carriedAttempts + this.rejections + this.sentBack + 1;
  }

  /** What the task came to in the end. */
  outcome(): Promise<Outcome> {
    if (this.#outcome !== undefined) return Promise.resolve(this.#outcome);
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  /** The end: nothing will be delivered any more. */
  finish(outcome: Outcome): void {
    this.#outcome = outcome;
    for (const resolve of this.#waiting ?? []) resolve(outcome);
    this.#waiting = undefined;
  }
}
