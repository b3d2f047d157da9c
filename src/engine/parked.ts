import type { OutgoingTask } from "../core/backend.ts";
import type { Clock } from "../core/clock.ts";
import { type DeadLetter, type DeadLetterBox, describeError } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import type { Outcome } from "../core/outcome.ts";
import { payloadOf } from "../core/payload.ts";
import type { Message } from "./message.ts";

/** What redriving needs. */
export interface ParkedLettersOptions {
  readonly clock: Clock;
  /** The route of a path; `undefined` when it is no longer known. */
  route(path: string): AnyRoute | undefined;
  /** Enqueues a letter's task again. */
  publish(task: OutgoingTask): unknown;
}

/** Dead letters in memory, by task id, oldest first. */
export class ParkedLetters implements DeadLetterBox {
  readonly #letters = new Map<string, DeadLetter>();
  readonly #options: ParkedLettersOptions;

  constructor(options: ParkedLettersOptions) {
    this.#options = options;
  }

  park(letter: DeadLetter): void {
    this.#letters.set(letter.taskId, letter);
  }

  async list(): Promise<readonly DeadLetter[]> {
    // A letter whose redrive failed stands behind younger ones.
    return [...this.#letters.values()].sort((a, b) => a.parkedAt - b.parkedAt);
  }

  async redrive(taskId: string): Promise<boolean> {
    const letter = this.#letters.get(taskId);
    const route = letter === undefined ? undefined : this.#options.route(letter.path);
    if (letter === undefined || route === undefined) return false;
    this.#letters.delete(taskId);
    try {
      await this.#options.publish(revived(letter, route, this.#options.clock.now()));
    } catch (error) {
      this.#letters.set(taskId, letter);
      throw error;
    }
    return true;
  }

  async drop(taskId: string): Promise<boolean> {
    return this.#letters.delete(taskId);
  }
}

/** A letter's task as it is enqueued again: the same id and payload, no attempt used. */
function revived(letter: DeadLetter, route: AnyRoute, now: number): OutgoingTask {
  return {
    id: letter.taskId,
    route,
    payloadJson: JSON.stringify(payloadOf(route, letter.args, letter.kwargs)),
    enqueuedAt: letter.enqueuedAt === undefined ? now : Date.parse(letter.enqueuedAt),
    runAt: undefined,
    dedupe: undefined,
    priority: undefined,
    carriedAttempts: 0,
  };
}

/** What a dead-letter policy does: the letter of a message that nobody could take, after its last `outcome`. */
export function undeliverable(message: Message, outcome: Outcome, parkedAt: number): DeadLetter {
  const { task, messageId } = message;
  const error = "error" in outcome ? outcome.error : undefined;
  return {
    taskId: task.id,
    path: task.route.path,
    taskName: task.route.name,
    args: [],
    kwargs: JSON.parse(task.payloadJson) as Record<string, unknown>,
    enqueuedAt: message.scheduledFor === undefined ? new Date(task.enqueuedAt).toISOString() : undefined,
    messageId,
    reason: "undeliverable",
    error: error === undefined ? outcome.type : describeError(error),
    attempts: message.failures,
    parkedAt,
  };
}
