import { Agent, type RequestListener } from "node:http";
import { describe, expect, it, vi } from "vitest";
import { type NodeRequest, nodeHandler } from "../../src/adapters/node.ts";
import type { PushOptions } from "../../src/push/index.ts";
import { answerTo, begin, createService, listen, recorded, type Service, send } from "../contracts/adapter-subject.ts";

const route = { path: "accounts.sendWelcomeEmail" };
const anyPayload = { path: "reports.dailyReport" };
const push = recorded("cloud-tasks-payload");

/** Reads a request to its end, as a body parser does, and leaves what a test says. */
function parserThatLeaves({ tasks }: Service, left: (body: Buffer) => object, options: PushOptions): RequestListener {
  const handle = nodeHandler(tasks, options);
  return async (req: NodeRequest, res) => {
    const chunks: Buffer[] = await req.toArray();
    await handle(Object.assign(req, left(Buffer.concat(chunks))), res);
  };
}

describe("behind a body parser, nodeHandler", () => {
  it.each<[what: string, left: (body: Buffer) => object]>([
    ["bytes", (body) => ({ body })],
    ["text", (body) => ({ body: body.toString() })],
    ["what the JSON says", (body) => ({ body: JSON.parse(body.toString()) })],
    ["the raw body, whatever was made of it", (rawBody) => ({ rawBody, body: { userId: "another" } })],
  ])("takes %s", async (_what, left) => {
    const service = createService();
    const port = await listen(parserThatLeaves(service, left, { route }));
    expect(await send(port, push)).toMatchObject({ status: 200 });
    expect(service.ran).toEqual([expect.objectContaining({ payload: { userId: "42" } })]);
  });

  it.each(["null", "42", "false", '"text"', "[]"])("refuses %s as a payload", async (body) => {
    const service = createService();
    const parse = (raw: Buffer) => ({ body: JSON.parse(raw.toString()) });
    const port = await listen(parserThatLeaves(service, parse, { route: anyPayload }));
    expect(await send(port, { ...push, body })).toMatchObject({ status: 400 });
    expect(service.ran).toEqual([]);
  });

  it("never takes a body that was lost for an empty one", async () => {
    const service = createService();
    const port = await listen(parserThatLeaves(service, () => ({}), { route: anyPayload }));
    expect((await send(port, push)).status).toBeGreaterThanOrEqual(400);
    expect(service.ran).toEqual([]);
    expect(service.lines).toContainEqual(
      expect.objectContaining({
        level: "error",
        fields: expect.objectContaining({ error: expect.stringContaining("mount the push handler before it") }),
      }),
    );
  });

  it("takes a body that was empty for the empty one it is", async () => {
    const service = createService();
    const port = await listen(parserThatLeaves(service, () => ({}), { route: anyPayload }));
    expect(await send(port, { ...push, body: "" })).toMatchObject({ status: 200 });
    expect(service.ran).toHaveLength(1);
  });

  it("reads the request itself when the parser left it alone, as Express 4 does with an empty object", async () => {
    const { tasks, ran, lines } = createService();
    const handle = nodeHandler(tasks, { route });
    const port = await listen((req, res) => handle(Object.assign(req, { body: {} }), res));
    expect(await send(port, push)).toMatchObject({ status: 200 });
    expect(ran).toEqual([expect.objectContaining({ payload: { userId: "42" } })]);
    expect(lines).toEqual([]);
  });

  it("warns once", async () => {
    const service = createService();
    const port = await listen(parserThatLeaves(service, (body) => ({ body }), { route }));
    await send(port, push);
    await send(port, push);
    expect(service.lines).toEqual([
      {
        level: "warn",
        message: expect.stringContaining("a body parser read a push"),
        fields: { remedy: "mount the push handler before the body parser" },
      },
    ]);
  });
});

describe("nodeHandler", () => {
  it("settles for a client that is gone before its body is read", async () => {
    const authenticating = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const { tasks, ran } = createService({
      ready: async () => {
        authenticating.resolve();
        await gone.promise;
        return true;
      },
    });
    const settled = Promise.withResolvers<void>();
    const handle = nodeHandler(tasks);
    const port = await listen((req, res) => {
      req.on("close", gone.resolve);
      handle(req, res).then(settled.resolve, settled.reject);
    });
    const outgoing = begin(port, { ...push, headers: { ...push.headers, "content-length": "100" } });
    await authenticating.promise;
    outgoing.destroy();
    await settled.promise;
    expect(ran).toEqual([]);
  });

  it("settles for a request that something destroys", async () => {
    const { tasks, ran } = createService();
    const handle = nodeHandler(tasks);
    const settled = Promise.withResolvers<void>();
    const port = await listen((req, res) => {
      handle(req, res).then(settled.resolve, settled.reject);
      req.destroy();
    });
    begin(port, { ...push, headers: { ...push.headers, "content-length": "100" } });
    await settled.promise;
    expect(ran).toEqual([]);
  });

  it("cuts off a client that goes on sending for a second after its 413", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const agent = new Agent({ keepAlive: true });
    try {
      const { tasks } = createService();
      const port = await listen(nodeHandler(tasks, { bodyLimit: 10 }));
      const outgoing = begin(port, { ...push, headers: { ...push.headers, "transfer-encoding": "chunked" } }, agent);
      outgoing.write(push.body);
      expect(await answerTo(outgoing)).toMatchObject({ status: 413 });
      const { socket } = outgoing;
      vi.advanceTimersByTime(999);
      expect(socket?.closed).toBe(false);
      const closed = Promise.withResolvers<void>();
      socket?.on("close", closed.resolve);
      vi.advanceTimersByTime(1);
      await closed.promise;
    } finally {
      agent.destroy();
      vi.useRealTimers();
    }
  });

  it("stays silent when something else has answered in the meantime", async () => {
    const ready = Promise.withResolvers<boolean>();
    const { tasks } = createService({ ready: () => ready.promise });
    const handle = nodeHandler(tasks);
    const settled = Promise.withResolvers<void>();
    const port = await listen((req, res) => {
      handle(req, res).then(settled.resolve, settled.reject);
      res.writeHead(503).end();
    });
    expect(await send(port, push)).toMatchObject({ status: 503 });
    ready.resolve(false);
    await settled.promise;
  });
});
