import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A load: the same request over keep-alive connections, each waiting for its answer before it sends again. */
export interface LoadOptions {
  /** Port on the loopback interface. */
  readonly port: number;
  /** The request as it goes over the wire. */
  readonly request: Buffer;
  readonly connections: number;
  readonly milliseconds: number;
}

/** What a load came to. */
export interface LoadResult {
  readonly requests: number;
  /** From the first request to the last answer. */
  readonly seconds: number;
}

/**
 * Puts a server under load. Stays awake meanwhile: on loopback, waking up a client that sleeps is done by the kernel
 * within the server's own write, and would be charged to the server, the more so the slower it is.
 *
 * @throws Error when an answer is not 200, or a connection breaks: then there is nothing to compare.
 */
export async function load({ port, request, connections, milliseconds }: LoadOptions): Promise<LoadResult> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  const start = performance.now();
  const end = start + milliseconds;
  stayAwake(end);
  try {
    const answered = await Promise.all(sockets.map((socket) => exchange(socket, request, end)));
    const seconds = (performance.now() - start) / 1000;
    return { requests: answered.reduce((sum, count) => sum + count, 0), seconds };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function stayAwake(end: number): void {
  if (performance.now() < end) setImmediate(stayAwake, end);
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  return socket.setEncoding("latin1");
}

/** Sends and waits in turn until `end`; resolves to the number of answers. */
function exchange(socket: Socket, request: Buffer, end: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let answered = 0;
    let received = "";
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("load: expected an open connection, got one closed by the server")));
    socket.on("data", (text: string) => {
      received += text;
      if (!isWhole(received)) return;
      if (!received.startsWith("HTTP/1.1 200 ")) {
        reject(new Error(`load: expected 200, got ${JSON.stringify(received.slice(0, 200))}`));
        return;
      }
      received = "";
      answered += 1;
      if (performance.now() < end) socket.write(request);
      else resolve(answered);
    });
    socket.write(request);
  });
}

/** Whether all of a response has arrived; without a length its body is chunked and ends with an empty chunk. */
function isWhole(text: string): boolean {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  return length === undefined ? text.slice(head + 4).endsWith("0\r\n\r\n") : text.length >= head + 4 + Number(length);
}
