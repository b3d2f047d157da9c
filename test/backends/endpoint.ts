import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { AnyTasks } from "../../src/core/tasks.ts";
import { createPushHandler, type PushHandler, type PushOptions } from "../../src/push/handle.ts";

/** One request that an endpoint got. */
export interface Received {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What an endpoint does with a request instead of handling it; `false` lets it be handled all the same. */
export type Interception = (response: ServerResponse, request: Received) => unknown;

/** Lets the handler do its work, and cuts the connection in place of its answer. */
export function loseAnswer(response: ServerResponse): false {
  response.writeHead = () => response.destroy();
  return false;
}

/** The push endpoint of a service: a real server with the push handler of a client, that can fail in many ways. */
export class Endpoint {
  readonly received: Received[] = [];
  /** Applied to the next requests, one each. */
  readonly interceptions: Interception[] = [];
  /** Address of the push handler. */
  readonly url: string;
  readonly #port: number;
  #handler: PushHandler | undefined;
  #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.#port}/tasks/pubsub`;
    server.on("request", this.#take);
  }

  /** An endpoint on a free port. */
  static async open(): Promise<Endpoint> {
    const server = createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new Endpoint(server);
  }

  /** Hands requests to the push handler of a client from now on. */
  serve(tasks: AnyTasks, options: PushOptions = {}): void {
    this.#handler = createPushHandler(tasks, options);
  }

  /** Stops listening, and cuts every connection. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Listens again, at the same address. */
  async resume(): Promise<void> {
    this.#server = createServer(this.#take);
    await once(this.#server.listen(this.#port, "127.0.0.1"), "listening");
  }

  readonly #take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await wholeBody(request);
    if (body === undefined) return;
    const received = { method: request.method ?? "", headers: request.headers, body: body.toString() };
    this.received.push(received);
    const interception = this.interceptions.shift();
    if (interception !== undefined && interception(response, received) !== false) return;
    const answer = await this.#handler?.handle({
      method: received.method,
      header: (name) => request.headers[name] as string | undefined,
      body: () => body,
    });
    response.writeHead(answer?.status ?? 503, answer?.headers).end();
  };
}

/** The body of a request; `undefined` when its sender went away first. */
async function wholeBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

/** A push of the local engine, as far as tests look at it. */
interface PushBody {
  readonly deliveryAttempt: number;
  readonly message: { readonly data: string; readonly attributes?: Record<string, string>; readonly messageId: string };
}

/** The pushes that an endpoint got, parsed. */
export function bodiesOf(endpoint: Endpoint): PushBody[] {
  return endpoint.received.map(({ body }) => JSON.parse(body));
}
