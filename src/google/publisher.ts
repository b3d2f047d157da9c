import type { Clock } from "../core/clock.ts";
import { TasksError } from "../core/errors.ts";
import { Fifo } from "../core/fifo.ts";
import { shown } from "../core/options.ts";
import { publishBatch } from "./publish-attempts.ts";
import type { PublishCall } from "./publish-call.ts";
import { type Batch, PublishLane, type Waiting } from "./publish-lane.ts";
import { explained, GRPC, grpcCode } from "./status.ts";

/** Requests of one topic under way at once, when full ones wait. */
const MOST_AT_ONCE = 8;
/** Requests of all topics under way at once; Google's servers take 100 streams a connection. */
const MOST_CALLS = 64;
/** Milliseconds after which a message no longer waits for the request before it, which may be one that hangs. */
const LONGEST_COALESCING = 50;

/** The role that publishing needs. */
const ROLE = "roles/pubsub.publisher";

/** What a publisher works with. */
export interface PublisherScope {
  readonly clock: Clock;
  /** A source of numbers from 0 up to 1. Default `Math.random`. */
  readonly random?: () => number;
  /** The method, once it is loaded and there are credentials. */
  connect(): Promise<PublishCall>;
}

/** How a publisher behaves; all required. */
export interface PublisherSettings {
  /** Milliseconds without any acceptance by its topic after which a message is given up. */
  readonly timeout: number;
  /** Messages sent and not yet accepted, at most. What comes beyond waits, in order. */
  readonly maxInFlight: number;
  /** Bytes of such messages, at most; one message alone may be larger. */
  readonly maxInFlightBytes: number;
}

/**
 * Publishes to topics, with one queue for each that all senders share. A message goes out at once when nothing of its
 * topic is under way, together with all that were sent in the same turn of the event loop; what arrives meanwhile is
 * collected for the next request. So a lone message never waits, and many cost little more than a few requests.
 *
 * Messages of one ordering key go one request at a time. When one of them is given up, those that wait behind it are
 * refused with it, so that none overtakes it; the key is free again for what is published afterwards.
 */
