import type { OutgoingTask } from "../core/backend.ts";
import type { Clock } from "../core/clock.ts";
import type { DeadLetter, DeadLetterBox } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { payloadOf } from "../core/payload.ts";

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
    return [...this.#letters.values()];
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
