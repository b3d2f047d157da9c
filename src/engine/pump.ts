import type { Clock } from "../core/clock.ts";
import { Alarm } from "./alarm.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { Line } from "./line.ts";
import type { Message } from "./message.ts";

/** Deliveries started in one turn of the event loop, so that a full queue does not starve sockets. */
const TURN = 256;

/** Finished messages are swept out once there are this many of them, and as many as others were left the last time. */
const SWEEP_AT = 256;

/**
 * Starts deliveries by itself, in the turn of the event loop after they fell due, as far as the limits of their lanes let
 * them. There is no polling, and one timer for all that waits for a moment.
 */
export class Pump implements Line {
  readonly #clock: Clock;
  readonly #lanes: Lanes;
  readonly #start: (message: Message) => unknown;
  readonly #delayed: Alarm<Message>;
  #pumping = false;
  #closed = false;
  /** Messages that were finished while they waited, since the last sweep. */
  #finished = 0;
  #sweepAt = SWEEP_AT;

  /** @param start begins the delivery of a message. */
  constructor(clock: Clock, lanes: Lanes, start: (message: Message) => unknown) {
    this.#clock = clock;
    this.#lanes = lanes;
    this.#start = start;
    this.#delayed = new Alarm(clock, (message) => this.#offer(message));
  }

  place(message: Message): void {
    if (message.due > this.#clock.now()) this.#delayed.set(message.due, message);
    else this.#offer(message);
  }

  take(message: Message): boolean {
    const { ready } = message.lane;
    const isOther = (waiting: Message) => waiting !== message;
    const before = ready.size + this.#delayed.items().length;
    ready.retain(isOther);
    this.#delayed.retain(isOther);
    return ready.size + this.#delayed.items().length < before;
  }

  forget(_message: Message): void {
    this.#finished += 1;
    if (this.#finished < this.#sweepAt) return;
    for (const lane of this.#lanes.all()) lane.ready.retain(isUnfinished);
    this.#delayed.retain(isUnfinished);
    this.#finished = 0;
    this.#sweepAt = Math.max(SWEEP_AT, this.waiting().length);
  }

  resume(lane: Lane): void {
    this.#lanes.enlist(lane);
    this.#pumpSoon();
  }

  waiting(): Message[] {
    const ready = [...this.#lanes.all()].flatMap((lane) => [...lane.ready]);
    return [...ready, ...this.#delayed.items()];
  }

  close(): void {
    this.#closed = true;
    this.#delayed.stop();
    for (const lane of this.#lanes.all()) this.#clock.clearTimeout(lane.timer);
  }

  #offer(message: Message): void {
    if (message.isFinished) return;
    message.lane.ready.push(message);
    this.resume(message.lane);
  }

  #pumpSoon(): void {
    if (this.#pumping || this.#closed || !this.#lanes.hasNext) return;
    this.#pumping = true;
    setImmediate(() => this.#pump());
  }

  #pump(): void {
    this.#pumping = false;
    for (let looks = 0; looks < TURN && !this.#closed; looks++) {
      const lane = this.#lanes.next();
      if (lane === undefined) return;
      this.#startOne(lane);
    }
    this.#pumpSoon();
  }

  #startOne(lane: Lane): void {
    while (lane.ready.first?.isFinished) lane.ready.shift();
    // Its limits may have changed while it stood in line.
    if (!lane.canStart) return;
    const wait = lane.isRated ? lane.takeToken(this.#clock.now()) : 0;
    if (wait > 0) {
      lane.timer = this.#clock.setTimeout(() => {
        lane.timer = undefined;
        this.resume(lane);
      }, wait);
      return;
    }
    const message = lane.ready.shift();
    if (message !== undefined) this.#start(message);
    this.#lanes.enlist(lane);
  }
}

function isUnfinished(message: Message): boolean {
  return !message.isFinished;
}
