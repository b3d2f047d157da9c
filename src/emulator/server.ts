import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** The first bytes of an HTTP/2 connection, RFC 9113 section 3.4; no method of HTTP/1 begins like this. */
const HTTP_2 = Buffer.from("PRI");

/** What listens, and answers gRPC and REST alike: each connection is told by its first bytes. */
export class Listener {
  readonly #grpc: (socket: Socket) => void;
  readonly #http: HttpServer;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  /**
   * @param grpc takes over a connection that speaks HTTP/2.
   * @param rest answers the requests of the others.
   */
  constructor(grpc: (socket: Socket) => void, rest: RequestListener) {
    this.#grpc = grpc;
    this.#http = createHttpServer({ keepAliveTimeout: 60_000 }, rest);
  }

  /**
   * Opens a port.
   *
   * @param port 0 for one that is free.
   * @returns the port. Rejects when it is taken.
   */
  async open(host: string, port: number): Promise<number> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    });
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** Closes the ports and every connection. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // A connection that breaks is its owner's matter once it has one.
    socket.on("error", () => {});
    let seen = Buffer.alloc(0);
    const look = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const known = Math.min(seen.length, HTTP_2.length);
      const isHttp2 = seen.subarray(0, known).equals(HTTP_2.subarray(0, known));
      if (isHttp2 && known < HTTP_2.length) return;
      socket.off("data", look);
      socket.pause();
      socket.unshift(seen);
      if (isHttp2) this.#grpc(socket);
      else {
        this.#http.emit("connection", socket);
        socket.resume();
      }
    };
    socket.on("data", look);
  }
}
