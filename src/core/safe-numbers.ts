import { TasksError } from "./errors.ts";

/** Longest path that an error text names. */
const LONGEST_PATH = 200;

/** Keys that are names of fields. Any other may be somebody's data, like the e-mail address in a map by address. */
const FIELD = /^[A-Za-z_$][\w$]{0,39}$/;

/**
 * Whether a number of parsed JSON lies beyond ±(2^53 − 1), where it need no longer be the one that was sent: 9007199254740993
 * is read as …992, and whoever works on that works on the wrong row. RFC 8259, section 6, promises no more. The spelling
 * makes no difference: JavaScript reads 1e18 and 1000000000000000000 as one number and writes it as the second.
 */
export function isBeyondSafe(value: unknown): boolean {
  return typeof value === "number" && !(value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER);
}

/**
 * Names the first number beyond ±(2^53 − 1) by its place, never by its value, which is payload. For parsed JSON whose
 * depth is known to be harmless.
 *
 * @throws TasksError `MALFORMED_MESSAGE`, if there is one.
 */
export function assertSafeNumbers(value: object): void {
  const path = pathWithin(value)?.replace(/^\./, "");
  if (path === undefined) return;
  const shown = path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH - 1)}…` : path;
  throw new TasksError(
    "MALFORMED_MESSAGE",
    `message: expected numbers within ±(2^53 − 1), got one beyond at ${shown}; send it as a text`,
  );
}

/** The way from a list or an object to such a number in it, made on the way back from where it was found. */
function pathWithin(value: object): string | undefined {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const rest = pathTo(item);
      if (rest !== undefined) return `[${index}]${rest}`;
    }
    return undefined;
  }
  for (const [key, item] of Object.entries(value)) {
    const rest = pathTo(item);
    if (rest !== undefined) return (FIELD.test(key) ? `.${key}` : "[…]") + rest;
  }
  return undefined;
}

function pathTo(item: unknown): string | undefined {
  if (isBeyondSafe(item)) return "";
  return typeof item === "object" && item !== null ? pathWithin(item) : undefined;
}
