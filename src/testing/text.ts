import { inspect } from "node:util";
import { describeError } from "../core/dead-letter.ts";
import type { Outcome } from "../core/outcome.ts";
import { nearest } from "../core/suggest.ts";
import type { AnyDelivered, AnyEnqueued, AnyPending } from "./records.ts";

/** Columns that a text keeps to, as far as what it shows lets it. */
const WIDTH = 80;
/** Entries of a list that are shown. */
const SHOWN = 10;

/** A value as it is shown in a text. */
export function show(value: unknown): string {
  return inspect(value, { breakLength: WIDTH - 8, depth: 6, maxArrayLength: 20, maxStringLength: 200, sorted: false });
}

/** Every line of a text moved to the right. */
export function indented(text: string, columns: number = 2): string {
  return text.replace(/^/gm, " ".repeat(columns));
}

/** One entry a line, each indented; of a long list the beginning. */
export function listed(entries: readonly string[], most: number = SHOWN): string {
  const shown = entries.slice(0, most).map((entry) => indented(entry));
  if (entries.length > most) shown.push(`  … and ${entries.length - most} more`);
  return shown.join("\n");
}

/** The path and payload of a task, and what else is to be said of it: on one line if that holds it. */
function task({ path, payload }: { readonly path: string; readonly payload: unknown }, rest = ""): string {
  const line = `${path} ${show(payload)}${rest}`;
  return line.includes("\n") || line.length > WIDTH - 4 ? `${path}${rest}\n${indented(show(payload))}` : line;
}

/** A task that was enqueued. */
export function enqueuedText(record: AnyEnqueued): string {
  return task(record);
}

/** A task that waits, and how long it still does. */
export function pendingText(record: AnyPending, now: number): string {
  const seconds = (record.due.getTime() - now) / 1000;
  const attempt = record.attempt === 1 ? "" : `, attempt ${record.attempt}`;
  return task(record, ` ${seconds <= 0 ? "due now" : `due in ${seconds} s`}${attempt}`);
}

/** A delivery, and what it came to. */
export function deliveredText(record: AnyDelivered): string {
  const lost = record.acknowledged || record.mishap === undefined ? "" : ` (${record.mishap})`;
  return task(record, ` attempt ${record.attempt}: ${outcomeText(record.outcome)}${lost}`);
}

function outcomeText(outcome: Outcome): string {
  const reason = "reason" in outcome ? `, ${outcome.reason}` : "";
  const error = "error" in outcome && outcome.error !== undefined ? `, ${describeError(outcome.error)}` : "";
  return `${outcome.type}${reason}${error}`;
}

/** Records with those of the path in front that is most like one's own. */
export function nearestFirst<T extends { readonly path: string }>(records: readonly T[], path: string): readonly T[] {
  const like = nearest(
    path,
    records.map((record) => record.path),
  );
  return [...records.filter((record) => record.path === like), ...records.filter((record) => record.path !== like)];
}
