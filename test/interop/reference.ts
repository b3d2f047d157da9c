import { isObject } from "../../src/core/envelope.ts";

/** A task of the reference: a Python function, by what it can be called with. */
export interface PythonTask {
  /** Names of its parameters, each of which needs a value. */
  readonly parameters?: readonly string[];
  /** Whether it ends in `**kwargs`, which takes any other name. */
  readonly keywords?: boolean;
}

/** The call that a push came to. */
export interface PythonCall {
  readonly taskId: string;
  readonly taskName: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch; `undefined` when it was absent or could not be read, which is no error. */
  readonly enqueuedAt: number | undefined;
}

/** What the reference answers: 200 with the call it made, or why it made none. */
export type PythonAnswer =
  | { readonly status: 200; readonly call: PythonCall }
  | { readonly status: 400 | 500; readonly why: string };

/** Thrown where Python would return a status. */
class Answer extends Error {
  readonly status: 400 | 500;

  constructor(status: 400 | 500, why: string) {
    super(why);
    this.status = status;
  }
}

/**
 * The push handler of the reference, from the request's body to the call, with every condition that it makes. Where Python
 * is lenient in a way that would change the message (base64 with foreign characters in it, NaN) this is strict.
 */
export function receiveInPython(body: string, tasks: Readonly<Record<string, PythonTask>>): PythonAnswer {
  try {
    return { status: 200, call: callOf(envelopeOf(body), tasks) };
  } catch (error) {
    if (error instanceof Answer) return { status: error.status, why: error.message };
    throw error;
  }
}

/** `json.loads(request.body)["message"]["data"]`, decoded. `.get` of anything but a dict raises. */
function envelopeOf(body: string): Record<string, unknown> {
  const push = asDict(loads(body, "Invalid JSON"));
  const message = asDict(Object.hasOwn(push, "message") ? push.message : {});
  const { data } = message;
  if (typeof data !== "string" || data === "") throw new Answer(400, "Missing data field");
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(data))
    throw new Answer(400, "Invalid message data: base64");
  return asDict(loads(utf8(Buffer.from(data, "base64")), "Invalid message data"));
}

function callOf(data: Record<string, unknown>, tasks: Readonly<Record<string, PythonTask>>): PythonCall {
  const given = (key: string, absent: unknown): unknown => (Object.hasOwn(data, key) ? data[key] : absent);
  const [taskId, taskName] = [given("task_id", "unknown"), given("task_name", undefined)];
  const [args, kwargs] = [given("args", []), given("kwargs", {})];
  // An absent field has a default; null is no list and no dict.
  if (!Array.isArray(args)) throw new Answer(400, "Invalid message format: args");
  if (!isObject(kwargs)) throw new Answer(400, "Invalid message format: kwargs");
  if (typeof taskName !== "string" || taskName === "") throw new Answer(400, "Missing task_name");
  const task = Object.hasOwn(tasks, taskName) ? tasks[taskName] : undefined;
  if (task === undefined) throw new Answer(400, "Unknown task");
  // The column that keeps it has 255 characters.
  if (typeof taskId !== "string" || taskId.length > 255) throw new Answer(500, "DataError: task_id");
  const time = given("enqueued_at", undefined);
  if (time !== undefined && typeof time !== "string") throw new Answer(500, "TypeError: enqueued_at");
  bind(task, args, kwargs);
  return { taskId, taskName, args, kwargs, enqueuedAt: time === undefined ? undefined : fromIsoFormat(time) };
}

/** `function(*args, **kwargs)` raises TypeError for names and numbers of arguments that do not fit. */
function bind({ parameters = [], keywords = false }: PythonTask, args: readonly unknown[], kwargs: object): void {
  if (args.length > parameters.length) throw new Answer(500, "TypeError: too many positional arguments");
  const positional = parameters.slice(0, args.length);
  for (const name of Object.keys(kwargs)) {
    if (positional.includes(name)) throw new Answer(500, `TypeError: multiple values for ${name}`);
    if (!keywords && !parameters.includes(name)) throw new Answer(500, `TypeError: unexpected keyword ${name}`);
  }
  const missing = parameters.slice(args.length).filter((name) => !Object.hasOwn(kwargs, name));
  if (missing.length > 0) throw new Answer(500, `TypeError: missing ${missing.join(", ")}`);
}

/**
 * `datetime.fromisoformat` of Python 3.7 to 3.10: a fraction of 3 or 6 digits, an offset with a colon, and no `Z`. Newer
 * ones, and `dateutil.parser.isoparse`, take all of this and more. A time without an offset is left out: it is no moment.
 */
export function fromIsoFormat(text: string): number | undefined {
  const parts = /^(\d{4}-\d{2}-\d{2}).(\d{2}:\d{2}:\d{2})(\.\d{3}(?:\d{3})?)?([+-]\d{2}:\d{2})$/s.exec(text);
  if (parts === null) return undefined;
  const [, day, time, fraction = "", offset] = parts;
  const moment = Date.parse(`${day}T${time}${fraction}${offset}`);
  // JavaScript carries a 30th of February over into March, Python refuses it.
  const local = new Date(`${day}T${time}Z`);
  if (Number.isNaN(moment) || !local.toISOString().startsWith(`${day}T${time}`)) return undefined;
  return moment;
}

function asDict(value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw new Answer(500, "AttributeError: no dict");
  return value;
}

function loads(text: string, why: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Answer(400, why);
  }
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Answer(400, "Invalid message data: UTF-8");
  }
}
