import type { Change, ChangeResult, Plan, ProvisionReport } from "../core/provisioning.ts";
import { idOf } from "./ownership.ts";

/** Columns of a line, unless a name alone is longer: names are never cut, so that they can be copied. */
const WIDTH = 80;

const SIGN: Readonly<Record<Change["action"], string>> = {
  create: "+",
  update: "~",
  replace: "-/+",
  delete: "-",
  keep: "=",
  skip: "!",
};

/** What each action is called in the last line, in the order in which they stand there. */
const COUNTED: readonly [action: Change["action"], text: string][] = [
  ["create", "to create"],
  ["update", "to update"],
  ["replace", "to replace"],
  ["delete", "to delete"],
  ["skip", "skipped"],
  ["keep", "unchanged"],
];

const STATUSES: readonly [status: ChangeResult["status"] | "deleted", text: string][] = [
  ["done", "written"],
  ["deleted", "deleted"],
  ["settled", "settled by another writer"],
  ["skipped", "skipped"],
  ["unchanged", "unchanged"],
  ["failed", "failed"],
];

/** How to render. */
export interface RenderOptions {
  /** Whether what is as it should be is listed as well, rather than only counted. Default `false`. */
  readonly unchanged?: boolean;
}

/**
 * A plan for people, in lines of at most 80 columns: `+` create, `~` update, `-/+` replace, `-` delete, `!` skip, `=` keep,
 * each with the fields that differ and the reason.
 */
export function renderPlan(plan: Plan, { unchanged = false }: RenderOptions = {}): string {
  const shown = plan.changes.filter((change) => unchanged || change.action !== "keep" || change.reason !== undefined);
  const summary = counted(COUNTED, (action) => plan.changes.filter((change) => change.action === action).length);
  const lines = shown.flatMap((change) => [headline(change), ...detailsOf(change, change.reason)]);
  const isHeldUp = plan.changes.some(({ action }) => action === "skip");
  const verdict = !plan.isEmpty ? "Plan" : isHeldUp ? "Nothing that may be done" : "Nothing to do";
  return [...lines, `${verdict}: ${summary}.`].join("\n");
}

/** A report for people: every resource that was written or could not be, what became of it, and why. */
export function renderReport(report: ProvisionReport, { unchanged = false }: RenderOptions = {}): string {
  const shown = report.results.filter(({ status, note }) => unchanged || status !== "unchanged" || note !== undefined);
  const cameTo = ({ change, status }: ChangeResult) =>
    status === "done" && change.action === "delete" ? "deleted" : status;
  const summary = counted(STATUSES, (status) => report.results.filter((result) => cameTo(result) === status).length);
  const lines = shown.flatMap(({ change, status, error, note }) => [
    `${headline(change)}${status === "done" ? "" : `  ${status}`}`,
    ...detailsOf({ ...change, fields: status === "done" ? change.fields : [] }, error?.message ?? note),
  ]);
  return [...lines, `Done: ${summary}.`].join("\n");
}

function headline({ action, kind, name }: Change): string {
  return `${SIGN[action].padStart(3)} ${kind} ${idOf(name)}`;
}

function detailsOf({ fields }: Pick<Change, "fields">, reason: string | undefined): readonly string[] {
  const changes = fields.flatMap(({ field, from, to }) => wrapped(`${field}: ${text(from)} -> ${text(to)}`, 6));
  return [...changes, ...(reason === undefined ? [] : wrapped(reason, 6))];
}

function text(value: unknown): string {
  if (value === undefined) return "(not set)";
  return typeof value === "string" && value !== "" ? value : JSON.stringify(value);
}

function counted<T>(names: readonly (readonly [T, string])[], count: (name: T) => number): string {
  const parts = names.map(([name, called]) => [count(name), called] as const).filter(([some]) => some > 0);
  return parts.length === 0 ? "no resources" : parts.map(([some, called]) => `${some} ${called}`).join(", ");
}

/** Breaks a text into lines between words; further lines stand two columns further in. */
function wrapped(sentence: string, indent: number): readonly string[] {
  const lines: string[] = [];
  let line = " ".repeat(indent);
  let empty = true;
  for (const word of sentence.split(/\s+/)) {
    if (!empty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = " ".repeat(indent + 2);
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line];
}
