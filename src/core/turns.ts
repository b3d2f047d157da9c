import { isThenable } from "./thenable.ts";

/**
 * Keeps tasks of one ordering key in the order in which they were enqueued, while schemas that take their time check the
 * payloads: one that is checked sooner waits for those before it.
 */
export class Turns {
  /** By key; only those of which something is being checked. */
  readonly #last = new Map<string, Promise<unknown>>();

  /**
   * What is prepared, at once when nothing of these keys is being checked; else when all before it have had their turn,
   * whatever they came to. Whoever awaits it goes on before the next one's turn comes.
   */
  take<T>(keys: Iterable<string>, prepared: T | Promise<T>): T | Promise<T> {
    const own = [...keys];
    const before = own.flatMap((key) => this.#last.get(key) ?? []);
    if (own.length === 0 || (before.length === 0 && !isThenable(prepared))) return prepared;
    const turn = Promise.allSettled([...before, prepared]).then(() => prepared);
    const leave = () => {
      for (const key of own) if (this.#last.get(key) === turn) this.#last.delete(key);
    };
    turn.then(leave, leave);
    for (const key of own) this.#last.set(key, turn);
    return turn;
  }
}
