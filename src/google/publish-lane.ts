import type { TimerHandle } from "../core/clock.ts";
import { bytesInRequest, type MeasuredMessage, MOST_MESSAGES } from "./publish-request.ts";

/** Bytes from which a batch goes out without waiting for more: beyond some size a request only gets slower. */
const LARGE_BATCH = 1024 * 1024;

/** What the batches of a lane may hold, beside what a request may. */
export interface BatchLimits {
  readonly messages: number;
  /** One message alone may have more. */
  readonly bytes: number;
}

/** A message on its way, with who waits for it. */
export interface Waiting {
  readonly message: MeasuredMessage;
  /** Milliseconds since the epoch at which it was taken. */
  readonly takenAt: number;
  accepted(messageId: string): void;
  refused(error: unknown): void;
}

/** Messages that go out in one request. */
export interface Batch {
  readonly messages: Waiting[];
  /** Bytes of the request's messages. */
  bytes: number;
}

/** What waits for one topic, or for one ordering key of it, in batches that are as large as they may be. */
export class PublishLane {
  readonly topic: string;
  /** The key behind which its messages keep their order. */
  readonly orderingKey: string | undefined;
  /** Requests under way. */
  inFlight = 0;
  /** Whether it stands in line to send something. */
  queued = false;
  /** Ends the wait of what is collected. */
  timer: TimerHandle | undefined;
  readonly #batches: Batch[] = [];
  readonly #mostMessages: number;
  readonly #mostBytes: number;

  constructor(topic: string, orderingKey: string | undefined, limits: BatchLimits) {
    this.topic = topic;
    this.orderingKey = orderingKey;
    this.#mostMessages = Math.min(MOST_MESSAGES, limits.messages);
    this.#mostBytes = Math.min(2 * LARGE_BATCH, limits.bytes);
  }

  #isLarge({ messages, bytes }: Batch): boolean {
    return messages.length >= this.#mostMessages || bytes >= LARGE_BATCH;
  }

  add(waiting: Waiting): void {
    const bytes = bytesInRequest(waiting.message);
    const last = this.#batches.at(-1);
    if (last === undefined || this.#isLarge(last) || last.bytes + bytes > this.#mostBytes)
      this.#batches.push({ messages: [waiting], bytes });
    else {
      last.messages.push(waiting);
      last.bytes += bytes;
    }
  }

  /** The batch that goes out next. */
  get next(): Batch | undefined {
    return this.#batches[0];
  }

  /** Takes the next batch out. */
  shift(): Batch | undefined {
    return this.#batches.shift();
  }

  /**
   * Whether it has something to send now: a batch that would not grow any more, or any while nothing is under way. Behind
   * an ordering key there is one request at a time.
   */
  isReady(atOnce: number): boolean {
    const { next } = this;
    if (next === undefined) return false;
    if (this.inFlight === 0) return true;
    return (
      this.orderingKey === undefined && this.inFlight < atOnce && (this.#isLarge(next) || this.#batches.length > 1)
    );
  }

  get isIdle(): boolean {
    return this.inFlight === 0 && this.#batches.length === 0;
  }

  /** Takes out everything that waits. */
  drain(): Waiting[] {
    return this.#batches.splice(0).flatMap(({ messages }) => messages);
  }
}
