import { TasksError } from "../../core/errors.ts";

/**
 * A text as one word of a POSIX shell: whatever it holds, `sh` passes on exactly that.
 *
 * @throws TasksError `INVALID_OPTION` for a text with a NUL character, which no argument of a program can hold.
 */
export function quote(text: string): string {
  if (text.includes("\0"))
    throw new TasksError(
      "INVALID_OPTION",
      `export: expected text without NUL characters, which no program takes as an argument, got one in ${JSON.stringify(text.slice(0, 60))}; take it out`,
    );
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A text as a comment of one line. */
export function comment(text: string): string {
  return `# ${text.replace(/\p{Cc}+/gu, " ")}`;
}

/** Values of flags, by the name of the flag: `true` is `--name`, `false` is `--no-name`, `undefined` is no flag at all. */
export type Flags = Readonly<Record<string, string | number | boolean | undefined>>;

/** Flags as words of the shell. */
export function flagWords(flags: Flags): readonly string[] {
  return Object.entries(flags).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (typeof value === "boolean") return [value ? `--${name}` : `--no-${name}`];
    return [`--${name}=${quote(String(value))}`];
  });
}

/** A call of gcloud: its first words on one line, and each flag on a line of its own. */
export function gcloud(words: readonly string[], flags: readonly string[], indent = ""): string {
  return [`${indent}gcloud ${words.map(quote).join(" ")}`, ...flags].join(` \\\n${indent}  `);
}
