/** Hono on Node; on Bun, Deno and elsewhere the handler is the same: it takes a `Request` and returns a `Response`. */
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createTasks, type FinishedEvent, localHttp, silentLogger, TaskRoute } from "taskroute";
import { honoHandler } from "taskroute/hono";
import { z } from "zod";
import { freePort } from "../free-port.ts";

const indexPage = new TaskRoute({
  path: "search.indexPage",
  payload: z.object({ url: z.url() }),
  run: ({ url }) => console.log(`${url}: indexed`),
});

const port = await freePort();
const finished = Promise.withResolvers<FinishedEvent>();
const tasks = createTasks({
  routes: [indexPage],
  backend: localHttp({ url: `http://127.0.0.1:${port}/tasks/pubsub` }),
  hooks: { finished: finished.resolve },
  logger: silentLogger,
});

const app = new Hono();
app.post("/tasks/pubsub", honoHandler(tasks));
app.post("/pages", async (c) => {
  const page: { url: string } = await c.req.json();
  await tasks.enqueue(indexPage, page);
  console.log(`${page.url}: enqueued`);
  return c.body(null, 202);
});

const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" });
await app.request("/pages", { method: "POST", body: JSON.stringify({ url: "https://example.com/" }) });
const { attempt, outcome } = await finished.promise;
console.log(`attempt ${attempt}: ${outcome.type}`);
await tasks.close();
server.close();

// Output:
// https://example.com/: enqueued
// https://example.com/: indexed
// attempt 1: done
