import { toCamelCase } from "./json-read.ts";
import { invalid } from "./status.ts";

/** A `google.protobuf.FieldMask`: names of fields in snake_case. */
export interface FieldMask {
  readonly paths?: readonly string[];
}

/** What an update may change. */
export interface Updatable {
  /** As error texts call it, e.g. `Subscription`. */
  readonly kind: string;
  /** Fields in snake_case that can be changed, each as a whole: Pub/Sub knows no others in a mask. */
  readonly mutable: readonly string[];
  /** Those that cannot. */
  readonly immutable: readonly string[];
  /** How fields are spelt and how not, for the text about that: as the service has it, its misspelling included. */
  readonly spelling: readonly [right: string, wrong: string];
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
  const { kind, mutable, immutable, spelling } = rules;
  const { paths = [] } = mask ?? {};
  if (paths.length === 0)
    throw invalid(`The update_mask in the Update${kind}Request must be set, and must contain a non-empty paths list.`);
  const refusal = `Invalid update_mask provided in the Update${kind}Request:`;
  for (const path of paths) {
    if (immutable.includes(path)) throw invalid(`${refusal} the '${path}' field in the ${kind} is not mutable.`);
    if (!mutable.includes(path))
      throw invalid(
        `${refusal} ${path} is not a known ${kind} field. Note that field paths must be of the form '${spelling[0]}' rather than '${spelling[1]}'.`,
      );
  }
  const named = paths.map(toCamelCase);
  const taken = named.map((name) => [name, (update as Readonly<Record<string, unknown>>)[name]] as const);
  const kept = Object.entries(current).filter(([name]) => !named.includes(name));
  return Object.fromEntries([...kept, ...taken.filter(([, value]) => value !== undefined)]) as T;
}
