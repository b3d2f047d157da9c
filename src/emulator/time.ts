/** A `google.protobuf.Timestamp` or `google.protobuf.Duration` as it stands in requests and answers. */
export interface TimeParts {
  /** An int64. */
  readonly seconds?: number | string;
  /** 0–999,999,999; of a negative duration, negative. */
  readonly nanos?: number;
}

/** A moment or a length in milliseconds, with its fraction; `undefined` for what is absent. */
export function toMillis(parts: TimeParts): number;
export function toMillis(parts: TimeParts | undefined): number | undefined;
export function toMillis(parts: TimeParts | undefined): number | undefined {
  return parts === undefined ? undefined : Number(parts.seconds ?? 0) * 1000 + (parts.nanos ?? 0) / 1e6;
}

/** A length in seconds, with its fraction; `undefined` for what is absent. */
export function toSeconds(parts: TimeParts): number;
export function toSeconds(parts: TimeParts | undefined): number | undefined;
export function toSeconds(parts: TimeParts | undefined): number | undefined {
  return parts === undefined ? undefined : Number(parts.seconds ?? 0) + (parts.nanos ?? 0) / 1e9;
}

/** Milliseconds, of a moment since the epoch or of a length, as they stand in requests and answers. */
export function fromMillis(ms: number): { readonly seconds: number; readonly nanos: number } {
  const seconds = Math.trunc(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

/** Seconds as a duration. */
export function fromSeconds(seconds: number): { readonly seconds: number; readonly nanos: number } {
  return fromMillis(seconds * 1000);
}
