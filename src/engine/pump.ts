import type { Clock } from "../core/clock.ts";
import { Alarm } from "./alarm.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { Line } from "./line.ts";
import type { Message } from "./message.ts";

/** Deliveries started in one turn of the event loop, so that a full queue does not starve sockets. */
const TURN = 256;

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
    const wait = lane.isRated ? lane.takeToken(this.#clock.now()) : 0;
    if (wait > 0) {
      lane.timer = this.#clock.setTimeout(() => {
        lane.timer = undefined;
        this.resume(lane);
      }, wait);
      return;
    }
    const message = lane.ready.shift();
    // One whose enqueuing failed is over before it began.
    if (message?.isFinished === false) this.#start(message);
    this.#lanes.enlist(lane);
  }
}