export class Publisher {
  readonly #scope: PublisherScope;
  readonly #settings: PublisherSettings;
  /** By topic, and by topic and ordering key; only those that have something to do. */
  readonly #lanes = new Map<string, PublishLane>();
  /** Lanes that have something to send, in their order. */
  readonly #line: Fifo<PublishLane> = new Fifo();
  /** When each topic last accepted something, milliseconds since the epoch. */
  readonly #acceptedAt = new Map<string, number>();
  #calls = 0;
  #messages = 0;
  #bytes = 0;
  #pumping = false;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(scope: PublisherScope, settings: PublisherSettings) {
    this.#scope = scope;
    this.#settings = settings;
  }

  /**
   * Takes a message. One of the two callbacks is called later, with the message's id once the topic has accepted it.
   *
   * @throws TasksError `CLOSED`.
   */
  publish(topic: string, waiting: Waiting): void {
    if (this.#closing !== undefined)
      throw new TasksError("CLOSED", "publisher: expected an open one, got a closed one; use it before close()");
    const { orderingKey } = waiting.message;
    const lane = this.#laneOf(topic, orderingKey);
    lane.add(waiting);
    if (lane.isReady(MOST_AT_ONCE)) this.#standInLine(lane);
    else if (orderingKey === undefined) this.#limitWait(lane);
  }

  #laneOf(topic: string, orderingKey: string | undefined): PublishLane {
    const name = nameOf(topic, orderingKey);
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      const { maxInFlight, maxInFlightBytes } = this.#settings;
      lane = new PublishLane(topic, orderingKey, { messages: maxInFlight, bytes: maxInFlightBytes });
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #limitWait(lane: PublishLane): void {
    if (lane.timer !== undefined || lane.queued || lane.inFlight >= MOST_AT_ONCE) return;
    lane.timer = this.#scope.clock.setTimeout(() => {
      lane.timer = undefined;
      if (lane.next !== undefined) this.#standInLine(lane);
    }, LONGEST_COALESCING);
  }

  #standInLine(lane: PublishLane): void {
    if (!lane.queued) {
      lane.queued = true;
      this.#line.push(lane);
    }
    if (this.#pumping) return;
    this.#pumping = true;
    // After every promise that is settled now has been seen to: whoever enqueues on account of one joins the request.
    process.nextTick(() => this.#pump());
  }

  #pump(): void {
    this.#pumping = false;
    for (let lane = this.#line.first; lane !== undefined; lane = this.#line.first) {
      const batch = lane.next;
      if (batch !== undefined && !this.#hasRoom(batch)) return;
      this.#line.shift();
      lane.queued = false;
      lane.shift();
      if (batch !== undefined) this.#begin(lane, batch);
    }
  }

  #hasRoom({ messages, bytes }: Batch): boolean {
    const { maxInFlight, maxInFlightBytes } = this.#settings;
    if (this.#calls === 0) return true;
    return (
      this.#calls < MOST_CALLS &&
      this.#messages + messages.length <= maxInFlight &&
      this.#bytes + bytes <= maxInFlightBytes
    );
  }

  #begin(lane: PublishLane, batch: Batch): void {
    this.#scope.clock.clearTimeout(lane.timer);
    lane.timer = undefined;
    lane.inFlight++;
    this.#calls++;
    this.#messages += batch.messages.length;
    this.#bytes += batch.bytes;
    void this.#send(lane, batch.messages).then(() => this.#ended(lane, batch));
    // What else is ready goes behind the other lanes.
    if (lane.isReady(MOST_AT_ONCE)) this.#standInLine(lane);
    else if (lane.next !== undefined && lane.orderingKey === undefined) this.#limitWait(lane);
  }

  #ended(lane: PublishLane, batch: Batch): void {
    lane.inFlight--;
    this.#calls--;
    this.#messages -= batch.messages.length;
    this.#bytes -= batch.bytes;
    if (lane.isReady(MOST_AT_ONCE)) this.#standInLine(lane);
    else if (lane.isIdle) this.#lanes.delete(nameOf(lane.topic, lane.orderingKey));
    // There is room again for whoever is first.
    const { first } = this.#line;
    if (first !== undefined) this.#standInLine(first);
    if (this.#lanes.size === 0) this.#closing?.resolve();
  }

  /** Never rejects. */
  async #send(lane: PublishLane, messages: readonly Waiting[]): Promise<void> {
    const since = Math.max(messages[0]?.takenAt ?? 0, this.#acceptedAt.get(lane.topic) ?? 0);
    const failure = await this.#settle(lane, messages, since + this.#settings.timeout);
    if (failure === undefined || lane.orderingKey === undefined) return;
    for (const waiting of lane.drain()) waiting.refused(behind(lane, failure));
  }

  /**
   * Publishes messages and tells each what became of it; returns the error if any was not accepted. A request that is
   * refused for what is in it is cut in two, until the message is found on whose account it was.
   */
  async #settle(lane: PublishLane, messages: readonly Waiting[], deadline: number): Promise<unknown> {
    const { clock, connect, random = Math.random } = this.#scope;
    const scope = { clock, connect, random, attemptTimeout: this.#settings.timeout / 2 };
    try {
      const ids = await publishBatch(scope, lane.topic, messages, deadline);
      this.#acceptedAt.set(lane.topic, clock.now());
      for (const [index, waiting] of messages.entries()) waiting.accepted(ids[index] ?? "");
      return undefined;
    } catch (error) {
      if (messages.length > 1 && grpcCode(error) === GRPC.INVALID_ARGUMENT)
        return this.#settleHalves(lane, messages, deadline);
      const told = explained(error, { action: "publish to", resource: lane.topic, role: ROLE });
      for (const waiting of messages) waiting.refused(told);
      return told;
    }
  }

  async #settleHalves(lane: PublishLane, messages: readonly Waiting[], deadline: number): Promise<unknown> {
    const middle = Math.ceil(messages.length / 2);
    const second = messages.slice(middle);
    const failure = await this.#settle(lane, messages.slice(0, middle), deadline);
    if (failure === undefined || lane.orderingKey === undefined)
      return (await this.#settle(lane, second, deadline)) ?? failure;
    for (const waiting of second) waiting.refused(behind(lane, failure));
    return failure;
  }

  /** Takes nothing more; resolves once everything that was taken has been accepted or given up. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers();
      if (this.#lanes.size === 0) this.#closing.resolve();
    }
    return this.#closing.promise;
  }
}

function nameOf(topic: string, orderingKey: string | undefined): string {
  return orderingKey === undefined ? topic : `${topic}\n${orderingKey}`;
}

function behind({ topic, orderingKey }: PublishLane, cause: unknown): TasksError {
  return new TasksError(
    "NOT_ACCEPTED",
    `publish to ${topic}: expected the message before it with ordering key ${shown(orderingKey)} to be accepted, got a failure; it was not sent, enqueue both again in order`,
    { cause },
  );
}
