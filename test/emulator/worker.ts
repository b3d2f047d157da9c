import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One request as it arrived. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** As they were sent: names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** What a worker answers with: a status, or whatever it does with the response. */
export type Reply = number | ((response: ServerResponse) => void);

/** An HTTP server that keeps what arrives, and answers as it is told. */
export class Worker {
  readonly arrived: Arrived[] = [];
  /** Answers the request of an index, from 0. */
  reply: (index: number) => Reply = () => 200;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<Worker> {
    const server = createServer();
    const worker = new Worker(server);
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const { method = "", url: path = "", headers, rawHeaders } = request;
        worker.arrived.push({ method, path, headers, rawHeaders, body: Buffer.concat(chunks).toString() });
        const reply = worker.reply(worker.arrived.length - 1);
        if (typeof reply === "function") reply(response);
        else response.writeHead(reply).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return worker;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Milliseconds of the machine's time after which something that should have happened is given up. */
const PATIENCE_MS = 10_000;

/** Resolves once a condition holds, which input and output bring about; looks after every turn of the event loop. */
export async function eventually(condition: () => boolean, what = "the condition"): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > until) throw new Error(`expected ${what} to hold in the end, it did not`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
