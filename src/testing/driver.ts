import type { DeadLetter } from "../core/dead-letter.ts";
import { TasksError } from "../core/errors.ts";
import type { VirtualClock } from "../engine/clock.ts";
import type { Message } from "../engine/message.ts";
import { patiently } from "./patience.ts";
import type { AnyDelivered } from "./records.ts";
import type { TestBackend } from "./test-backend.ts";
import { deliveredText, listed, pendingText, show } from "./text.ts";

/** A test that asks for a delivery where there is none. */
export function noDelivery(message: string): TasksError {
  return new TasksError("NO_DELIVERY", message);
}

/** Delivers what waits, one after another, and moves time from one to the next. */
export class Driver {
  readonly #backend: TestBackend;
  readonly #clock: VirtualClock;
  readonly #patience: number;
  #closed = false;

  /** @param patience seconds of the machine's time that a delivery may take; 0 for ever. */
  constructor(backend: TestBackend, clock: VirtualClock, patience: number) {
    this.#backend = backend;
    this.#clock = clock;
    this.#patience = patience;
  }

  /** Delivers nothing from now on. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Delivers a message that is due.
   *
   * @throws TasksError `NO_DELIVERY` when another call has taken it, after it was put behind others.
   */
  async one(message: Message): Promise<AnyDelivered> {
    while (this.#backend.waiting().includes(message)) {
      const delivered = await this.#deliver(message);
      if (delivered !== undefined) return delivered;
    }
    throw noDelivery(
      `"${message.lane.route.path}": expected its message to wait, got one that is delivered already; await one delivery before the next`,
    );
  }

  /** `undefined` when the message was put behind others. */
  #deliver(message: Message): Promise<AnyDelivered | undefined> {
    if (this.#closed)
      throw new TasksError("CLOSED", "delivery: expected an open client, got a closed one; deliver before close()");
    return patiently(this.#backend.deliver(message), this.#patience, message.lane.route.path);
  }

  /** Delivers the first message that is due, of one route or of any; `undefined` when none is. */
  async next(path?: string): Promise<AnyDelivered | undefined> {
    for (let message = this.#due(path); message !== undefined; message = this.#due(path)) {
      const delivered = await this.#deliver(message);
      if (delivered !== undefined) return delivered;
    }
    return undefined;
  }

  #due(path?: string): Message | undefined {
    const now = this.#clock.now();
    return this.#backend
      .waiting()
      .find(({ due, lane }) => due <= now && (path === undefined || path === lane.route.path));
  }

  /** Delivers until nothing is left, moving time to whatever falls due next. Ticks that pass meanwhile are left out. */
  async all(limit: number): Promise<AnyDelivered[]> {
    const made: AnyDelivered[] = [];
    this.#backend.ticksHeld = true;
    try {
      for (;;) {
        await this.#batch("deliverAll", made, limit);
        await this.#settled();
        const [first] = this.#backend.waiting();
        if (first === undefined) return made;
        await this.#clock.advanceTo(new Date(Math.max(first.due, this.#clock.now())));
      }
    } finally {
      this.#backend.ticksHeld = false;
    }
  }

  /** Delivers all that falls due until a moment, at its own moment, ticks included. */
  async until(moment: number, limit: number): Promise<AnyDelivered[]> {
    const made: AnyDelivered[] = [];
    for (;;) {
      const now: AnyDelivered[] = [];
      await this.#batch("deliverUntil", now, limit);
      made.push(...now);
      if (this.#clock.now() >= moment) return made;
      const due = this.#backend.waiting()[0]?.due ?? moment;
      await this.#clock.advanceTo(new Date(Math.min(due, this.#clock.nextTimer ?? moment, moment)));
    }
  }

  /** Delivers what is due now and what becomes due at once by it. */
  async #batch(method: string, made: AnyDelivered[], limit: number): Promise<void> {
    for (let delivered = await this.next(); delivered !== undefined; delivered = await this.next()) {
      made.push(delivered);
      if (made.length >= limit && this.#backend.waiting().length > 0) throw this.#endless(method, made, limit);
    }
  }

  /** Waits for deliveries that the test has begun beside. */
  async #settled(): Promise<void> {
    for (const [message, { ended }] of this.#backend.underWay)
      await patiently(ended, this.#patience, message.lane.route.path);
  }

  #endless(method: string, made: readonly AnyDelivered[], limit: number): TasksError {
    const byPath = Map.groupBy(made, ({ path }) => path);
    const often = [...byPath.values()]
      .sort((a, b) => b.length - a.length)
      .map((same) => `${same.length} × ${deliveredText(same.at(-1) as AnyDelivered)}`);
    const now = this.#clock.now();
    const waiting = this.#backend.waiting().map((message) => pendingText(this.#backend.record(message), now));
    return new TasksError(
      "TIMEOUT",
      `${method}: expected an end within ${limit} deliveries, got none; delivered were, each with its last\n${listed(often)}\nstill waiting are\n${listed(waiting, 3)}\nsee whether a task enqueues itself or is Busy again and again, or raise limit`,
    );
  }

  /** The text of "nothing is due", with what waits instead. */
  nothingDue(method: string, path: string | undefined): TasksError {
    const now = this.#clock.now();
    const waiting = this.#backend.waiting().map((message) => this.#backend.record(message));
    const wanted = path === undefined ? "a task that is due" : `a task of "${path}" that is due`;
    if (waiting.length === 0) return noDelivery(`${method}: expected ${wanted}, got none; nothing waits at all`);
    const list = listed(waiting.map((record) => pendingText(record, now)));
    const first = waiting.find((record) => path === undefined || record.path === path);
    const seconds = first === undefined ? 0 : (first.due.getTime() - now) / 1000;
    const advice = seconds > 0 ? `\nmove time first, with advance(${seconds})` : "";
    return noDelivery(`${method}: expected ${wanted}, got none; waiting are\n${list}${advice}`);
  }
}

/**
 * Fails a test in which tasks were given up on without its saying that they may be.
 *
 * @throws TasksError `TASK_FAILED`; its cause is what the first of them threw.
 */
export function assertNoLetters(
  method: string,
  letters: readonly DeadLetter[],
  delivered: readonly AnyDelivered[],
): void {
  const [first] = letters;
  if (first === undefined) return;
  const texts = letters.map(
    ({ path, kwargs, reason, attempts, error }) =>
      `${path} ${show(kwargs)}\n  ${reason} in attempt ${attempts}${error === undefined ? "" : `: ${error}`}`,
  );
  const last = delivered.findLast(({ taskId }) => taskId === first.taskId)?.outcome;
  const got = letters.length === 1 ? "a dead letter" : `${letters.length} dead letters`;
  throw new TasksError(
    "TASK_FAILED",
    `${method}: expected every task to succeed in the end, got ${got}\n${listed(texts)}\nsee cause, or pass { allowDeadLetters: true } if the test is about them`,
    { cause: last !== undefined && "error" in last ? last.error : undefined },
  );
}
