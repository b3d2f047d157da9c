import type { IncomingMessage, RequestOptions } from "node:http";
import type { Outcome } from "../core/outcome.ts";

/** Statuses with which an endpoint acknowledges a push; every other one is a nack. https://cloud.google.com/pubsub/docs/push#receive_push */
const ACKNOWLEDGING: ReadonlySet<number> = new Set([102, 200, 201, 202, 204]);
/** An endpoint that cannot be reached is tried again after 100 ms, doubling up to 60 s: Pub/Sub's own push back-off. */
const FIRST_PUSH_BACKOFF_S = 0.1;
const LONGEST_PUSH_BACKOFF_S = 60;

/** One push. */
export interface Push {
  readonly url: URL;
  readonly body: string;
  readonly token: string;
  /** Milliseconds until the push counts as unanswered. */
  readonly timeout: number;
}

interface Answer {
  readonly status: number;
  readonly retryAfter: number | undefined;
}

/** Posts push requests over kept-alive connections, and reads the answers as Pub/Sub does. */
export class PushClient {
  #unreachable = 0;
  readonly #sockets: Promise<Sockets>;

  constructor(url: URL) {
    this.#sockets = openSockets(url);
  }

  /** Posts, and tells what the answer means. Never rejects. */
  async push(push: Push): Promise<Outcome> {
    const { request, agent } = await this.#sockets;
    return new Promise((resolve) => {
      const outgoing = request(
        push.url,
        { method: "POST", agent, headers: headersOf(push), signal: AbortSignal.timeout(push.timeout) },
        (response) => {
          this.#unreachable = 0;
          response.resume();
          response.on("end", () => resolve(outcomeOf(answerOf(response))));
          response.on("error", (error) => resolve(this.#broken(error)));
        },
      );
      outgoing.on("error", (error) => resolve(this.#broken(error)));
      outgoing.end(push.body);
    });
  }

  #broken(error: Error): Outcome {
    // The deadline passed, or the connection broke under way: the task may have run.
    if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED")
      return { type: "failed", error, retryAfter: undefined };
    const retryAfter = Math.min(LONGEST_PUSH_BACKOFF_S, FIRST_PUSH_BACKOFF_S * 2 ** this.#unreachable);
    this.#unreachable += 1;
    return { type: "busy", reason: "not-ready", retryAfter };
  }

  /** Closes idle connections. */
  async close(): Promise<void> {
    (await this.#sockets).agent.destroy();
  }
}

interface Sockets {
  readonly request: (
    url: URL,
    options: RequestOptions,
    answered: (response: IncomingMessage) => void,
  ) => import("node:http").ClientRequest;
  readonly agent: import("node:http").Agent;
}

/** Loaded late: a process that never pushes does not pay for it. */
async function openSockets(url: URL): Promise<Sockets> {
  const { request, Agent } = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  return { request, agent: new Agent({ keepAlive: true }) };
}

/** As Pub/Sub sends them. https://cloud.google.com/pubsub/docs/push */
function headersOf(push: Push): Record<string, string | number> {
  return {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(push.body),
    "user-agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
    from: "noreply@google.com",
    authorization: `Bearer ${push.token}`,
  };
}

function answerOf(response: IncomingMessage): Answer {
  const seconds = Number(response.headers["retry-after"]);
  return {
    status: response.statusCode ?? 0,
    retryAfter: Number.isFinite(seconds) && seconds > 0 ? seconds : undefined,
  };
}

function outcomeOf({ status, retryAfter }: Answer): Outcome {
  if (ACKNOWLEDGING.has(status)) return { type: "done", result: undefined };
  if (status === 429 || status === 409) return { type: "busy", reason: "task-busy", retryAfter: retryAfter ?? 1 };
  if (status === 403 || status === 401) return { type: "denied", detail: `the endpoint answered ${status}` };
  if (status === 400) return { type: "rejected", reason: "malformed", error: new Error("the endpoint answered 400") };
  return { type: "failed", error: new Error(`the endpoint answered ${status}`), retryAfter };
}
