/** Why a delivery was refused for good. */
export type RejectReason = "malformed" | "unknown-task" | "invalid-payload";

/** Why a task was parked as a dead letter; `"undeliverable"`: the transport ran out of deliveries without an answer that counts. */
export type ParkReason = "discarded" | "exhausted" | "switched-off" | "undeliverable";

/** Why a delivery could not be taken right now. */
export type BusyReason =
  | "not-ready"
  | "draining"
  | "no-slot"
  | "pool-exhausted"
  | "task-busy"
  | "switched-off"
  | "auth-unavailable";

/** Why nothing was run although the delivery is settled; `"created-anew"`: another message of the same task takes its place. */
export type SkipReason = "switched-off" | "overlap" | "created-anew";

/** What one delivery came to. HTTP status is the last-line translation of it, see `statusOf` in `push`. */
export type Outcome =
  /** The task returned. Acknowledged. */
  | { readonly type: "done"; readonly result: unknown }
  /** Nothing was to be run. Acknowledged. */
  | { readonly type: "skipped"; readonly reason: SkipReason }
  /** The task gave up, was given up on, or is switched off, and its dead letter is durably kept. Acknowledged. */
  | { readonly type: "discarded"; readonly reason: ParkReason; readonly error: unknown }
  /** The message can never be run by this deployment. Not acknowledged: a later deployment may know it. */
  | { readonly type: "rejected"; readonly reason: RejectReason; readonly error: unknown }
  /** Who sent it could not prove who they are. Not acknowledged. */
  | { readonly type: "denied"; readonly detail: string }
  /** It cannot run right now. Not acknowledged, and not counted as an attempt. */
  | { readonly type: "busy"; readonly reason: BusyReason; readonly retryAfter: number }
  /** The task threw or ran out of time. Not acknowledged; counts as an attempt. */
  | { readonly type: "failed"; readonly error: unknown; readonly retryAfter: number | undefined }
  /** Not a push at all. */
  | { readonly type: "refused"; readonly status: 405 | 413 };

/** Seconds suggested to whoever is told to come back when nothing better is known. */
const RETRY_AFTER_S = 10;

/** The outcome of a delivery that cannot be taken now. */
export function busy(reason: BusyReason, retryAfter: number = RETRY_AFTER_S): Outcome {
  return { type: "busy", reason, retryAfter };
}

/** Whether the transport may forget the message. */
export function isSettled(outcome: Outcome): boolean {
  return outcome.type === "done" || outcome.type === "skipped" || outcome.type === "discarded";
}
