import { isUtf8 } from "node:buffer";
import { TasksError } from "../core/errors.ts";

/** A request body as an adapter hands it over: raw bytes, text, or what a framework's parser made of it. */
export type BodyContent = Uint8Array | string | object | null | undefined;

/** Thrown by an adapter's `body()` when the request is longer than the limit it was given; answered with 413. */
export class BodyTooLarge extends Error {
  override readonly name: "BodyTooLarge" = "BodyTooLarge";

  constructor(limit: number) {
    super(`body: expected at most ${limit} bytes, got more`);
  }
}

/**
 * Holds raw bytes or text that an adapter got from a framework, with a limit of the framework's own, against the limit.
 *
 * @throws BodyTooLarge beyond it. Text counts in characters, of which there are never more than bytes.
 */
export function assertWithin(body: BodyContent, limit: number): void {
  const length = typeof body === "string" || body instanceof Uint8Array ? body.length : 0;
  if (length > limit) throw new BodyTooLarge(limit);
}

function malformed(text: string): TasksError {
  return new TasksError("MALFORMED_MESSAGE", text);
}

/** Bytes as text. @throws TasksError `MALFORMED_MESSAGE` for what is not UTF-8. */
function textOf(bytes: Uint8Array, subject: string): string {
  if (!isUtf8(bytes)) throw malformed(`${subject}: expected UTF-8, got other bytes`);
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString("utf8");
}

/**
 * A body as a dead letter keeps it: text as it came, other bytes as a data URL, and what a framework parsed as JSON;
 * `undefined` for a body that did not arrive, or that is nested too deep to be written.
 */
export function keepable(body: BodyContent): string | undefined {
  if (body === null || body === undefined) return undefined;
  if (typeof body === "string") return body;
  if (!(body instanceof Uint8Array)) return written(body);
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return isUtf8(bytes) ? bytes.toString("utf8") : `data:;base64,${bytes.toString("base64")}`;
}

function written(body: object): string | undefined {
  try {
    return JSON.stringify(body);
  } catch {
    return undefined;
  }
}

function parse(text: string, subject: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own text quotes the input, which may be anybody's data.
    if (holdsForbiddenNumber(text))
      throw malformed(`${subject}: expected JSON, got NaN or Infinity, which it forbids; send null or a text`);
    throw malformed(`${subject}: expected JSON, got ${text.length === 0 ? "nothing" : "something else"}`);
  }
}

/** Python's `json.dumps` writes NaN, Infinity and -Infinity unless told `allow_nan=False`. */
function holdsForbiddenNumber(text: string): boolean {
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') quoted = !quoted;
    else if (quoted && char === "\\") at++;
    else if (!quoted && (char === "N" || char === "I") && /^(?:NaN|Infinity)/.test(text.slice(at, at + 8))) return true;
  }
  return false;
}

/**
 * Reads a body as JSON. Nothing at all, or white space, is `undefined`.
 *
 * @throws TasksError `MALFORMED_MESSAGE`.
 */
export function parseBody(body: BodyContent): unknown {
  if (body === null || body === undefined) return undefined;
  if (typeof body !== "string" && !(body instanceof Uint8Array)) return body;
  const text = typeof body === "string" ? body : textOf(body, "body");
  return text.trim() === "" ? undefined : parse(text, "body");
}

/**
 * Decodes the `data` of a Pub/Sub message as JSON. Absent or empty data, which is legal beside attributes, is `undefined`.
 *
 * @throws TasksError `MALFORMED_MESSAGE`.
 */
export function parseData(data: unknown): unknown {
  if (data === undefined || data === null || data === "") return undefined;
  if (typeof data !== "string") throw malformed("message data: expected base64 text, got something else");
  const bytes = Buffer.from(data, "base64");
  // Node skips what is not base64 and decodes the rest: then the lengths do not agree. One character alone encodes nothing.
  const padding = data.endsWith("==") ? 2 : data.endsWith("=") ? 1 : 0;
  const length = data.length - padding;
  if (length % 4 === 1 || bytes.length !== Math.floor((length * 3) / 4))
    throw malformed("message data: expected base64, got other characters");
  return parse(textOf(bytes, "message data"), "message data");
}
