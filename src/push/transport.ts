import type { Delivery } from "../core/delivery.ts";

/** What a transport tells of a message, beside its content. */
export type TransportMessage = Pick<
  Delivery,
  "transport" | "messageId" | "attempt" | "dispatch" | "scheduledFor" | "publishTime" | "orderingKey" | "attributes"
>;

/** More than any task can have used; what is beyond it was not written by us. */
const MOST_CARRIED = 1_000_000_000;

/**
 * Attempts that a task used before it was created anew. Negative where deliveries do not count as attempts, 0 where the
 * text is no whole number.
 */
export function carriedAttempts(value: string | undefined): number {
  if (value === undefined) return 0;
  const carried = Number(value);
  return Number.isInteger(carried) && Math.abs(carried) <= MOST_CARRIED ? carried : 0;
}

/** A time in ISO 8601; `undefined` for anything else. */
export function timeOf(value: unknown): Date | undefined {
  if (typeof value !== "string") return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : new Date(time);
}
