import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { Clock } from "../core/clock.ts";
import { TasksError } from "../core/errors.ts";
import type { Outcome } from "../core/outcome.ts";

/** Statuses with which an endpoint acknowledges a push; every other one is a nack. https://cloud.google.com/pubsub/docs/push#receive_push */
export const ACKNOWLEDGING: ReadonlySet<number> = new Set([102, 200, 201, 202, 204]);
/** The one of them that may be followed by another. */
export const PROCESSING = 102;
/** Errors with which no connection came about, so that nothing can have run. */
const UNREACHABLE: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);
/** An endpoint that cannot be reached is tried again after 100 ms, doubling up to 60 s: Pub/Sub's own push back-off. */
const FIRST_PUSH_BACKOFF_S = 0.1;
const LONGEST_PUSH_BACKOFF_S = 60;

const ACKNOWLEDGED: Outcome = { type: "done", result: undefined };

/** One push. */
export interface Push {
  readonly body: string;
  readonly token: string;
  /** Milliseconds until the push counts as unanswered. */
  readonly timeout: number;
}

/** Posts push requests to one URL over kept-alive connections, and reads the answers as Pub/Sub does. */
export class PushClient {
  readonly #url: URL;
  readonly #clock: Clock;
  readonly #sockets: Promise<Sockets>;
  /** Rounds of pushes in a row that found nobody. */
  #refusals = 0;
  #agent: Agent | undefined;
  #closed = false;

  constructor(url: URL, clock: Clock) {
    this.#url = url;
    this.#clock = clock;
    this.#sockets = openSockets(url);
  }

  /** Posts, and tells what the answer means. Never rejects. */
  async push(push: Push): Promise<Outcome> {
    const { request, agent } = await this.#sockets;
    if (this.#closed) return { type: "busy", reason: "draining", retryAfter: 0 };
    this.#agent = agent;
    const refusals = this.#refusals;
    return new Promise((resolve) => {
      const outgoing = request(this.#url, { method: "POST", agent, headers: headersOf(push) });
      const deadline = this.#clock.setTimeout(() => outgoing.destroy(unanswered(push)), push.timeout);
      const settle = (outcome: Outcome) => {
        this.#clock.clearTimeout(deadline);
        resolve(outcome);
      };
      const broken = (error: Error) => settle(this.#broken(error, refusals));
      outgoing.on("response", (response) => {
        this.#refusals = 0;
        response.resume();
        response.on("end", () => settle(outcomeOf(response)));
        response.on("error", broken);
      });
      outgoing.on("information", ({ statusCode }) => {
        // HTTP lets a further answer follow; the deadline still ends the request if none does.
        if (statusCode === PROCESSING) resolve(ACKNOWLEDGED);
      });
      outgoing.on("error", broken);
      outgoing.end(push.body);
    });
  }

  /** What a push without a whole answer comes to. Pushes that were under way together make one round. */
  #broken(error: Error, refusals: number): Outcome {
    // The deadline passed, or the connection broke under way: the task may have run.
    if (!UNREACHABLE.has((error as NodeJS.ErrnoException).code))
      return { type: "failed", error, retryAfter: undefined };
    this.#refusals = Math.max(this.#refusals, refusals + 1);
    const retryAfter = Math.min(LONGEST_PUSH_BACKOFF_S, FIRST_PUSH_BACKOFF_S * 2 ** refusals);
    return { type: "busy", reason: "not-ready", retryAfter };
  }

  /** Posts nothing more, and closes every connection, in use or not. */
  close(): void {
    this.#closed = true;
    this.#agent?.destroy();
  }
}

interface Sockets {
  readonly request: (url: URL, options: RequestOptions) => ClientRequest;
  readonly agent: Agent;
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

function unanswered({ timeout }: Push): TasksError {
  return new TasksError(
    "TIMEOUT",
    `push: expected an answer within the ack deadline of ${timeout / 1000} s, got none; raise ackDeadline or answer sooner`,
  );
}

function outcomeOf({ statusCode: status = 0, headers }: IncomingMessage): Outcome {
  if (ACKNOWLEDGING.has(status)) return ACKNOWLEDGED;
  const seconds = Number(headers["retry-after"]);
  const retryAfter = seconds > 0 && Number.isFinite(seconds) ? seconds : undefined;
  if (status === 429 || status === 409) return { type: "busy", reason: "task-busy", retryAfter: retryAfter ?? 1 };
  if (status === 403 || status === 401) return { type: "denied", detail: `the endpoint answered ${status}` };
  if (status === 400) return { type: "rejected", reason: "malformed", error: new Error("the endpoint answered 400") };
  return { type: "failed", error: new Error(`the endpoint answered ${status}`), retryAfter };
}
