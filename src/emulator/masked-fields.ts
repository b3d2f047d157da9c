import { toCamelCase } from "./json-read.ts";
import { invalid } from "./status.ts";

/**
 * A message with the fields of a mask taken from another one, as Cloud Tasks and Cloud Scheduler do it; a field that is absent
 * there is cleared.
 *
 * @param paths names of fields in snake_case, with dots between those of nested ones.
 * @param known every path that a mask of this message may hold.
 * @param kind what the service calls the message.
 * @throws RpcError INVALID_ARGUMENT for a path that is none.
 */
export function withMasked<T extends object>(
  current: T,
  update: T,
  paths: readonly string[],
  known: ReadonlySet<string>,
  kind: string,
): T {
  const unknown = paths.find((path) => !known.has(path));
  if (unknown !== undefined) throw invalid(`Invalid mask for ${kind}: ${unknown}`);
  return paths.reduce<T>((message, path) => withField(message, update, path.split(".").map(toCamelCase)), current);
}

function withField<T extends object>(current: T, update: object, [name = "", ...rest]: readonly string[]): T {
  const { [name]: held, ...others } = current as Record<string, unknown>;
  const value = (update as Record<string, unknown>)[name];
  if (rest.length > 0) return { ...current, [name]: withField(asObject(held), asObject(value), rest) };
  return (value === undefined ? others : { ...others, [name]: value }) as T;
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

/** Every path that the fields of a message can be named by: each field, and below it those of the message that it holds. */
export function maskPaths(fields: Readonly<Record<string, readonly string[]>>): ReadonlySet<string> {
  return new Set(Object.entries(fields).flatMap(([name, inner]) => [name, ...inner.map((leaf) => `${name}.${leaf}`)]));
}
