/** An answer in JSON, in which what proto3 leaves out on the wire is left out. */
export type Answer =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Answer[]
  | { readonly [key: string]: Answer };

/** Fields that are maps: an empty one is the same as none, where an empty message is not. */
const MAPS = ["labels", "attributes", "tags"];

/** Names of a `oneof`: they say which of its fields is set, which the field says as well. */
const ONEOFS = ["authenticationMethod", "wrapper"];

/** An answer of Google's clients as plain JSON: durations in seconds, bytes as text, defaults left out. */
export function plain(value: unknown): Answer {
  if (Buffer.isBuffer(value) || value instanceof Uint8Array) return Buffer.from(value).toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value as Answer;
  if ("seconds" in value && "nanos" in value) return `${Number(value.seconds) + Number(value.nanos) / 1e9}s`;
  const fields = Object.entries(value).filter(([key, field]) => !isDefault(key, field));
  return Object.fromEntries(fields.map(([key, field]) => [key, plain(field)]));
}

function isDefault(key: string, value: unknown): boolean {
  if (value === null || value === undefined || value === "" || value === 0 || value === false) return true;
  if (value === "STATE_UNSPECIFIED") return true;
  if (key.startsWith("_") || ONEOFS.includes(key)) return true;
  if (Array.isArray(value) || Buffer.isBuffer(value)) return value.length === 0;
  return MAPS.includes(key) && Object.keys(value).length === 0;
}

/** Code and text of a call that failed. */
export function failureText(error: unknown): string {
  const { code, details } = error as { readonly code?: number; readonly details?: string };
  if (code === undefined) throw error;
  return `${code} ${details}`;
}
