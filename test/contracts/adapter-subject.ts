import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type Agent, type ClientRequest, createServer, type RequestListener, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { Busy } from "../../src/core/errors.ts";
import type { LogMethod } from "../../src/core/logger.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { RuntimeOptions } from "../../src/core/runtime-options.ts";
import type { AnyTasks } from "../../src/core/tasks.ts";
import { createTasks } from "../../src/create-tasks.ts";
import type { PushOptions } from "../../src/push/index.ts";
import { sharedSecret } from "../../src/push/shared-secret.ts";
import type { LogLine } from "../support/log.ts";
import { createScene } from "../support/scene.ts";

/** Mounts an adapter at `/tasks/pubsub`, for every method. */
export type Mount = (tasks: AnyTasks, options?: PushOptions) => RequestListener | Promise<RequestListener>;

/** One handler of an adapter, as the contract mounts it for each test. */
export interface AdapterSubject {
  /** Nothing before it has read the request; missing where the handler exists for the other case only. */
  readonly first?: Mount;
  /** The framework's own body parser has run before it. */
  readonly behindParser?: Mount;
}

/** A push as it was recorded, or a request made up by a test. */
export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** All of an answer that a caller may rely on. */
export interface Answer {
  readonly status: number;
  readonly allow: string | undefined;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

const SECRET = "not-a-real-secret";
/** What proves who the caller is. */
export const credentials: Readonly<Record<string, string>> = { authorization: `Bearer ${SECRET}` };

/** A recorded push: request line, headers, an empty line and the body to its last byte. */
export function recorded(name: string): Required<Sent> {
  const text = readFileSync(join(import.meta.dirname, `fixtures/${name}.http`), "utf8");
  const end = text.indexOf("\n\n");
  const [start = "", ...fields] = text.slice(0, end).split("\n");
  const headers = fields.map((field) => field.split(": ", 2) as [string, string]);
  return {
    method: start.slice(0, start.indexOf(" ")),
    headers: { ...Object.fromEntries(headers), ...credentials },
    body: text.slice(end + 2),
  };
}

/** The service that pushes are sent to, and what has run in it. */
export interface Service {
  readonly tasks: AnyTasks;
  readonly ran: object[];
  readonly lines: readonly LogLine[];
  /** Resolves once something was logged as a warning or an error. */
  readonly complained: Promise<void>;
}

/** A service with a task that records its runs, a scheduled one, one that fails and one that is busy. */
export function createService(options: RuntimeOptions = {}): Service {
  const scene = createScene();
  const { logger } = scene.options;
  const complaint = Promise.withResolvers<void>();
  const complain = (say: LogMethod) => (message: string, fields?: Record<string, unknown>) => {
    say(message, fields);
    complaint.resolve();
  };
  const ran: object[] = [];
  const record = (
    payload: unknown,
    ctx: { name: string; taskId: string; attempt: number; messageId: string },
  ): void => {
    const { name, taskId, attempt, messageId } = ctx;
    ran.push({ name, taskId, attempt, messageId, payload });
  };
  const throws = (error: Error) => () => {
    throw error;
  };
  const tasks = createTasks({
    ...scene.options,
    logger: { ...logger, warn: complain(logger.warn), error: complain(logger.error) },
    auth: sharedSecret(SECRET),
    ...options,
    routes: [
      new TaskRoute({ path: "accounts.sendWelcomeEmail", payload: z.object({ userId: z.string() }), run: record }),
      new TaskRoute({ path: "reports.dailyReport", schedule: "0 9 * * *", run: record }),
      new TaskRoute({ path: "accounts.fail", run: throws(new Error("broken")) }),
      new TaskRoute({ path: "accounts.saturate", run: throws(new Busy("full", { retryAfter: 7 })) }),
    ],
  });
  onTestFinished(() => tasks.close());
  return { tasks, ran, lines: scene.lines, complained: complaint.promise };
}

/** An address at which a listener answers until the test is over. */
export async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return (server.address() as AddressInfo).port;
}

/** A request whose headers are on their way; the test writes the body, or does not. */
export function begin(port: number, { method = "POST", headers = {} }: Sent, agent?: Agent): ClientRequest {
  const outgoing = request({ host: "127.0.0.1", port, path: "/tasks/pubsub", method, headers, agent: agent ?? false });
  // A server may answer, and close, before it has read all of the body: the answer counts, not how sending it ended.
  outgoing.on("error", () => {});
  outgoing.flushHeaders();
  return outgoing;
}

/** The answer to a request. */
export async function answerTo(outgoing: ClientRequest): Promise<Answer> {
  const [response] = await once(outgoing, "response");
  const chunks: Buffer[] = await response.toArray();
  const { allow, "retry-after": retryAfter } = response.headers;
  return { status: response.statusCode, allow, retryAfter, body: Buffer.concat(chunks).toString() };
}

/** Sends a request as a whole, and returns its answer. */
export function send(port: number, sent: Sent, agent?: Agent): Promise<Answer> {
  const { body = "", headers = {} } = sent;
  const length = String(Buffer.byteLength(body));
  const outgoing = begin(port, { ...sent, headers: { "content-length": length, ...headers } }, agent);
  outgoing.end(body);
  return answerTo(outgoing);
}
