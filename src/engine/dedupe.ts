import type { Receipt } from "../core/backend.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { TasksError } from "../core/errors.ts";
import type { Outcome } from "../core/outcome.ts";
import { Heap } from "./heap.ts";

interface Entry<T> {
  readonly key: string;
  readonly value: T;
  readonly expiry: number;
}

/** Under which key a task holds its place: keys are a route's own. */
export function dedupeKeyOf(route: AnyRoute, key: string): string {
  return `${route.path}\n${key}`;
}

/** Keys that hold for a while. Forgets a key when its time is over, at the next look. */
export class DedupeKeys<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #expiries = new Heap<Entry<T>>();
  readonly #expired: (key: string) => void;

  /** @param expired called with each key whose time is over. */
  constructor(expired: (key: string) => void = () => {}) {
    this.#expired = expired;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Who holds a key now. */
  holder(key: string, now: number): T | undefined {
    this.#expire(now);
    return this.#entries.get(key)?.value;
  }

  /** Lets a value hold a key until a moment. */
  hold(key: string, value: T, expiry: number): void {
    const entry = { key, value, expiry };
    this.#entries.set(key, entry);
    this.#expiries.push(expiry, entry);
  }

  /** Lets go of a key before its time. */
  release(key: string): void {
    this.#entries.delete(key);
  }

  #expire(now: number): void {
    while ((this.#expiries.peekKey ?? Number.POSITIVE_INFINITY) <= now) {
      const entry = this.#expiries.pop() as Entry<T>;
      if (this.#entries.get(entry.key) !== entry) continue;
      this.#entries.delete(entry.key);
      this.#expired(entry.key);
    }
  }
}

/** Stands for a task that is not among those which wait: an earlier process has seen its end. */
export function endedEarlier(id: string): Receipt {
  const outcome = async (): Promise<Outcome> => {
    throw new TasksError(
      "UNSUPPORTED",
      `result of task "${id}": expected one of this process, got a task that ended in an earlier one, whose result was not kept; keep results yourself`,
    );
  };
  return { id, deduplicated: false, outcome };
}
