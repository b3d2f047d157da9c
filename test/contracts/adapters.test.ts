import { globSync } from "node:fs";
import type { RequestListener } from "node:http";
import { basename, join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { bodyParser } from "@koa/bodyparser";
import express from "express";
import { type FastifyInstance, fastify } from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import { apiResolver } from "next/dist/server/api-utils/node/api-resolver.js";
import { NodeNextRequest, NodeNextResponse } from "next/dist/server/base-http/node.js";
import { sendResponse } from "next/dist/server/send-response.js";
import {
  NextRequestAdapter,
  signalFromNodeResponse,
} from "next/dist/server/web/spec-extension/adapters/next-request.js";
import { expect, it } from "vitest";
import { expressHandler } from "../../src/adapters/express.ts";
import { fastifyHandler, fastifyTasks } from "../../src/adapters/fastify.ts";
import { honoHandler } from "../../src/adapters/hono.ts";
import { koaHandler } from "../../src/adapters/koa.ts";
import { nextHandler, nextPagesHandler } from "../../src/adapters/next.ts";
import { nodeHandler } from "../../src/adapters/node.ts";
import { webHandler } from "../../src/adapters/web.ts";
import { describeAdapter } from "./adapter.ts";
import type { AdapterSubject } from "./adapter-subject.ts";

const PATH = "/tasks/pubsub";

async function routed(app: FastifyInstance): Promise<RequestListener> {
  await app.ready();
  return (req, res) => app.routing(req, res);
}

/** Does not print what goes wrong on a connection. */
function quiet(app: Koa): Koa {
  app.silent = true;
  return app;
}

/** A route handler as Next's server calls it. */
function appRoute(handle: (request: Request) => Promise<Response>): RequestListener {
  return async (req, res) => {
    const request = new NodeNextRequest(req);
    const response = await handle(NextRequestAdapter.fromNodeNextRequest(request, signalFromNodeResponse(res)));
    await sendResponse(request, new NodeNextResponse(res), response);
  };
}

/** An API route as Next's server calls it. */
function pagesRoute(module: { readonly default: unknown; readonly config?: object }): RequestListener {
  const preview = { previewModeId: "", previewModeEncryptionKey: "", previewModeSigningKey: "" };
  return (req, res) => apiResolver(req, res, {}, module, { ...preview, dev: false }, true);
}

/** Every handler of every adapter, by its file in src/adapters. */
const subjects: Record<string, Record<string, AdapterSubject>> = {
  node: {
    nodeHandler: {
      first: nodeHandler,
      behindParser(tasks, options) {
        const handle = nodeHandler(tasks, options);
        const parse = express.json();
        return (req, res) => parse(req, res, (error) => (error ? res.writeHead(400).end() : void handle(req, res)));
      },
    },
  },
  web: { webHandler: { first: (tasks, options) => getRequestListener(webHandler(tasks, options)) } },
  express: {
    expressHandler: {
      first: (tasks, options) => express().all(PATH, expressHandler(tasks, options)),
      behindParser: (tasks, options) => express().use(express.json()).all(PATH, expressHandler(tasks, options)),
    },
  },
  fastify: {
    fastifyTasks: {
      first: (tasks, options) => routed(fastify().register(fastifyTasks, { ...options, tasks, path: PATH })),
    },
    fastifyHandler: {
      behindParser(tasks, options) {
        const app = fastify();
        app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
        app.all(PATH, fastifyHandler(tasks, options));
        return routed(app);
      },
    },
  },
  koa: {
    koaHandler: {
      first: (tasks, options) => quiet(new Koa()).use(koaHandler(tasks, options)).callback(),
      behindParser: (tasks, options) => quiet(new Koa()).use(bodyParser()).use(koaHandler(tasks, options)).callback(),
    },
  },
  hono: {
    honoHandler: {
      first: (tasks, options) => getRequestListener(new Hono().all(PATH, honoHandler(tasks, options)).fetch),
      behindParser(tasks, options) {
        const app = new Hono().use(async (c, next) => {
          await c.req.json().catch(() => undefined);
          await next();
        });
        return getRequestListener(app.all(PATH, honoHandler(tasks, options)).fetch);
      },
    },
  },
  next: {
    nextHandler: { first: (tasks, options) => appRoute(nextHandler(tasks, options)) },
    nextPagesHandler: {
      first: (tasks, options) =>
        pagesRoute({ default: nextPagesHandler(tasks, options), config: { api: { bodyParser: false } } }),
      behindParser: (tasks, options) => pagesRoute({ default: nextPagesHandler(tasks, options) }),
    },
  },
};

it("every adapter is held to the contract", () => {
  const files = globSync("*.ts", { cwd: join(import.meta.dirname, "../../src/adapters") });
  expect(Object.keys(subjects).sort()).toEqual(files.map((file) => basename(file, ".ts")).sort());
});

for (const handlers of Object.values(subjects)) {
  for (const [name, subject] of Object.entries(handlers)) describeAdapter(name, subject);
}
