import type { OutgoingTask, Receipt } from "../core/backend.ts";
import type { Outcome } from "../core/outcome.ts";
import { DedupeKeys, dedupeKeyOf, endedEarlier } from "./dedupe.ts";
import type { Journal } from "./journal.ts";
import type { Message } from "./message.ts";

/** What taking tasks in needs of an engine. */
export interface IntakeParts {
  readonly journal: Journal | undefined;
  /** Makes the message of a task and puts it in line. */
  accept(task: OutgoingTask, now: number): Message;
  /** Ends a message that could not be written down. */
  withdraw(message: Message, outcome: Outcome): void;
}

/** Takes tasks in: each dedupe key once, and with a journal only once the task is written down. */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #keys: DedupeKeys<Receipt>;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#keys = new DedupeKeys((key) => parts.journal?.release(key));
  }

  /** Takes a task, unless its dedupe key is held. */
  publish(task: OutgoingTask, now: number): Receipt | Promise<Receipt> {
    if (task.dedupe === undefined) return this.#kept(this.#parts.accept(task, now), undefined);
    const key = dedupeKeyOf(task.route, task.dedupe.key);
    const holder = this.#keys.holder(key, now);
    if (holder !== undefined) return this.#deduplicated(holder);
    const message = this.#parts.accept(task, now);
    const expiry = now + task.dedupe.window * 1000;
    this.#keys.hold(key, message, expiry);
    this.#parts.journal?.hold(key, message, expiry);
    return this.#kept(message, key);
  }

  /** Takes up the dedupe keys that a file has kept; `waiting` tells the messages that it kept as well. */
  holdKept(now: number, waiting: () => readonly Message[]): void {
    const kept = this.#parts.journal?.keys(now) ?? [];
    if (kept.length === 0) return;
    const byNumber = new Map(waiting().map((message) => [message.number, message]));
    for (const { key, taskId: id, number, expiry } of kept)
      this.#keys.hold(key, byNumber.get(number) ?? endedEarlier(id), expiry);
  }

  #kept(message: Message, key: string | undefined): Receipt | Promise<Receipt> {
    const { journal, withdraw } = this.#parts;
    if (journal === undefined) return message;
    return journal.committed().then(
      () => message,
      (error: unknown) => {
        // Its enqueuer is told that it is not enqueued.
        withdraw(message, { type: "failed", error, retryAfter: undefined });
        if (key !== undefined) {
          this.#keys.release(key);
          journal.release(key);
        }
        throw error;
      },
    );
  }

  #deduplicated(holder: Receipt): Receipt | Promise<Receipt> {
    const { id } = holder;
    const outcome = holder.outcome?.bind(holder);
    const receipt = outcome === undefined ? { id, deduplicated: true } : { id, deduplicated: true, outcome };
    return this.#parts.journal?.committed().then(() => receipt) ?? receipt;
  }
}
