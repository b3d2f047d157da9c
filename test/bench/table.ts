import type { Spread } from "./statistics.ts";

/** What a result should be. */
export interface Target {
  readonly bound: "at least" | "at most";
  readonly value: number;
}

/** One line of the table. */
export interface Row {
  readonly label: string;
  /** What taskroute needed, in the unit that the label names. */
  readonly ours: number;
  /** What it is held against, in the same unit. */
  readonly base?: number;
  /** What comes of the two: a ratio, a difference, a rate; the section's heading says which. */
  readonly result: Spread;
  readonly target?: Target;
}

/** Lines that are read alike. */
export interface Section {
  readonly title: string;
  /** Headings of the three columns of figures. */
  readonly columns: readonly [ours: string, base: string, result: string];
  readonly rows: readonly Row[];
  /** Printed below the rows. */
  readonly note?: string | undefined;
}

/** Whether a row's result is what it should be; `undefined` when it has no target. */
export function isMet({ target, result }: Row): boolean | undefined {
  if (target === undefined) return undefined;
  return target.bound === "at least" ? result.median >= target.value : result.median <= target.value;
}

/** A section as plain text, 80 columns wide at most. */
export function render({ title, columns, rows, note }: Section): string {
  const [ours, base, result] = columns;
  const lines = [title, line("", ours, base, result, "quartiles", "target", ""), ...rows.map(renderRow)];
  return (note === undefined ? lines : [...lines, `  ${note}`]).join("\n");
}

function renderRow(row: Row): string {
  const { label, ours, base, result, target } = row;
  const met = isMet(row);
  return line(
    label,
    figure(ours),
    base === undefined ? "" : figure(base),
    figure(result.median),
    result.low === result.high ? "" : `${figure(result.low)}–${figure(result.high)}`,
    target === undefined ? "" : `${target.bound === "at least" ? "≥" : "≤"} ${figure(target.value)}`,
    met === undefined ? "" : met ? "ok" : "MISS",
  );
}

function line(label: string, ...cells: readonly string[]): string {
  const widths = [10, 10, 8, 16, 9, 5];
  return `  ${label.padEnd(20)}${cells.map((cell, index) => cell.padStart(widths[index] ?? 0)).join("")}`.trimEnd();
}

/** Three significant digits: 0.873, 54.4, 349k, 2.37M. */
function figure(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toFixed(2)}M`;
  if (size >= 1e4) return `${(value / 1e3).toFixed(size >= 1e5 ? 0 : 1)}k`;
  if (size >= 100 || value === 0) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(size >= 1 ? 2 : 3);
}
