import type { OutgoingTask, Receipt } from "../core/backend.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Lane } from "./lane.ts";

/** One task in the engine, from publishing to its end. */
export class Message implements Receipt {
  readonly task: OutgoingTask;
  /** The queue of its route. */
  readonly lane: Lane;
  /** The number that the engine gives it, in order of publishing; a republished task has another. */
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly publishTime: number;
  /** The tick it stands for, if a schedule sent it. */
  readonly scheduledFor: Date | undefined;
  /** Moment before which it is not delivered, in milliseconds since the epoch. */
  due: number;
  /** Failed runs so far, with those carried along from an earlier message of the same task. */
  failures: number;
  /** Refusals as malformed, unknown or invalid. */
  rejections = 0;
  /** Deliveries that could not be taken and count for nothing. */
  sentBack = 0;
  /** Deliveries whose answer never came: the acknowledgement was lost, or the process died under way. */
  lost = 0;
  /** Whether a delivery is under way. */
  isInFlight = false;
  /** Whether a journal holds it; the journal's own. */
  isStored = false;
  #outcome: Outcome | undefined;
  #abandoned: Outcome | undefined;
  #waiting: ((outcome: Outcome) => void)[] | undefined;

  constructor(task: OutgoingTask, lane: Lane, number: number, publishTime: number, scheduledFor?: Date) {
    this.task = task;
    this.lane = lane;
    this.number = number;
    this.publishTime = publishTime;
    this.scheduledFor = scheduledFor;
    this.due = task.runAt ?? publishTime;
    this.failures = task.carriedAttempts;
  }

  get id(): string {
    return this.task.id;
  }

  get deduplicated(): false {
    return false;
  }

  /** Its number as Pub/Sub writes it. */
  get messageId(): string {
    return String(this.number);
  }

  /** Which attempt the next run is, from 1. */
  get attempt(): number {
    return this.failures + 1;
  }

  /** Deliveries that the transport's own limit counts: all but those that were merely sent back. */
  get nacks(): number {
    return this.failures - this.task.carriedAttempts + this.rejections + this.lost;
  }

  /** Whether it was lost so often that it is soon given up: it may be what ends the process. */
  get isSuspect(): boolean {
    return this.lost > 0 && this.nacks >= this.lane.maxDeliveries - 2;
  }

  /** Which delivery the next one is, from 1, as Pub/Sub counts: every nack. */
  get delivery(): number {
    return this.nacks + this.sentBack + 1;
  }

  /** Whether nothing will be delivered any more. */
  get isFinished(): boolean {
    return this.#outcome !== undefined;
  }

  /** What the task came to in the end. */
  outcome(): Promise<Outcome> {
    const known = this.#outcome ?? this.#abandoned;
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  /** The end: nothing will be delivered any more. Whoever waits is told once it is `kept`. */
  finish(outcome: Outcome, kept?: Promise<void>): void {
    this.#outcome = outcome;
    if (this.#waiting === undefined) return;
    const tell = () => this.#tell(outcome);
    if (kept === undefined) tell();
    else kept.then(tell, tell);
  }

  /** Tells whoever waits for the end that this engine will not bring it. */
  abandon(outcome: Outcome): void {
    this.#abandoned = outcome;
    this.#tell(outcome);
  }

  /** Takes back that it was abandoned: from now on whoever asks for the end waits for it again. */
  reclaim(): void {
    this.#abandoned = undefined;
  }

  #tell(outcome: Outcome): void {
    for (const resolve of this.#waiting ?? []) resolve(outcome);
    this.#waiting = undefined;
  }
}
