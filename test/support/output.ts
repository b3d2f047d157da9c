/** What stands for a part of the output that differs from run to run. */
const placeholders: Record<string, string> = {
  "<uuid>": "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
  "<n>": "\\d+",
  "<ms>": "\\d+(?:\\.\\d+)?",
  "<time>":
    "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?(?:Z|[+-]\\d\\d:\\d\\d)|\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?",
  "…": ".*",
};

const anyPlaceholder = new RegExp(Object.keys(placeholders).join("|"), "g");

/** The lines of the `// Output:` comment that ends an example; undefined when it does not end in one. */
export function expectedOutput(source: string): string[] | undefined {
  const [, comment] = source.split(/^\/\/ Output:\n/m);
  const lines = comment?.trimEnd().split("\n");
  if (lines === undefined || !lines.every((line) => line.startsWith("//"))) return undefined;
  return lines.map((line) => line.replace(/^\/\/ ?/, ""));
}

/**
 * The printed lines, each replaced by the expected line that stands for it: `<uuid>`, `<n>` (digits), `<ms>` (a number),
 * `<time>` (ISO 8601 or a time of day) and `…` (the rest of the line) match what their names say. The result equals
 * the expected lines when the output is the expected one, and shows what differs where it is not.
 */
export function matchOutput(printed: string, expected: readonly string[]): string[] {
  const lines = printed.trimEnd().split("\n");
  return lines.map((line, index) => {
    const pattern = expected[index];
    return pattern !== undefined && toRegExp(pattern).test(line.trimEnd()) ? pattern : line;
  });
}

function toRegExp(pattern: string): RegExp {
  const literal = pattern.split(anyPlaceholder).map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const names = pattern.match(anyPlaceholder) ?? [];
  const parts = literal.map((text, index) => `${text}${names[index] ? `(?:${placeholders[names[index]]})` : ""}`);
  return new RegExp(`^${parts.join("")}$`);
}
