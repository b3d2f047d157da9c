import type { Lane } from "./lane.ts";
import type { Message } from "./message.ts";

/** Where messages wait, and what decides which of them is delivered next. */
export interface Line {
  /** Takes a message until it is due and its turn has come. */
  place(message: Message): void;
  /** Looks again at a lane whose limits, host or places have changed. */
  resume(lane: Lane): void;
  /** The messages that wait, in no particular order. */
  waiting(): readonly Message[];
  /** Starts nothing more and leaves no timer. What waits stays where it is. */
  close(): void;
}
