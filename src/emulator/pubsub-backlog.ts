import type { Clock } from "../core/clock.ts";
import { Fifo } from "../core/fifo.ts";
import { Alarm } from "../engine/alarm.ts";
import type { BacklogRules } from "./pubsub-backlog-rules.ts";
import { Consumers } from "./pubsub-consumers.ts";
import { type Consumer, Entry, KeyLine } from "./pubsub-entry.ts";
import type { StoredMessage } from "./pubsub-resources.ts";

/** Milliseconds between two looks for messages that have been kept for too long. */
const SWEEP_MS = 60_000;

/** The messages of one subscription that are not acknowledged, and whose turn it is. */
export class Backlog {
  readonly #clock: Clock;
  readonly #rules: BacklogRules;
  /** By message id, in order of publishing. */
  readonly #entries = new Map<string, Entry>();
  readonly #lines = new Map<string, KeyLine>();
  #ready = new Fifo<Entry | KeyLine>();
  readonly #delayed: Alarm<Entry | KeyLine>;
  readonly #leases: Alarm<Entry>;
  readonly #consumers = new Consumers(() => this.#ready.size > 0);
  #acked: StoredMessage[] = [];
  #sweptAt: number;

  constructor(clock: Clock, rules: BacklogRules) {
    this.#clock = clock;
    this.#rules = rules;
    this.#sweptAt = clock.now();
    this.#delayed = new Alarm(clock, (item) => this.#resume(item));
    this.#leases = new Alarm(clock, (entry) => this.#lapse(entry));
  }

  /** Messages that are not acknowledged. */
  get size(): number {
    return this.#entries.size;
  }

  /** The message of an id, unless it is acknowledged. */
  entry(messageId: string): Entry | undefined {
    return this.#entries.get(messageId);
  }

  /** Every message that is not acknowledged. */
  all(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** Takes a message in. */
  add(message: StoredMessage): void {
    this.#sweep();
    const { orderingKey, messageId } = message;
    const line = this.#rules.isOrdered && orderingKey !== "" ? this.#lineOf(orderingKey) : undefined;
    const entry = new Entry(message, line);
    this.#entries.set(messageId, entry);
    line?.push(entry);
    this.#offer(line ?? entry);
  }

  /** Adds somebody to wake when there are messages to take. */
  join(consumer: Consumer): void {
    this.#consumers.add(consumer);
  }

  /** Removes a consumer. What it has is its own until the deadlines have passed. */
  leave(consumer: Consumer): void {
    this.#consumers.delete(consumer);
  }

  /**
   * Gives messages out to a consumer.
   *
   * @param most how many at most.
   * @param seconds how long it has for each.
   */
  take(consumer: Consumer, most: number, seconds: number): Entry[] {
    this.#sweep();
    const taken: Entry[] = [];
    while (taken.length < most) {
      const item = this.#ready.shift();
      if (item === undefined) break;
      const entry = item instanceof KeyLine ? this.#nextOf(item, consumer) : item;
      if (entry?.state !== "waiting") continue;
      this.#lease(entry, consumer, seconds);
      taken.push(entry);
    }
    return taken;
  }

  /** Acknowledges a message. */
  settle(entry: Entry): void {
    if (entry.state === "done") return;
    this.#endLease(entry);
    entry.state = "done";
    this.#entries.delete(entry.message.messageId);
    if (this.#rules.retainsAcked) this.#acked.push(entry.message);
    const { line } = entry;
    if (line === undefined) return;
    line.trim();
    if (line.isEmpty) this.#lines.delete(line.key);
    else this.#offer(line);
  }

  /** Takes back a message that was not acknowledged: it comes again after its back-off. */
  nack(entry: Entry): void {
    if (entry.state === "done") return;
    entry.failures += 1;
    if (this.#rules.forward(entry)) {
      this.settle(entry);
      return;
    }
    this.#delay(entry, this.#rules.backoff(entry.failures) * 1000);
  }

  /** Gives a consumer other seconds from now on for a message that it has; 0 takes it back as not acknowledged. */
  extend(entry: Entry, seconds: number): void {
    if (entry.lease === undefined) return;
    if (seconds === 0) {
      this.nack(entry);
      return;
    }
    entry.lease.deadline = this.#clock.now() + seconds * 1000;
    this.#leases.set(entry.lease.deadline, entry);
  }

  /** Acknowledges what was published before a moment, and takes back what was published since. */
  seek(moment: number): void {
    for (const entry of this.all()) if (entry.message.publishTime < moment) this.settle(entry);
    const restored = this.#acked.filter(({ publishTime }) => publishTime >= moment);
    this.#acked = this.#acked.filter(({ publishTime }) => publishTime < moment);
    for (const message of restored) this.add(message);
  }

  /** Gives everything that is not out its turn anew, where it is now to go another way. */
  reoffer(): void {
    this.#ready = new Fifo();
    for (const line of this.#lines.values()) {
      line.isQueued = false;
      this.#offer(line);
    }
    for (const entry of this.#entries.values())
      if (entry.line === undefined && entry.state === "waiting") this.#offer(entry);
  }

  /** Puts a message back that was not delivered after all. */
  putBack(entry: Entry): void {
    if (entry.state !== "done") this.#delay(entry, 0);
  }

  /** Stops, and forgets everything. */
  close(): void {
    this.#delayed.stop();
    this.#leases.stop();
    for (const entry of this.#entries.values()) entry.state = "done";
    this.#entries.clear();
    this.#lines.clear();
    this.#consumers.clear();
    this.#acked = [];
  }

  #lineOf(key: string): KeyLine {
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = new KeyLine(key);
      this.#lines.set(key, line);
    }
    return line;
  }

  /** Lets a message, or the next one of a key, have its turn. */
  #offer(item: Entry | KeyLine): void {
    if (this.#rules.isPush) this.#push(item);
    else if (!(item instanceof KeyLine)) this.#enqueue(item);
    else if (!item.isHeld && !item.isQueued && item.hasNext) {
      item.isQueued = true;
      this.#enqueue(item);
    }
  }

  /** By push a key has one message out at a time: the next one is offered when that is done with. */
  #push(item: Entry | KeyLine): void {
    if (item instanceof KeyLine && (item.isHeld || item.hasOutstanding)) return;
    const entry = item instanceof KeyLine ? item.next() : item;
    if (entry === undefined) return;
    entry.state = "pushing";
    this.#rules.push(entry);
  }

  #enqueue(item: Entry | KeyLine): void {
    this.#ready.push(item);
    this.#consumers.wakeSoon();
  }

