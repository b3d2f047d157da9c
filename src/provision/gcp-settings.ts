import type { DesiredResource, ObservedResource } from "./resources.ts";

/** A `google.protobuf.Duration` or `Timestamp`, as Google's clients take it and give it. */
interface Duration {
  readonly seconds?: unknown;
  readonly nanos?: unknown;
}

/** Settings that are durations. */
const DURATIONS: ReadonlySet<string> = new Set([
  "minimumBackoff",
  "maximumBackoff",
  "messageRetentionDuration",
  "minBackoff",
  "maxBackoff",
  "maxRetryDuration",
  "minBackoffDuration",
  "maxBackoffDuration",
  "attemptDeadline",
]);
/** Settings that are bytes. */
const BYTES: ReadonlySet<string> = new Set(["data", "body"]);
/** What is read, but never written. */
const READ_ONLY: ReadonlySet<string> = new Set(["state", "detached"]);

/** A message of Google's clients as settings: durations as seconds, bytes as text, and nothing that is not set. */
export function settingsOf(message: object): ObservedResource["settings"] {
  const settings: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message)) {
    const setting = settingOf(name, value);
    if (setting !== undefined) settings[name] = setting;
  }
  return settings;
}

function settingOf(name: string, value: unknown): unknown {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) return value;
  if (BYTES.has(name) && value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  if (DURATIONS.has(name)) return secondsOf(value);
  if (name === "expirationPolicy") return { ttl: ttlOf(value) };
  return settingsOf(value);
}

/** A policy without a time to live means never. */
function ttlOf({ ttl }: { readonly ttl?: Duration | null }): number | "never" {
  return ttl === undefined || ttl === null ? "never" : secondsOf(ttl);
}

function secondsOf({ seconds, nanos }: Duration): number {
  return Number(seconds ?? 0) + Number(nanos ?? 0) / 1e9;
}

/** A resource as a message of Google's clients. */
export function messageOf({ name, settings }: DesiredResource): Record<string, unknown> & { readonly name: string } {
  return { ...partOf(settings), name };
}

function partOf(settings: object): Record<string, unknown> {
  const entries = Object.entries(settings).filter(([name]) => !READ_ONLY.has(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, fieldOf(name, value)]));
}

function fieldOf(name: string, value: unknown): unknown {
  if (DURATIONS.has(name)) return durationOf(Number(value));
  if (BYTES.has(name)) return Buffer.from(String(value), "utf8");
  if (name === "expirationPolicy") return {};
  // Labels and headers are somebody's texts under names of their own.
  if (name === "labels" || name === "headers") return value;
  return typeof value === "object" && value !== null ? partOf(value) : value;
}

function durationOf(seconds: number): Duration {
  const whole = Math.trunc(seconds);
  return { seconds: whole, nanos: Math.round((seconds - whole) * 1e9) };
}

/** Settings of which every part is set here, so that they are written as a whole. */
const WHOLE: ReadonlySet<string> = new Set(["pubsubTarget", "httpTarget"]);

/**
 * The paths of a field mask. Pub/Sub takes top-level fields only, and the library sets every part of those; of queues and
 * jobs only the parts are named that are to change, since the others are not ours.
 */
export function maskOf({ kind }: DesiredResource, fields: readonly string[]): { readonly paths: string[] } {
  const shallow = kind === "topic" || kind === "subscription";
  const paths = fields.map((field) => {
    const [top = ""] = field.split(".");
    return shallow || WHOLE.has(top) ? top : field;
  });
  return { paths: [...new Set(paths)].map(snakeCase) };
}

function snakeCase(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
