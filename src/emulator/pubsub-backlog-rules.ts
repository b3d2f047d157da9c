import type { Entry } from "./pubsub-entry.ts";

/** What a backlog keeps to; asked anew each time. */
export interface BacklogRules {
  readonly isOrdered: boolean;
  /** Milliseconds that a message is kept. */
  readonly retention: number;
  /** Whether acknowledged messages are kept as well, for a seek back. */
  readonly retainsAcked: boolean;
  /** Seconds before a message comes again that has failed so often. */
  backoff(failures: number): number;
  /** Deals with a message that has failed too often; `false` when it is to come again. */
  forward(entry: Entry): boolean;
  /** Whether messages are pushed, and not pulled. */
  readonly isPush: boolean;
  /** Sends a message by push whose turn has come. */
  push(entry: Entry): void;
}
