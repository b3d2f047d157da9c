/**
 * The rows of the first table under a heading of a Markdown page, or of its first table at all, without the header: one list
 * of cells a row.
 */
export function tableUnder(markdown: string, heading?: string): string[][] {
  const lines = markdown.split("\n");
  const start = heading === undefined ? 0 : lines.indexOf(heading);
  if (start < 0) throw new Error(`no heading ${JSON.stringify(heading)}`);
  const first = lines.findIndex((line, index) => index >= start && line.startsWith("|"));
  const next = lines.findIndex((line, index) => index > start && line.startsWith("#"));
  if (first < 0 || (heading !== undefined && next >= 0 && next < first)) throw new Error(`no table under ${heading}`);
  const rest = lines.slice(first);
  const end = rest.findIndex((line) => !line.startsWith("|"));
  return rest.slice(2, end < 0 ? undefined : end).map(cells);
}

function cells(row: string): string[] {
  return row
    .slice(1, row.lastIndexOf("|"))
    .split(" | ")
    .map((cell) => cell.trim());
}

/** What stands between backticks in a cell, in order. */
export function codeIn(cell: string | undefined): string[] {
  return [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}
