import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { TasksError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { AnyTasks } from "../core/tasks.ts";
import {
  type BodyContent,
  BodyTooLarge,
  createPushHandler,
  type PushOptions,
  type PushRequest,
  type PushResponse,
} from "../push/index.ts";

/** What a body parser leaves behind: the parsed body and, from some parsers, the untouched one. */
export interface ParsedBody {
  readonly body?: unknown;
  readonly rawBody?: unknown;
}

/** A request of Node's HTTP server, whether or not a body parser has read it. */
export type NodeRequest = IncomingMessage & ParsedBody;

/**
 * A listener of `http.createServer` and a Connect middleware. It answers every request that gets to it: `next` is never
 * called, and the promise never rejects.
 */
export type NodeHandler = (req: NodeRequest, res: ServerResponse, next?: (error?: unknown) => void) => Promise<void>;

/**
 * Milliseconds for which the rest of a body over the limit is thrown away before the connection is cut. Closing it at
 * once would reset it under the answer (RFC 9112, section 9.6), and most clients would never see the 413.
 */
const LINGER_MS = 1000;

/**
 * Takes push requests of Node's own HTTP server, `createServer(nodeHandler(tasks))`, and of Connect and its likes, mounted
 * at a path. Behind a body parser it works as well, but the parser's limit applies, and it reads bodies before anybody
 * has proved who they are; a warning says so once.
 *
 * @param remedy what the warning advises; for adapters, which know the parser's name.
 * @throws TasksError as `createPushHandler`.
 */
export function nodeHandler(
  tasks: AnyTasks,
  options: PushOptions = {},
  remedy = "mount the push handler before the body parser",
): NodeHandler {
  const handler = createPushHandler(tasks, options);
  const watch = parserWatch(tasks.runtime.logger, remedy);
  return async (req, res) => {
    watch(req);
    respond(res, await handler.handle(pushRequest(req)));
  };
}

/**
 * A Node request as `createPushHandler` takes it; for adapters of frameworks that stand on Node's HTTP server.
 *
 * @param parsed where the framework's body parser leaves its result; looked at only when `stream` has been read.
 * @param stream what the body is read from, unless it has been read already.
 */
export function pushRequest(req: NodeRequest, parsed: ParsedBody = req, stream: Readable = req): PushRequest {
  return {
    method: req.method ?? "",
    header: (name) => {
      const value = req.headers[name];
      return typeof value === "string" ? value : value?.[0];
    },
    body: (limit) => {
      if (Number(req.headers["content-length"]) > limit) throw tooLarge(stream, limit);
      return wasRead(stream) ? parsedBody(parsed, stream) : readBody(stream, limit);
    },
  };
}

/** Warns once when something has read a request's body before the push handler; for adapters. */
export function parserWatch(logger: Logger, remedy: string): (req: IncomingMessage) => void {
  let warned = false;
  return (req) => {
    if (warned || !wasRead(req)) return;
    warned = true;
    logger.warn("a body parser read a push before the push handler did, so that its size limit applies", { remedy });
  };
}

/** An empty body counts as read once its end was seen, any other from its first byte on. */
function wasRead(stream: Readable): boolean {
  return stream.readableDidRead || stream.readableEnded;
}

function parsedBody({ body, rawBody }: ParsedBody, stream: Readable): BodyContent {
  if (typeof rawBody === "string" || rawBody instanceof Uint8Array) return rawBody;
  if (typeof body === "string" || (typeof body === "object" && body !== null)) return body;
  if (body === undefined && stream.readableDidRead) {
    throw new TasksError(
      "INVALID_CONFIG",
      "body: expected one unread or parsed, got a request that something has read and left no body on; mount the push handler before it",
    );
  }
  // JSON may be null or a number, which only as text are told from no body at all.
  return JSON.stringify(body);
}

/** By listeners: an async iterator takes 7 µs more, a third of what a whole bare request costs. */
function readBody(stream: Readable, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const collect = (chunk: Uint8Array | string): void => {
      // Text, when something before us has called setEncoding.
      const bytes = typeof chunk === "string" ? Buffer.from(chunk, stream.readableEncoding ?? "utf8") : chunk;
      size += bytes.length;
      if (size <= limit) {
        chunks.push(bytes);
        return;
      }
      stream.off("data", collect);
      chunks.length = 0;
      reject(tooLarge(stream, limit));
    };
    const broken = (): void => {
      if (!stream.readableEnded) reject(brokenOff());
    };
    if (stream.destroyed) broken();
    stream.on("data", collect);
    stream.on("end", () => resolve(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)));
    stream.on("error", broken);
    stream.on("close", broken);
  });
}

function brokenOff(): TasksError {
  return new TasksError("MALFORMED_MESSAGE", "body: expected all of it, got a connection that closed before its end");
}

function tooLarge(stream: Readable, limit: number): BodyTooLarge {
  const timer = setTimeout(() => stream.destroy(), LINGER_MS);
  timer.unref();
  stream.once("close", () => clearTimeout(timer));
  stream.resume();
  return new BodyTooLarge(limit);
}

function respond(res: ServerResponse, { status, headers }: PushResponse): void {
  // A time-out of the service's own may have answered before.
  if (res.headersSent) return;
  res.statusCode = status;
  for (const name in headers) res.setHeader(name, headers[name] as string);
  res.end();
}
