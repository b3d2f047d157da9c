import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Credentials, createService, PUSH_PATH } from "./service.ts";

// Run as a child process: the push handler in one framework, or what one writes in it by hand to read the same message.

/** Frameworks, each with the handler (`taskroute`) and without (`bare`). */
export type Framework = "node:http" | "Express" | "Fastify";
export type Variant = "taskroute" | "bare";

/** Asked of the server by its parent: the microseconds of CPU it has used, or to end. */
export type Command = "cpu" | "close";
/** What it answers: its port, once, and then to `cpu`. */
export type Answer = { readonly port: number } | { readonly cpu: number };

function decode(body: { readonly message: { readonly data: string } }): object {
  return JSON.parse(Buffer.from(body.message.data, "base64").toString("utf8"));
}

const byHand: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    decode(JSON.parse(Buffer.concat(chunks).toString("utf8")));
    response.statusCode = 200;
    response.end();
  });
};

async function nodeServer(variant: Variant, credentials: Credentials): Promise<Server> {
  if (variant === "bare") return createServer(byHand).listen(0, "127.0.0.1");
  const { nodeHandler } = await import("taskroute/node");
  return createServer(nodeHandler(createService(credentials))).listen(0, "127.0.0.1");
}

async function expressServer(variant: Variant, credentials: Credentials): Promise<Server> {
  const { default: express } = await import("express");
  const app = express();
  if (variant === "taskroute") {
    const { expressHandler } = await import("taskroute/express");
    app.post(PUSH_PATH, expressHandler(createService(credentials)));
  } else {
    app.use(express.json());
    app.post(PUSH_PATH, (request, response) => {
      decode(request.body);
      response.status(200).end();
    });
  }
  return app.listen(0, "127.0.0.1");
}

async function fastifyServer(variant: Variant, credentials: Credentials): Promise<Server> {
  const { fastify } = await import("fastify");
  const app = fastify();
  if (variant === "taskroute") {
    const { fastifyTasks } = await import("taskroute/fastify");
    await app.register(fastifyTasks, { tasks: createService(credentials), path: PUSH_PATH });
  } else {
    app.post<{ Body: { message: { data: string } } }>(PUSH_PATH, async (request, reply) => {
      decode(request.body);
      return reply.code(200).send();
    });
  }
  await app.listen({ port: 0, host: "127.0.0.1" });
  return app.server;
}

const servers: Record<Framework, (variant: Variant, credentials: Credentials) => Promise<Server>> = {
  "node:http": nodeServer,
  Express: expressServer,
  Fastify: fastifyServer,
};

async function serve(framework: Framework, variant: Variant, credentials: Credentials): Promise<void> {
  const server = await servers[framework](variant, credentials);
  if (!server.listening) await once(server, "listening");
  const answer = (message: Answer): void => void process.send?.(message);
  process.on("message", (command: Command) => {
    if (command === "close") process.exit();
    const { user, system } = process.cpuUsage();
    answer({ cpu: user + system });
  });
  process.on("disconnect", () => process.exit());
  answer({ port: (server.address() as AddressInfo).port });
}

const [framework, variant, credentials = "{}"] = process.argv.slice(2);
await serve(framework as Framework, variant as Variant, JSON.parse(credentials));
