import type { Clock } from "../core/clock.ts";
import { loggableError } from "../core/dead-letter.ts";
import { isSettled, type Outcome } from "../core/outcome.ts";
import { Disturbance } from "./disturb.ts";
import type { Fault, Faults, Mishap } from "./fault.ts";
import type { EngineHost } from "./host.ts";
import type { Journal } from "./journal.ts";
import type { Lanes } from "./lanes.ts";
import type { Line } from "./line.ts";
import type { Message } from "./message.ts";
import type { ParkedLetters } from "./parked.ts";
import type { Tally } from "./tally.ts";
import { endedProcess, lostAnswer, undeliverable } from "./undeliverable.ts";

/** Pub/Sub waits this long at least before it pushes again to an endpoint that sent a message back; seconds. */
const SHORTEST_PUSH_BACKOFF = 0.1;
/** Milliseconds until a delivery is tried again whose beginning could not be written down. */
const UNKEPT_BACKOFF_MS = 1000;
/** Milliseconds until a delivery is tried again that has to wait for another one to be over. */
const ALONE_BACKOFF_MS = 1000;
/** What becomes of messages that are still waiting when the engine is closed. */
export const ABANDONED: Outcome = { type: "busy", reason: "draining", retryAfter: 0 };

const NOT_DELIVERED = Promise.resolve(undefined);

/** What a dispatcher works with. */
export interface DispatcherParts {
  readonly clock: Clock;
  readonly lanes: Lanes;
  readonly line: Line;
  readonly journal: Journal | undefined;
  readonly faults: Faults | undefined;
  readonly letters: ParkedLetters;
  readonly tally: Tally;
}

