import { Transform } from "node:stream";
import { type FastifyInstance, fastify } from "fastify";
import { describe, expect, it } from "vitest";
import { fastifyHandler, fastifyTasks } from "../../src/adapters/fastify.ts";
import { createService, listen, recorded, send } from "../contracts/adapter-subject.ts";
import { refusalOf } from "../support/refusal.ts";

const push = recorded("wrapped-minimal");

async function serve(app: FastifyInstance): Promise<number> {
  await app.ready();
  return listen((req, res) => app.routing(req, res));
}

describe("fastifyTasks", () => {
  it("mounts the handler at the push path of the environment, below the plugin's prefix", async () => {
    const { tasks } = createService({ env: { TASKS_PUSH_PATH: "/pubsub" } });
    const port = await serve(fastify().register(fastifyTasks, { tasks, prefix: "/tasks" }));
    expect(await send(port, push)).toMatchObject({ status: 200 });
  });

  it("leaves the parsers and limits of other routes as they are", async () => {
    const { tasks } = createService();
    const app = fastify().register(fastifyTasks, { tasks });
    app.post("/echo", async (request) => request.body);
    await app.ready();
    const echo = (payload: object | string) =>
      app.inject({ method: "POST", url: "/echo", headers: { "content-type": "application/json" }, payload });
    expect((await echo({ a: 1 })).json()).toEqual({ a: 1 });
    expect((await echo(JSON.stringify("x".repeat(2 ** 20)))).statusCode).toBe(413);
  });

  it("runs the hooks of the instance, each once", async () => {
    const { tasks } = createService();
    const seen: unknown[] = [];
    const app = fastify();
    app.addHook("preHandler", async () => void seen.push("preHandler"));
    app.addHook("onSend", async (_request, _reply, payload) => {
      await Promise.resolve();
      seen.push("onSend");
      return payload;
    });
    app.addHook("onResponse", async (_request, reply) => void seen.push(reply.statusCode));
    const port = await serve(app.register(fastifyTasks, { tasks }));
    expect(await send(port, recorded("busy-task"))).toMatchObject({ status: 429, retryAfter: "7", body: "" });
    expect(seen).toEqual(["preHandler", "onSend", 429]);
  });

  it("reads the body as preParsing hooks leave it", async () => {
    const { tasks, ran } = createService();
    const app = fastify();
    app.addHook("preParsing", async (_request, _reply, payload) => {
      const lower = (chunk: Buffer) => Buffer.from(chunk.toString().replace("USERID", "userId"));
      const transform = (chunk: Buffer, _encoding: unknown, done: (error: null, chunk: Buffer) => void) =>
        done(null, lower(chunk));
      return payload.pipe(new Transform({ transform }));
    });
    const route = { path: "accounts.sendWelcomeEmail" };
    const port = await serve(app.register(fastifyTasks, { tasks, route }));
    expect(await send(port, { ...push, body: '{"USERID":"42"}' })).toMatchObject({ status: 200 });
    expect(ran).toEqual([expect.objectContaining({ payload: { userId: "42" } })]);
  });

  it("refuses an option that it does not know", async () => {
    const { tasks } = createService();
    const options = { tasks, pth: "/x" };
    const failed = await fastify()
      .register(fastifyTasks, options)
      .ready()
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(
      refusalOf(() => {
        throw failed;
      }, "INVALID_OPTION"),
    ).toContain("pth");
  });
});

describe("fastifyHandler", () => {
  const limit = 16 * 1024 * 1024;

  it("says once that the limit of its route is below its own", async () => {
    const { tasks, lines } = createService();
    const app = fastify();
    app.post("/tasks/pubsub", fastifyHandler(tasks));
    const port = await serve(app);
    expect(await send(port, push)).toMatchObject({ status: 200 });
    expect(await send(port, push)).toMatchObject({ status: 200 });
    expect(lines).toEqual([
      expect.objectContaining({
        level: "warn",
        fields: { bodyLimit: 2 ** 20, remedy: `use fastifyTasks, or set bodyLimit: ${limit} on the route` },
      }),
    ]);
  });

  it("has nothing to say where the limit suffices", async () => {
    const { tasks, lines } = createService();
    const app = fastify();
    app.post("/tasks/pubsub", { bodyLimit: limit }, fastifyHandler(tasks));
    expect(await send(await serve(app), push)).toMatchObject({ status: 200 });
    expect(lines).toEqual([]);
  });
});