  #nextOf(line: KeyLine, consumer: Consumer): Entry | undefined {
    line.isQueued = false;
    // Whoever has the messages before it gets the next one too; it is offered again when those are dealt with.
    if (line.isHeld || (line.hasOutstanding && line.consumer !== consumer)) return undefined;
    const entry = line.next();
    if (entry === undefined) return undefined;
    line.consumer = consumer;
    this.#offer(line);
    return entry;
  }

  #lease(entry: Entry, consumer: Consumer, seconds: number): void {
    const deadline = this.#clock.now() + seconds * 1000;
    entry.deliveries += 1;
    entry.state = "leased";
    entry.lease = { consumer, delivery: entry.deliveries, deadline };
    consumer.outstanding += 1;
    this.#leases.set(deadline, entry);
  }

  #endLease(entry: Entry): void {
    const { lease } = entry;
    if (lease === undefined) return;
    entry.lease = undefined;
    lease.consumer.outstanding -= 1;
    this.#consumers.wakeSoon();
  }

  #lapse(entry: Entry): void {
    if (entry.lease !== undefined && entry.lease.deadline <= this.#clock.now()) this.nack(entry);
  }

  #delay(entry: Entry, ms: number): void {
    this.#endLease(entry);
    const { line } = entry;
    const taken = line === undefined ? [entry] : line.rewind(entry);
    for (const other of taken) {
      this.#endLease(other);
      other.state = "waiting";
    }
    if (ms <= 0) {
      this.#offer(line ?? entry);
      return;
    }
    if (line === undefined) entry.state = "delayed";
    else line.isHeld = true;
    this.#delayed.set(this.#clock.now() + ms, line ?? entry);
  }

  #resume(item: Entry | KeyLine): void {
    if (item instanceof KeyLine) item.isHeld = false;
    else if (item.state === "delayed") item.state = "waiting";
    else return;
    this.#offer(item);
  }

  /** Forgets what has been kept for too long. */
  #sweep(): void {
    const now = this.#clock.now();
    if (now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    const oldest = now - this.#rules.retention;
    for (const entry of this.all()) if (entry.message.publishTime < oldest) this.settle(entry);
    this.#acked = this.#acked.filter(({ publishTime }) => publishTime >= oldest);
  }
}