/** Delivers single messages, and does with each what its outcome asks for. */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  /** The one delivery under way that may be what ends the process. */
  #suspect: Message | undefined;
  readonly #disturbance: Disturbance;
  #closed = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#disturbance = new Disturbance(parts.clock);
  }

  /** Takes no message back into the line from now on, and leaves no timer. */
  close(): void {
    this.#closed = true;
    this.#disturbance.close();
  }

  /**
   * Delivers a message and resolves to what that came to, once it has been dealt with; to `undefined` when it was not
   * delivered after all. With a journal, it is written down first that a delivery is under way.
   */
  start(message: Message): Promise<Outcome | undefined> {
    const { faults, journal, lanes, clock, line } = this.#parts;
    // At the end one at a time, or whatever ends the process would take along all that is beside it.
    if (message.isSuspect && this.#suspect !== undefined) {
      message.due = clock.now() + ALONE_BACKOFF_MS;
      line.place(message);
      return NOT_DELIVERED;
    }
    const fault = faults?.next(message);
    if (fault?.mishap === "reorder") {
      message.due = clock.now();
      line.place(message);
      return NOT_DELIVERED;
    }
    lanes.enter(message.lane);
    message.isInFlight = true;
    if (message.isSuspect) this.#suspect = message;
    if (journal === undefined) return this.#deliver(message, fault);
    journal.mark(message);
    return journal.announced().then(
      () => this.#deliver(message, fault),
      () => {
        this.#putBack(message, UNKEPT_BACKOFF_MS);
        return undefined;
      },
    );
  }

  /** Takes up a message that was in flight when the process before this one died. */
  recover(message: Message): void {
    message.lost += 1;
    const outcome = endedProcess(message);
    // One that is parked had come to its end: only that was not written down any more.
    if (this.#parts.letters.holds(message)) this.#finish(message, outcome);
    else this.#resend(message, outcome, 0);
  }

  #deliver(message: Message, fault: Fault | undefined): Promise<Outcome | undefined> {
    const { host } = message.lane;
    if (host === undefined || this.#closed || message.isFinished) {
      this.#putBack(message, 0);
      return NOT_DELIVERED;
    }
    const begun = fault === undefined ? 0 : this.#parts.clock.now();
    const answer = fault === undefined ? handedTo(host, message) : this.#disturbance.deliver(fault, message);
    return answer.then(
      (outcome) => {
        if (outcome !== undefined) return this.#settle(message, outcome, fault?.mishap, begun);
        this.#putBack(message, 0);
        return undefined;
      },
      (error: unknown) => this.#settle(message, { type: "failed", error, retryAfter: undefined }, fault?.mishap, begun),
    );
  }

  /** Gives a message back to the line that was not delivered. */
  #putBack(message: Message, wait: number): void {
    const { clock, line } = this.#parts;
    this.#leave(message);
    // Finished is one that was withdrawn, or whose enqueuing failed with the beginning of its delivery.
    if (!message.isFinished) this.#again(message, clock.now() + wait);
    line.resume(message.lane);
  }

  #settle(message: Message, outcome: Outcome, mishap: Mishap | undefined, begun: number): Outcome {
    this.#leave(message);
    // First, so that what starts now is written down together with what has ended.
    this.#parts.line.resume(message.lane);
    if (message.isFinished) return outcome;
    if (mishap === "crash" || mishap === "drop") this.#lose(message, mishap, begun);
    else if (mishap === "duplicate" && isSettled(outcome)) this.#again(message, this.#parts.clock.now());
    else if (isSettled(outcome)) this.#finish(message, outcome);
    else this.#nack(message, outcome);
    return outcome;
  }

  #leave(message: Message): void {
    message.isInFlight = false;
    if (this.#suspect === message) this.#suspect = undefined;
    this.#parts.lanes.leave(message.lane);
  }

  #nack(message: Message, outcome: Outcome): void {
    const { lane } = message;
    const now = this.#parts.clock.now();
    if (outcome.type === "busy" || outcome.type === "denied") {
      message.sentBack += 1;
      const wanted = outcome.type === "busy" ? outcome.retryAfter : lane.backoff(message.sentBack);
      this.#again(message, now + Math.max(wanted, SHORTEST_PUSH_BACKOFF) * 1000);
      return;
    }
    if (outcome.type === "failed") message.failures += 1;
    else message.rejections += 1;
    if (lane.isSpent(message, now)) {
      this.#giveUp(message, outcome);
      return;
    }
    const asked = outcome.type === "failed" ? outcome.retryAfter : undefined;
    this.#again(message, now + (asked ?? lane.backoff(message.nacks)) * 1000);
  }

  /** What becomes of a message whose answer never came. */
  #lose(message: Message, mishap: "crash" | "drop", begun: number): void {
    message.lost += 1;
    if (mishap === "crash") {
      this.#resend(message, endedProcess(message), 0);
      return;
    }
    // The transport waits for an acknowledgement until the deadline.
    const left = begun + message.lane.route.settings.ackDeadline * 1000 - this.#parts.clock.now();
    const wait = left > 0 ? left + message.lane.backoff(message.nacks) * 1000 : 0;
    this.#resend(message, lostAnswer(message), wait);
  }

  #resend(message: Message, outcome: Outcome, wait: number): void {
    const now = this.#parts.clock.now();
    if (message.lane.isSpent(message, now)) this.#giveUp(message, outcome);
    else this.#again(message, now + wait);
  }

  #again(message: Message, due: number): void {
    const { clock, journal, line } = this.#parts;
    // A moment that is none comes of a delay from outside; it could not be written down, nor would it ever come.
    const moment = Number.isFinite(due) ? due : clock.now() + message.lane.backoff(message.delivery - 1) * 1000;
    // Whole milliseconds, and never early.
    message.due = Math.ceil(moment);
    journal?.mark(message);
    if (!this.#closed) line.place(message);
    // Its host was detached while it was in flight: it waits for the next one, but nobody need wait for it.
    if (this.#closed || message.lane.host === undefined) message.abandon(ABANDONED);
  }

  /** Nobody could take the message: its host says what becomes of it, else it is kept aside as a dead-letter policy does. */
  #giveUp(message: Message, outcome: Outcome): void {
    const { host } = message.lane;
    if (host?.gaveUp === undefined) this.#park(message, outcome);
    else host.gaveUp(message, outcome);
    this.#finish(message, outcome);
  }

  #park(message: Message, outcome: Outcome): void {
    const letter = undeliverable(message, outcome, this.#parts.clock.now());
    this.#parts.letters.keep(letter);
    const error = "error" in outcome ? loggableError(outcome.error) : outcome.type;
    message.lane.host?.logger.error("a message could not be delivered and was parked as a dead letter", {
      task: letter.path,
      taskId: letter.taskId,
      // What a parser says quotes what it could not read.
      error: letter.unreadable === undefined ? error : letter.error,
    });
  }

  #finish(message: Message, outcome: Outcome): void {
    const { journal } = this.#parts;
    if (journal === undefined) message.finish(outcome);
    else {
      journal.mark(message);
      message.finish(outcome, journal.committed());
    }
    this.#parts.tally.end(message);
  }
}

/** Delivers a message to a host. One that throws instead of rejecting must not end the process. */
function handedTo(host: EngineHost, message: Message): Promise<Outcome> {
  try {
    return host.deliver(message);
  } catch (error) {
    return Promise.reject(error);
  }
}
