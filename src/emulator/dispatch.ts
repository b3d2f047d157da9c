import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import type { Clock } from "../core/clock.ts";

/** One request to a target. */
export interface HttpCall {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** Milliseconds until it counts as unanswered. */
  readonly timeout: number;
}

/** What came of a request: the answer's status, or none because it came too late or there was no connection. */
export type HttpAnswer =
  | { readonly type: "answered"; readonly status: number; readonly retryAfter: number | undefined }
  | { readonly type: "late" }
  | { readonly type: "broken"; readonly error: Error };

interface Exchange {
  readonly answer: HttpAnswer;
  /** Where a redirect leads. */
  readonly location?: string | undefined;
}

/** Redirects that are followed, in one request. */
const MOST_REDIRECTS = 5;
/** Statuses with which a redirected POST becomes a GET, as HTTP clients do it. */
const SEE_OTHER: ReadonlySet<number> = new Set([301, 302, 303]);
const REDIRECTS: ReadonlySet<number> = new Set([...SEE_OTHER, 307, 308]);

/** Sends the requests of Cloud Tasks and Cloud Scheduler over kept-alive connections; deadlines are of its clock. */
export class HttpDispatcher {
  readonly #clock: Clock;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #secureAgent = new SecureAgent({ keepAlive: true });
  readonly #underWay = new Set<ClientRequest>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sends a request, follows redirects, and tells what came of it. Never rejects. */
  async send(call: HttpCall): Promise<HttpAnswer> {
    const until = this.#clock.now() + call.timeout;
    let next = call;
    for (let redirects = 0; ; redirects++) {
      const { answer, location } = await this.#exchange({ ...next, timeout: until - this.#clock.now() });
      const target = location === undefined ? undefined : redirected(next, answer, location);
      if (target === undefined || redirects === MOST_REDIRECTS) return answer;
      next = target;
    }
  }

  /** Cuts every request that is under way, and sends no more. */
  close(): void {
    this.#closed = true;
    for (const outgoing of this.#underWay) outgoing.destroy(new Error("the emulator was closed"));
    this.#agent.destroy();
    this.#secureAgent.destroy();
  }

  #exchange(call: HttpCall): Promise<Exchange> {
    if (this.#closed) return Promise.resolve({ answer: broken(new Error("the emulator was closed")) });
    let outgoing: ClientRequest;
    try {
      outgoing = this.#open(call);
    } catch (error) {
      return Promise.resolve({ answer: broken(error instanceof Error ? error : new Error(String(error))) });
    }
    return this.#answered(outgoing, call);
  }

  #answered(outgoing: ClientRequest, call: HttpCall): Promise<Exchange> {
    return new Promise((resolve) => {
      let isLate = false;
      this.#underWay.add(outgoing);
      const deadline = this.#clock.setTimeout(() => {
        isLate = true;
        outgoing.destroy(new Error("no answer within the deadline"));
      }, call.timeout);
      const settle = (answer: HttpAnswer, location?: string) => {
        this.#clock.clearTimeout(deadline);
        this.#underWay.delete(outgoing);
        resolve({ answer, location });
      };
      const failed = (error: Error) => settle(isLate ? { type: "late" } : broken(error));
      outgoing.on("response", (response) => {
        response.resume();
        response.on("end", () => settle(this.#answerOf(response), response.headers.location));
        response.on("error", failed);
      });
      outgoing.on("error", failed);
      outgoing.end(call.body);
    });
  }

  #open({ url, method, headers, body }: HttpCall): ClientRequest {
    const isSecure = url.toLowerCase().startsWith("https:");
    const length = body === undefined ? {} : { "Content-Length": String(body.length) };
    const options: RequestOptions = {
      method,
      headers: { ...headers, ...length },
      agent: isSecure ? this.#secureAgent : this.#agent,
    };
    return isSecure ? secureRequest(url, options) : httpRequest(url, options);
  }

  #answerOf({ statusCode: status = 0, headers }: IncomingMessage): HttpAnswer {
    return { type: "answered", status, retryAfter: secondsOf(headers["retry-after"], this.#clock.now()) };
  }
}

function broken(error: Error): HttpAnswer {
  return { type: "broken", error };
}

/** The seconds of a `Retry-After` header, which is a number or a date; `undefined` for anything else. */
function secondsOf(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : (Date.parse(text) - now) / 1000;
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}

/** Where an answer sends a request on to; credentials stay with the origin that they were meant for. */
function redirected(call: HttpCall, answer: HttpAnswer, location: string): HttpCall | undefined {
  if (answer.type !== "answered" || !REDIRECTS.has(answer.status) || !URL.canParse(location, call.url))
    return undefined;
  const url = new URL(location, call.url);
  if (!/^https?:$/.test(url.protocol)) return undefined;
  const isOther = url.origin !== new URL(call.url).origin;
  const headers = Object.entries(call.headers).filter(([name]) => !isOther || name.toLowerCase() !== "authorization");
  const target = { ...call, url: url.href, headers: Object.fromEntries(headers) };
  const becomesGet = SEE_OTHER.has(answer.status) && call.method !== "GET" && call.method !== "HEAD";
  return becomesGet ? { ...target, method: "GET", body: undefined } : target;
}
