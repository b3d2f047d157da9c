import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { Outcome } from "../../src/core/outcome.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { PushClient } from "../../src/engine/push-client.ts";

const push = { body: '{"message":{}}', token: "header.claims.signature", timeout: 600_000 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function urlOf(server: { address(): AddressInfo | string | null }, host = "127.0.0.1"): URL {
  return new URL(`http://${host}:${(server.address() as AddressInfo).port}/tasks/pubsub`);
}

async function serve(listener: RequestListener): Promise<{ url: URL; server: Server }> {
  const server = createServer(listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: urlOf(server), server };
}

/** A server below HTTP: what it writes is the whole answer. */
async function serveRaw(answer: (socket: Socket) => void): Promise<URL> {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return urlOf(server);
}

function clientOf(url: URL): { client: PushClient; clock: VirtualClock } {
  const clock = new VirtualClock();
  const client = new PushClient(url, clock);
  cleanups.push(() => client.close());
  return { client, clock };
}

/** The address of a port that nobody listens on. */
async function nobody(): Promise<URL> {
  const server = createTcpServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = urlOf(server);
  await new Promise((resolve) => server.close(resolve));
  return url;
}

describe("an answer to a push", () => {
  it.each<[status: number, headers: Record<string, string>, outcome: object]>([
    [200, {}, { type: "done" }],
    [201, {}, { type: "done" }],
    [202, {}, { type: "done" }],
    [204, {}, { type: "done" }],
    [203, {}, { type: "failed" }],
    [206, {}, { type: "failed" }],
    [301, { location: "/elsewhere" }, { type: "failed" }],
    [400, {}, { type: "rejected" }],
    [401, {}, { type: "denied" }],
    [403, {}, { type: "denied" }],
    [404, {}, { type: "failed", retryAfter: undefined }],
    [405, {}, { type: "failed" }],
    [409, {}, { type: "busy", retryAfter: 1 }],
    [413, {}, { type: "failed" }],
    [429, {}, { type: "busy", retryAfter: 1 }],
    [429, { "retry-after": "7" }, { type: "busy", retryAfter: 7 }],
    [429, { "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" }, { type: "busy", retryAfter: 1 }],
    [500, {}, { type: "failed", retryAfter: undefined }],
    [500, { "retry-after": "30" }, { type: "failed", retryAfter: 30 }],
    [503, { "retry-after": "-1" }, { type: "failed", retryAfter: undefined }],
  ])("of %i %o is %o", async (status, headers, outcome) => {
    const { url } = await serve((_, response) => response.writeHead(status, headers).end());
    const { client, clock } = clientOf(url);
    expect(await client.push(push)).toMatchObject(outcome);
    expect(clock.pending).toBe(0);
  });

  it("is an acknowledgement with 102, though HTTP takes that for a beginning", async () => {
    const url = await serveRaw((socket) => socket.write("HTTP/1.1 102 Processing\r\n\r\n"));
    const { client, clock } = clientOf(url);
    expect(await client.push({ ...push, timeout: 10_000 })).toMatchObject({ type: "done" });
    await clock.advance(10_000);
    expect(clock.pending).toBe(0);
  });

  it("is read though other beginnings come first", async () => {
    const url = await serveRaw((socket) =>
      socket.write("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"),
    );
    expect(await clientOf(url).client.push(push)).toMatchObject({ type: "failed" });
  });

  it("may have a body, which is read and forgotten", async () => {
    const { url } = await serve((_, response) => response.end("x".repeat(1_000_000)));
    expect(await clientOf(url).client.push(push)).toMatchObject({ type: "done" });
  });
});

describe("a push", () => {
  it("is a request like Pub/Sub's", async () => {
    const seen: { request: IncomingMessage; body: string }[] = [];
    const { url } = await serve(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      seen.push({ request, body: Buffer.concat(chunks).toString() });
      response.end();
    });
    const body = '{"name":"Zoë ✓"}';
    await clientOf(url).client.push({ ...push, body });
    const [{ request, body: received } = expect.unreachable("expected a request")] = seen;
    expect([request.method, request.url, received]).toEqual(["POST", "/tasks/pubsub", body]);
    expect(request.headers).toMatchObject({
      authorization: "Bearer header.claims.signature",
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(body)),
      "user-agent": expect.stringMatching(/^APIs-Google; /),
      from: "noreply@google.com",
    });
  });

  it("uses the connections of those before it", async () => {
    const ports = new Set<number | undefined>();
    const { url } = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end();
    });
    const { client } = clientOf(url);
    for (let count = 0; count < 5; count++) expect(await client.push(push)).toMatchObject({ type: "done" });
    expect(ports.size).toBe(1);
  });

  it("has failed when its deadline passes without an answer", async () => {
    const arrived = Promise.withResolvers<void>();
    const { url } = await serve(() => arrived.resolve());
    const { client, clock } = clientOf(url);
    const outcome = client.push({ ...push, timeout: 10_000 });
    await arrived.promise;
    await clock.advance(9999);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect(await outcome).toMatchObject({ type: "failed", error: { name: "TasksError", code: "TIMEOUT" } });
    expect(clock.pending).toBe(0);
  });

  it.each<[how: string, answer: (socket: Socket) => void]>([
    ["before it was answered", (socket) => socket.destroy()],
    ["within the head of the answer", (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-le")],
    ["within the body of the answer", (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")],
    ["by an answer that is not HTTP", (socket) => socket.end("hello\r\n\r\n")],
  ])("has failed when its connection breaks %s, since the task may have run", async (_, answer) => {
    const { client, clock } = clientOf(await serveRaw(answer));
    expect(await client.push(push)).toMatchObject({ type: "failed", retryAfter: undefined });
    expect(clock.pending).toBe(0);
  });
});

describe("an endpoint that cannot be reached", () => {
  const waits = (outcomes: readonly Outcome[]) =>
    outcomes.map((outcome) => (outcome.type === "busy" ? outcome.retryAfter : outcome.type));

  it("costs no attempt, and is tried again after 100 ms, doubling up to a minute", async () => {
    const { client, clock } = clientOf(await nobody());
    const outcomes: Outcome[] = [];
    for (let count = 0; count < 12; count++) outcomes.push(await client.push(push));
    expect(waits(outcomes)).toEqual([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60, 60]);
    expect(clock.pending).toBe(0);
  });

  it("is found out once by pushes under way together", async () => {
    const { client } = clientOf(await nobody());
    const round = () => Promise.all(Array.from({ length: 20 }, () => client.push(push)));
    expect(new Set(waits(await round()))).toEqual(new Set([0.1]));
    expect(new Set(waits(await round()))).toEqual(new Set([0.2]));
  });

  it("begins anew with 100 ms once it has answered", async () => {
    const url = await nobody();
    const { client } = clientOf(url);
    for (let count = 0; count < 3; count++) await client.push(push);
    const server = createServer((_, response) => response.writeHead(500, { connection: "close" }).end());
    await once(server.listen(Number(url.port), "127.0.0.1"), "listening");
    expect(await client.push(push)).toMatchObject({ type: "failed" });
    await new Promise((resolve) => server.close(resolve));
    expect(waits([await client.push(push)])).toEqual([0.1]);
  });

  it("costs no attempt where its name stands for several addresses", async () => {
    const url = await nobody();
    const outcome = await clientOf(new URL(url.href.replace("127.0.0.1", "localhost"))).client.push(push);
    expect(outcome).toMatchObject({ type: "busy", reason: "not-ready" });
  });
});

describe("a push client that is closed", () => {
  it("cuts what is under way, posts nothing more and leaves no timer", async () => {
    const arrived = Promise.withResolvers<void>();
    let requests = 0;
    const { url } = await serve(() => {
      requests += 1;
      arrived.resolve();
    });
    const { client, clock } = clientOf(url);
    const outcome = client.push(push);
    await arrived.promise;
    client.close();
    expect(await outcome).toMatchObject({ type: "failed" });
    expect(await client.push(push)).toMatchObject({ type: "busy", reason: "draining" });
    expect([requests, clock.pending]).toEqual([1, 0]);
  });
});
