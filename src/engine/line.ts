import type { Lane } from "./lane.ts";
import type { Message } from "./message.ts";

/** Where messages wait, and what decides which of them is delivered next. */
export interface Line {
  /** Takes a message until it is due and its turn has come. */
  place(message: Message): void;
  /** Looks again at a lane whose limits, host or places have changed. */
  resume(lane: Lane): void;
  /** Takes a message out, at a cost that grows with what waits; `false` when it does not wait here. */
  take(message: Message): boolean;
  /** Told that a message which waits here is finished: it must not start, nor be held without end. */
  forget(message: Message): void;
  /** The messages that wait, in no particular order. */
  waiting(): readonly Message[];
  /** Starts nothing more and leaves no timer. What waits stays where it is. */
  close(): void;
}
