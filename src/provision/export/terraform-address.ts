import { fnv1a64 } from "../../core/names.ts";

/**
 * The label of a block, from the name of what it is: legal (`[A-Za-z_][A-Za-z0-9_-]*`), the same in every export, and
 * another for every name. A dot becomes `_` and an underscore `__`; names that this does not keep apart end in `___` and a
 * hash, as no other label does.
 */
export function labelOf(name: string): string {
  const runs = name.match(/[^A-Za-z0-9-]+/g) ?? [];
  if (/^[A-Za-z]/.test(name) && runs.every((run) => run === "." || /^_+$/.test(run)))
    return name.replaceAll("_", "__").replaceAll(".", "_");
  const readable = name.replace(/[^A-Za-z0-9-]+/g, "_").replace(/^(?![A-Za-z])/, "_");
  return `${readable.replace(/_+$/, "")}___${fnv1a64(name)}`;
}

/** Text as a template that evaluates to it: what would begin an expression or a directive does not. */
export function literal(text: string): string {
  return text.replace(/[$%]+(?=\{)/g, (sigils) => (sigils.length === 1 ? sigils.repeat(2) : `\${"${sigils}"}`));
}

/** A template that evaluates to an expression's value. */
export function expression(code: string): string {
  return `\${${code}}`;
}
