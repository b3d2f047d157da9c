import type { FieldChange } from "../core/provisioning.ts";

/** Durations of which Cloud Tasks keeps whole seconds only (google/cloud/tasks/v2/queue.proto). */
const WHOLE_SECONDS: ReadonlySet<string> = new Set([
  "retryConfig.minBackoff",
  "retryConfig.maxBackoff",
  "retryConfig.maxRetryDuration",
]);

/**
 * The fields in which what was found is not what is wanted. Only what is wanted is looked at: services fill in a good deal
 * of their own.
 */
export function differences(wanted: object, found: Readonly<Record<string, unknown>>): readonly FieldChange[] {
  const changes: FieldChange[] = [];
  compare(wanted, found, "", changes);
  return changes;
}

function compare(wanted: object, found: unknown, path: string, changes: FieldChange[]): void {
  for (const [name, want] of Object.entries(wanted)) {
    if (want === undefined) continue;
    const field = path === "" ? name : `${path}.${name}`;
    const got = (found as Record<string, unknown> | null | undefined)?.[name];
    if (typeof want === "object" && want !== null) compare(want, got, field, changes);
    else if (!isSame(field, want, got)) changes.push({ field, from: got ?? undefined, to: want });
  }
}

/** What is not there has the default of its type: that is how the services write it. */
function isSame(field: string, want: unknown, got: unknown): boolean {
  if (got === undefined || got === null) return want === "" || want === false || want === 0;
  if (typeof want === "number" && WHOLE_SECONDS.has(field)) return want === got || Math.trunc(want) === got;
  return want === got;
}
