import type { Clock } from "../core/clock.ts";
import { loggableError } from "../core/dead-letter.ts";
import { isSettled, type Outcome } from "../core/outcome.ts";
import { disturbed } from "./disturb.ts";
import type { Fault, Faults, Mishap } from "./fault.ts";
import type { Journal } from "./journal.ts";
import type { Lanes } from "./lanes.ts";
import type { Line } from "./line.ts";
import type { Message } from "./message.ts";
import { lostAnswer, type ParkedLetters, undeliverable } from "./parked.ts";
import type { Tally } from "./tally.ts";

/** Pub/Sub waits this long at least before it pushes again to an endpoint that sent a message back; seconds. */
const SHORTEST_PUSH_BACKOFF = 0.1;
/** Milliseconds until a delivery is tried again whose beginning could not be written down. */
const UNKEPT_BACKOFF_MS = 1000;
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
  #closed = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  /** Takes no message back into the line from now on. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Delivers a message and resolves to what that came to, once it has been dealt with; to `undefined` when it was not
   * delivered after all. With a journal, it is written down first that a delivery is under way.
   */
  start(message: Message): Promise<Outcome | undefined> {
    const { faults, journal, lanes, clock, line } = this.#parts;
    const fault = faults?.next(message);
    if (fault?.mishap === "reorder") {
      message.due = clock.now();
      line.place(message);
      return NOT_DELIVERED;
    }
    lanes.enter(message.lane);
    message.isInFlight = true;
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
    // One that is parked had come to its end: only that was not written down any more.
    if (this.#parts.letters.holds(message)) this.#finish(message, lostAnswer(message));
    else this.#lose(message, this.#parts.clock.now());
  }

  #deliver(message: Message, fault: Fault | undefined): Promise<Outcome | undefined> {
    const { host } = message.lane;
    if (host === undefined || this.#closed) {
      this.#putBack(message, 0);
      return NOT_DELIVERED;
    }
    const { clock } = this.#parts;
    const begun = fault === undefined ? 0 : clock.now();
    const answer = fault === undefined ? host.deliver(message) : disturbed(fault, message, host, clock);
    return answer.then(
      (outcome) => this.#settle(message, outcome, fault?.mishap, begun),
      (error: unknown) => this.#settle(message, { type: "failed", error, retryAfter: undefined }, fault?.mishap, begun),
    );
  }

  /** Gives a message back to the line that was not delivered. */
  #putBack(message: Message, wait: number): void {
    const { clock, line } = this.#parts;
    this.#leave(message);
    // Finished is one whose enqueuing failed with the beginning of its delivery.
    if (!message.isFinished) this.#again(message, clock.now() + wait);
    line.resume(message.lane);
  }

  #settle(message: Message, outcome: Outcome, mishap: Mishap | undefined, begun: number): Outcome {
    this.#leave(message);
    // First, so that what starts now is written down together with what has ended.
    this.#parts.line.resume(message.lane);
    if (mishap === "crash") this.#lose(message, this.#parts.clock.now());
    else if (mishap === "drop") this.#lose(message, begun + message.lane.route.settings.ackDeadline * 1000);
    else if (mishap === "duplicate" && isSettled(outcome)) this.#again(message, this.#parts.clock.now());
    else if (isSettled(outcome)) this.#finish(message, outcome);
    else this.#nack(message, outcome);
    return outcome;
  }

  #leave(message: Message): void {
    message.isInFlight = false;
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
    if (message.nacks >= lane.maxDeliveries) {
      this.#giveUp(message, outcome);
      return;
    }
    const asked = outcome.type === "failed" ? outcome.retryAfter : undefined;
    this.#again(message, now + (asked ?? lane.backoff(message.nacks)) * 1000);
  }

  /** What becomes of a message whose answer never came, from the moment at which its transport gives up waiting. */
  #lose(message: Message, given: number): void {
    message.lost += 1;
    const { clock } = this.#parts;
    const wait = given > clock.now() ? message.lane.backoff(message.nacks) * 1000 : 0;
    if (message.nacks >= message.lane.maxDeliveries) this.#giveUp(message, lostAnswer(message));
    else this.#again(message, given + wait);
  }

  #again(message: Message, due: number): void {
    // Whole milliseconds, and never early.
    message.due = Math.ceil(due);
    this.#parts.journal?.mark(message);
    if (this.#closed) message.abandon(ABANDONED);
    else this.#parts.line.place(message);
  }

  /** What a dead-letter policy does: nobody could take the message, so it is kept aside. */
  #giveUp(message: Message, outcome: Outcome): void {
    const letter = undeliverable(message, outcome, this.#parts.clock.now());
    this.#parts.letters.keep(letter);
    message.lane.host?.logger.error("a message could not be delivered and was parked as a dead letter", {
      task: letter.path,
      taskId: letter.taskId,
      error: "error" in outcome ? loggableError(outcome.error) : outcome.type,
    });
    this.#finish(message, outcome);
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
