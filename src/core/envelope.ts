import { TasksError } from "./errors.ts";
import { assertSafeNumbers, isBeyondSafe } from "./safe-numbers.ts";

/**
 * The wire form of one enqueued task. Names and shape are shared with services in other languages, so that each can
 * feed the other.
 */
export interface Envelope {
  readonly task_id: string;
  readonly task_name: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** ISO 8601 with an offset; absent in messages of the scheduler. */
  readonly enqueued_at?: string | undefined;
}

/** Task ids of scheduled messages begin with this, since every tick sends the same fixed body. */
export const SCHEDULED_PREFIX = "scheduled-";

/** Containers nested deeper than this are refused: no payload needs it, and recursive code would run out of stack. */
const MAX_DEPTH = 100;

/**
 * The envelope of a payload that is already JSON text, as JSON text. It spares parsing and writing the payload twice on
 * the enqueue path.
 */
export function encodeEnvelope(task: { id: string; name: string; payloadJson: string; enqueuedAt: number }): string {
  const { id, name, payloadJson } = task;
  return `{"task_id":${JSON.stringify(id)},"task_name":"${name}","args":[],"kwargs":${payloadJson},"enqueued_at":"${isoTime(task.enqueuedAt)}"}`;
}

/** The fixed body that a scheduler sends at every tick. */
export function encodeScheduledEnvelope(name: string, payloadJson: string): string {
  return `{"task_id":"${SCHEDULED_PREFIX}${name}","task_name":"${name}","args":[],"kwargs":${payloadJson}}`;
}

/** The moment that was written last: many tasks are enqueued in one millisecond, and writing it costs a fifth of encoding one. */
let written = { at: Number.NaN, text: "" };

/** ISO 8601 with `+00:00`, as Python's `datetime.isoformat()` writes it and its `fromisoformat` reads it. */
function isoTime(milliseconds: number): string {
  if (milliseconds !== written.at)
    written = { at: milliseconds, text: new Date(milliseconds).toISOString().replace("Z", "+00:00") };
  return written.text;
}

/** Whether an envelope is a tick of a scheduler. */
export function isScheduledEnvelope(envelope: Envelope): boolean {
  return envelope.enqueued_at === undefined && envelope.task_id.startsWith(SCHEDULED_PREFIX);
}

/**
 * Reads parsed JSON as an envelope. `args` and `kwargs` may be absent or null, as other producers leave them.
 *
 * @throws TasksError `MALFORMED_MESSAGE`.
 */
export function decodeEnvelope(value: unknown): Envelope {
  if (!isObject(value)) throw malformed("an object", value);
  const { task_id, task_name, args, kwargs, enqueued_at } = value;
  if (typeof task_id !== "string" || task_id === "" || task_id.length > 500)
    throw malformed("task_id to be a text of 1–500 characters", task_id);
  if (typeof task_name !== "string" || task_name === "") throw malformed("task_name to be a text", task_name);
  if (args !== undefined && args !== null && !Array.isArray(args)) throw malformed("args to be a list", args);
  if (kwargs !== undefined && kwargs !== null && !isObject(kwargs)) throw malformed("kwargs to be an object", kwargs);
  if (enqueued_at !== undefined && enqueued_at !== null && !isTime(enqueued_at))
    throw malformed("enqueued_at to be an ISO 8601 time", enqueued_at);
  const envelope = {
    task_id,
    task_name,
    args: args ?? [],
    kwargs: kwargs ?? {},
    enqueued_at: enqueued_at ?? undefined,
  };
  assertPlain(value, envelope);
  return envelope;
}

/** Whether a parsed JSON value is an object, not a list and not null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The usual spelling of a time, which `Date.parse` takes: a look at the letters costs a fraction of reading them. */
const USUAL_TIME =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

function isTime(value: unknown): value is string {
  if (typeof value !== "string" || value.length > 64) return false;
  return USUAL_TIME.test(value) || !Number.isNaN(Date.parse(value));
}

/**
 * Refuses parsed JSON that could pollute a prototype when merged (`__proto__`, or `constructor` with a `prototype`), JSON
 * nested deeper than 100, before it could exhaust the stack, and numbers beyond ±(2^53 − 1).
 *
 * @param carried the part whose numbers count; default all of it.
 * @throws TasksError `MALFORMED_MESSAGE`.
 */
export function assertPlain(value: object, carried: object = value): void {
  if (walk(value, 1)) assertSafeNumbers(carried);
}

/** Whether there is a number beyond the safe ones; where it stands is looked for only then. */
function walk(value: object, depth: number): boolean {
  if (depth > MAX_DEPTH) {
    throw new TasksError("MALFORMED_MESSAGE", `message: expected at most ${MAX_DEPTH} levels of nesting, got more`);
  }
  let beyond = false;
  if (Array.isArray(value)) {
    for (const item of value) if (inspect(item, depth)) beyond = true;
    return beyond;
  }
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (key === "__proto__" || (key === "constructor" && isObject(item) && Object.hasOwn(item, "prototype"))) {
      throw new TasksError("MALFORMED_MESSAGE", `message: expected no keys that reach a prototype, got ${key}`);
    }
    if (inspect(item, depth)) beyond = true;
  }
  return beyond;
}

function inspect(item: unknown, depth: number): boolean {
  return typeof item === "object" && item !== null ? walk(item, depth + 1) : isBeyondSafe(item);
}

/** Names what came only by its kind: the text is logged, and a message may hold anything. */
function malformed(expected: string, got: unknown): TasksError {
  return new TasksError("MALFORMED_MESSAGE", `message: expected ${expected}, got ${kindOf(got)}`);
}

function kindOf(value: unknown): string {
  if (value === undefined) return "none";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  if (value === "") return "an empty text";
  return typeof value === "string" ? "another text" : `a ${typeof value}`;
}
