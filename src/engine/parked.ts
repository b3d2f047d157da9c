import type { OutgoingTask } from "../core/backend.ts";
import type { Clock } from "../core/clock.ts";
import type { DeadLetter, DeadLetterBox } from "../core/dead-letter.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { redrivenTask, strangeLetter } from "../core/redrive.ts";
import type { Message } from "./message.ts";

/** What redriving needs. */
export interface ParkedLettersOptions {
  readonly clock: Clock;
  /** The route of a path; `undefined` when it is no longer known. */
  route(path: string): AnyRoute | undefined;
  /** Enqueues a letter's task again. */
  publish(task: OutgoingTask): unknown;
  /** Where letters are written down besides. Default: nowhere, they are in memory alone. */
  readonly journal?: LetterJournal | undefined;
}

/** Writes dead letters down. */
export interface LetterJournal {
  /** Writes a letter down with the next commit, in place of an earlier one of its key. */
  park(key: string, letter: DeadLetter): void;
  /** Forgets a letter with the next commit. */
  unpark(key: string): void;
  /** Resolves once all of it so far is written down; rejects when that failed. */
  committed(): Promise<void>;
}

/** The dead letters of an engine, oldest first. An id may stand for several: it is unique neither among routes nor for ever. */
export class ParkedLetters implements DeadLetterBox {
  readonly #letters = new Map<string, DeadLetter>();
  readonly #options: ParkedLettersOptions;

  constructor(options: ParkedLettersOptions, kept: Iterable<DeadLetter> = []) {
    this.#options = options;
    for (const letter of kept) this.#letters.set(keyOf(letter), letter);
  }

  park(letter: DeadLetter): void | Promise<void> {
    this.keep(letter);
    const { journal } = this.#options;
    return journal?.committed().catch((error: unknown) => {
      this.#forget(letter);
      throw error;
    });
  }

  /** Parks a letter, to be written down with the next commit. */
  keep(letter: DeadLetter): void {
    this.#letters.set(keyOf(letter), letter);
    this.#options.journal?.park(keyOf(letter), letter);
  }

  /** Whether a message is parked. */
  holds({ messageId, task: { route } }: Message): boolean {
    return [...this.#letters.values()].some((letter) => letter.messageId === messageId && letter.path === route.path);
  }

  #forget(letter: DeadLetter): void {
    // Refused once the journal is closed: the letter then stays.
    this.#options.journal?.unpark(keyOf(letter));
    this.#letters.delete(keyOf(letter));
  }

  #of(taskId: string): DeadLetter[] {
    return [...this.#letters.values()].filter((letter) => letter.taskId === taskId);
  }

  async list(): Promise<readonly DeadLetter[]> {
    // A letter whose redrive failed stands behind younger ones.
    return [...this.#letters.values()].sort((a, b) => a.parkedAt - b.parkedAt);
  }

  async redrive(taskId: string): Promise<boolean> {
    let redriven = false;
    let stranger: DeadLetter | undefined;
    for (const letter of this.#of(taskId)) {
      // Another redrive, or a drop, may have taken it while the one before it was written down.
      if (!this.#letters.has(keyOf(letter))) continue;
      const route = this.#options.route(letter.path);
      if (route === undefined) stranger = letter;
      else {
        await this.#redriveOne(letter, route);
        redriven = true;
      }
    }
    if (stranger !== undefined && !redriven) throw strangeLetter(stranger);
    return redriven;
  }

  async #redriveOne(letter: DeadLetter, route: AnyRoute): Promise<void> {
    const task = redrivenTask(letter, route, this.#options.clock.now());
    this.#forget(letter);
    try {
      await this.#options.publish(task);
    } catch (error) {
      this.keep(letter);
      throw error;
    }
  }

  async drop(taskId: string): Promise<boolean> {
    const letters = this.#of(taskId);
    for (const letter of letters) this.#forget(letter);
    try {
      await this.#options.journal?.committed();
    } catch (error) {
      // Its message may have been parked once more meanwhile.
      for (const letter of letters) if (!this.#letters.has(keyOf(letter))) this.keep(letter);
      throw error;
    }
    return letters.length > 0;
  }
}

/** A message that is parked again, because its acknowledgement was lost, replaces its letter; another one stands beside it. */
function keyOf({ path, taskId, messageId }: DeadLetter): string {
  return [path, taskId, messageId].join("\n");
}
