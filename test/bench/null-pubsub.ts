import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

// Run as a child process: a gRPC server whose only method is Pub/Sub's publish, and which accepts everything. It is written
// straight onto HTTP/2, so that as little as possible of what is measured is its own work.

/** What the server answers with when it listens. */
export interface Listening {
  readonly port: number;
}

/** gRPC puts a flag and a length of four bytes before each message. */
const PREFIX = 5;

/** Reads a varint; returns where it ends and what it is. */
function varint(bytes: Buffer, at: number): readonly [end: number, value: number] {
  let value = 0;
  let end = at;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[end++] ?? 0;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [end, value];
  }
}

/** How many messages a `PublishRequest` holds: its fields with number 2. */
function countMessages(request: Buffer): number {
  let count = 0;
  for (let at = 0; at < request.length; ) {
    if (request[at] === 0x12) count++;
    const [end, length] = varint(request, at + 1);
    at = end + length;
  }
  return count;
}

let lastId = 10 ** 15;

/** A `PublishResponse` with that many ids, of 16 digits like the service's. */
function response(count: number): Buffer {
  const size = count * 18;
  const frame = Buffer.allocUnsafe(PREFIX + size);
  frame[0] = 0;
  frame.writeUInt32BE(size, 1);
  for (let at = PREFIX; at < frame.length; at += 18) {
    frame[at] = 0x0a;
    frame[at + 1] = 16;
    frame.write(String(lastId++), at + 2, 16, "latin1");
  }
  return frame;
}

function answer(stream: ServerHttp2Stream, chunks: readonly Buffer[]): void {
  const request = Buffer.concat(chunks).subarray(PREFIX);
  stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(response(countMessages(request)));
}

const server = createServer({ settings: { initialWindowSize: 16 * 1024 * 1024 } });
server.on("session", (session) => session.setLocalWindowSize(64 * 1024 * 1024));
server.on("stream", (stream) => {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => answer(stream, chunks));
  stream.on("error", () => {});
});
server.listen(0, "127.0.0.1", () => {
  const listening: Listening = { port: (server.address() as AddressInfo).port };
  process.send?.(listening);
});
process.on("disconnect", () => process.exit());
