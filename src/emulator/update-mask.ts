import { toCamelCase } from "./json-read.ts";
import { invalid } from "./status.ts";

/** A `google.protobuf.FieldMask`: names of fields in snake_case, with dots between those of nested ones. */
export interface FieldMask {
  readonly paths?: readonly string[];
}

/** What an update may change. */
export interface Updatable {
  /** As error texts call it, e.g. `Subscription`. */
  readonly kind: string;
  /** Top-level fields in snake_case that can be changed. */
  readonly mutable: readonly string[];
  /** Those that cannot. */
  readonly immutable: readonly string[];
  /** A field of two words, for the text about spelling. */
  readonly example: string;
}

/**
 * Takes the fields that a mask names over from an update; one that the update does not hold is cleared.
 *
 * @throws RpcError INVALID_ARGUMENT for a mask that is empty, or names a field that is unknown or cannot be changed.
 */
export function applyMask<T extends object>(
  current: T,
  update: object,
  mask: FieldMask | undefined,
  rules: Updatable,
): T {
  const { kind, mutable, immutable, example } = rules;
  const { paths = [] } = mask ?? {};
  if (paths.length === 0)
    throw invalid(`The update_mask in the Update${kind}Request must be set, and must contain a non-empty paths list.`);
  const refusal = `Invalid update_mask provided in the Update${kind}Request:`;
  for (const path of paths) {
    const [field = ""] = path.split(".");
    if (immutable.includes(field)) throw invalid(`${refusal} the '${field}' field in the ${kind} is not mutable.`);
    if (!mutable.includes(field))
      throw invalid(
        `${refusal} ${path} is not a known ${kind} field. Note that field paths must be of the form '${example}' rather than '${toCamelCase(example)}'.`,
      );
  }
  return paths.reduce((result, path) => copied(result, update, path.split(".").map(toCamelCase)), current);
}

/** A copy of an object in which the value at a path is that of another one. */
function copied<T extends object>(target: T, source: object, [name = "", ...rest]: readonly string[]): T {
  const value = (source as Record<string, unknown>)[name];
  const { [name]: held, ...others } = target as Record<string, unknown>;
  if (rest.length > 0) return { ...target, [name]: copied(asObject(held), asObject(value), rest) };
  return (value === undefined ? others : { ...others, [name]: value }) as T;
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}
