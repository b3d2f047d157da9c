import type { StoredMessage } from "./pubsub-resources.ts";

/** Who takes messages from a backlog: a stream, or a call of Pull. */
export interface Consumer {
  /** Messages that it has and that are neither acknowledged nor lapsed. */
  outstanding: number;
  /** Called when there may be messages to take; says whether it is ready for more after that. */
  wake(): void;
}

/** The right of a consumer to a message, until a moment. */
export interface Lease {
  readonly consumer: Consumer;
  /** Which delivery it belongs to, from 1. */
  readonly delivery: number;
  /** Milliseconds since the epoch. */
  deadline: number;
}

/**
 * Where a message of a subscription is: `waiting` for its turn, `delayed` until its back-off is over, `leased` to a consumer,
 * `pushing` by way of the engine, `done` for good.
 */
export type EntryState = "waiting" | "delayed" | "leased" | "pushing" | "done";

/** One message in one subscription, until it is acknowledged. */
export class Entry {
  readonly message: StoredMessage;
  /** The line of its ordering key, where messages are ordered. */
  readonly line: KeyLine | undefined;
  state: EntryState = "waiting";
  /** Nacks and lapsed deadlines so far. */
  failures = 0;
  lease: Lease | undefined;
  /** How often it was leased. */
  deliveries = 0;

  constructor(message: StoredMessage, line: KeyLine | undefined) {
    this.message = message;
    this.line = line;
  }
}

/** Taken entries at the front of a line after which it is moved up. */
const COMPACT_AT = 1024;

/** The messages of one ordering key, in order; those at the front may have been given out. */
export class KeyLine {
  readonly key: string;
  /** Whether it waits for a back-off. */
  isHeld = false;
  /** Whether it stands in the backlog's queue. */
  isQueued = false;
  /** Who has the messages that are out: the next ones of the key go there too, so that they are handled in order. */
  consumer: Consumer | undefined;
  #entries: Entry[] = [];
  #head = 0;
  #sent = 0;

  constructor(key: string) {
    this.key = key;
  }

  /** Whether nothing is left of the key. */
  get isEmpty(): boolean {
    return this.#head === this.#entries.length;
  }

  /** Whether messages are out that are not acknowledged. */
  get hasOutstanding(): boolean {
    return this.#head < this.#sent;
  }

  /** Whether there is a message that is not out. */
  get hasNext(): boolean {
    return this.#sent < this.#entries.length;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Gives out the next message. */
  next(): Entry | undefined {
    while (this.#sent < this.#entries.length) {
      const entry = this.#entries[this.#sent++];
      if (entry?.state !== "done") return entry;
      this.trim();
    }
    return undefined;
  }

  /** Forgets what is done at the front. */
  trim(): void {
    while (this.#head < this.#sent && this.#entries[this.#head]?.state === "done") this.#head += 1;
    if (!this.hasOutstanding) this.consumer = undefined;
    if (this.#head < COMPACT_AT || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#sent -= this.#head;
    this.#head = 0;
  }

  /** Takes back a message and all behind it that are out: a redelivery is followed by that of the key's later messages. */
  rewind(entry: Entry): readonly Entry[] {
    let index = this.#head;
    while (index < this.#sent && this.#entries[index] !== entry) index += 1;
    const taken = this.#entries.slice(index, this.#sent).filter(({ state }) => state !== "done");
    this.#entries.splice(index, this.#sent - index, ...taken);
    this.#sent = index;
    this.trim();
    return taken;
  }
}
