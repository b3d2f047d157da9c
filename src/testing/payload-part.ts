import { inspect } from "node:util";
import { isObject } from "../core/envelope.ts";
import { show } from "./text.ts";

/**
 * Some of a payload: fields that are left out may be anything. A text may be given as a pattern, and anything as an
 * asymmetric matcher such as `expect.any(String)`. Lists are compared in full.
 */
export type PayloadPart<I> = I extends Date
  ? Date | string
  : I extends string
    ? I | RegExp
    : I extends readonly (infer E)[]
      ? readonly PayloadPart<E>[]
      : I extends object
        ? { readonly [K in keyof I]?: PayloadPart<I[K]> }
        : I;

/** As `expect.any(String)` and its likes are in every framework that has them. */
interface Asymmetric {
  asymmetricMatch(value: unknown): boolean;
  toAsymmetricMatcher?(): string;
}

/** What in a value is not as a part of it says, one line each; none when it is. */
export function differences(part: unknown, value: unknown, at = ""): string[] {
  const differs = (expected: string) => [`${at === "" ? "" : `${at}: `}expected ${expected}, got ${show(value)}`];
  if (isAsymmetric(part)) return part.asymmetricMatch(value) ? [] : differs(matcherText(part));
  if (part instanceof RegExp) return typeof value === "string" && value.search(part) >= 0 ? [] : differs(String(part));
  if (isWritten(part)) return differences(part.toJSON(), value, at);
  if (Array.isArray(part)) {
    if (!Array.isArray(value)) return differs(showPart(part));
    if (value.length !== part.length) return differs(`a list of ${part.length}`);
    return part.flatMap((element, index) => differences(element, value[index], `${at}[${index}]`));
  }
  if (isObject(part)) {
    if (!isObject(value)) return differs(showPart(part));
    return Object.entries(part).flatMap(([key, field]) =>
      differences(field, Object.hasOwn(value, key) ? value[key] : undefined, at === "" ? key : `${at}.${key}`),
    );
  }
  return Object.is(part, value) ? [] : differs(show(part));
}

/** A part of a value as it is shown in a text. */
export function showPart(part: unknown): string {
  return show(readable(part));
}

function readable(part: unknown): unknown {
  if (isAsymmetric(part)) return { [inspect.custom]: () => matcherText(part) };
  if (part instanceof RegExp || isWritten(part)) return part;
  if (Array.isArray(part)) return part.map(readable);
  return isObject(part) ? Object.fromEntries(Object.entries(part).map(([key, field]) => [key, readable(field)])) : part;
}

function matcherText(matcher: Asymmetric): string {
  return matcher.toAsymmetricMatcher?.() ?? String(matcher);
}

function isAsymmetric(part: unknown): part is Asymmetric {
  return isObject(part) && typeof part.asymmetricMatch === "function";
}

function isWritten(part: unknown): part is { toJSON(): unknown } {
  return isObject(part) && typeof part.toJSON === "function";
}
