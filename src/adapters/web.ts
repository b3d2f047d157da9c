import { TasksError } from "../core/errors.ts";
import type { AnyTasks } from "../core/tasks.ts";
import { BodyTooLarge, createPushHandler, type PushOptions } from "../push/index.ts";

/** A fetch handler. It answers every request that gets to it, and never rejects. */
export type WebHandler = (request: Request) => Promise<Response>;

/** Milliseconds for which the rest of a body over the limit is thrown away, so that the client gets to read the answer. */
const LINGER_MS = 1000;

/**
 * Takes push requests as Web `Request`s: SvelteKit, Remix, Astro, `Bun.serve`, `Deno.serve` and whatever else speaks
 * fetch. The request's body must not have been read.
 *
 * @throws TasksError as `createPushHandler`.
 */
export function webHandler(tasks: AnyTasks, options: PushOptions = {}): WebHandler {
  const handler = createPushHandler(tasks, options);
  return async (request) => {
    const { status, headers } = await handler.handle({
      method: request.method,
      header: (name) => request.headers.get(name) ?? undefined,
      body: (limit) => readBody(request, limit),
    });
    return new Response(null, { status, headers: { ...headers, "content-length": "0" } });
  };
}

async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  if (request.bodyUsed) {
    throw new TasksError(
      "INVALID_CONFIG",
      "body: expected it unread, got a request that something has read; call the push handler before it",
    );
  }
  const length = request.headers.get("content-length");
  if (Number(length) > limit) throw new BodyTooLarge(limit);
  // HTTP holds the sender to the length. Through its stream the body takes 35 µs more on Node, and all the rest 25.
  if (length !== null) return new Uint8Array(await request.arrayBuffer());
  return request.body === null ? new Uint8Array() : readStream(request.body, limit);
}

async function readStream(stream: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks, size);
    size += value.length;
    if (size > limit) {
      void discard(reader);
      throw new BodyTooLarge(limit);
    }
    chunks.push(value);
  }
}

/** Ends when the client does, or hangs up. */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const timer = setTimeout(() => reader.cancel().catch(() => {}), LINGER_MS);
  try {
    while (!(await reader.read()).done);
  } catch {
    // The client hung up, and so is in no need of an answer.
  }
  clearTimeout(timer);
}
