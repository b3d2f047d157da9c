import type { Message } from "./message.ts";

/**
 * What goes wrong with one delivery:
 * - `reorder`: it does not happen now; the message goes behind the others that wait.
 * - `failure`: it is answered as failed, and nothing runs.
 * - `drop`: the task runs, but its acknowledgement is lost: delivered again after the ack deadline.
 * - `duplicate`: the task runs, and is delivered once more although it was acknowledged.
 * - `crash`: the task runs, and the process dies before the acknowledgement: delivered again at once, as after a restart.
 */
export type Mishap = "reorder" | "failure" | "drop" | "duplicate" | "crash";

/** How one delivery is disturbed. */
export interface Fault {
  /** Read again when the delivery has ended: what befalls the answer may be decided under way. */
  readonly mishap: Mishap | undefined;
  /** Seconds that the delivery takes to arrive. */
  readonly latency: number;
}

/** Decides what goes wrong. */
export interface Faults {
  /** Told first of all which number the engine's first message will have. */
  begin?(first: number): void;
  /**
   * Asked when a delivery is about to start, and so again after a `reorder`, which must not be the answer for ever; `undefined`
   * when nothing is wrong with it.
   */
  next(message: Message): Fault | undefined;
}
