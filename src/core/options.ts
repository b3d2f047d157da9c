import { TasksError } from "./errors.ts";
import { didYouMean } from "./suggest.ts";

/** Shows a refused value in an error text: short, and never a whole object. */
export function shown(value: unknown): string {
  if (typeof value === "string") return value.length > 80 ? `"${value.slice(0, 77)}…"` : `"${value}"`;
  if (typeof value === "function") return "a function";
  if (value === null || typeof value !== "object") return String(value);
  return Array.isArray(value) ? "a list" : "an object";
}

/** Refuses option names that do not exist, with the nearest one that does. */
export function assertKnownOptions(subject: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TasksError(
        "INVALID_OPTION",
        `${subject}: unknown option ${name}${didYouMean(name, known) || `; known are ${known.join(", ")}`}`,
      );
    }
  }
}

/** Reads options one by one and refuses each with one clear text. */
export class OptionReader {
  readonly #subject: string;
  readonly #options: Readonly<Record<string, unknown>>;

  constructor(subject: string, options: object) {
    this.#subject = subject;
    this.#options = options as Readonly<Record<string, unknown>>;
  }

  fail(name: string, expected: string, advice = ""): never {
    const text = `${this.#subject}: expected ${name} to be ${expected}, got ${shown(this.#options[name])}`;
    throw new TasksError("INVALID_OPTION", advice ? `${text}; ${advice}` : text);
  }

  number<D extends number | undefined>(
    name: string,
    range: { min: number; max: number; whole?: boolean; unit?: string },
    fallback: D,
  ): number | D {
    const value = this.#options[name];
    if (value === undefined) return fallback;
    const fits =
      typeof value === "number" &&
      value >= range.min &&
      value <= range.max &&
      (range.whole !== true || Number.isInteger(value));
    if (!fits)
      this.fail(
        name,
        `${range.whole ? "a whole number" : "a number"} of ${range.min}–${range.max}${range.unit ? ` ${range.unit}` : ""}`,
      );
    return value;
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.#options[name];
    if (value === undefined) return undefined;
    const found = allowed.find((item) => item === value);
    if (found === undefined) this.fail(name, allowed.map((item) => `"${item}"`).join(" or "));
    return found;
  }

  text(name: string): string | undefined {
    const value = this.#options[name];
    if (value !== undefined && (typeof value !== "string" || value === "")) this.fail(name, "a text that is not empty");
    return value as string | undefined;
  }
}
