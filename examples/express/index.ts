/**
 * Express: a service that enqueues in one endpoint, takes pushes at another, and shuts down without losing what it runs.
 * Here it stops itself in the middle of a task.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import express from "express";
import { createTasks, localHttp, silentLogger, TaskRoute } from "taskroute";
import { expressHandler } from "taskroute/express";
import { z } from "zod";
import { freePort } from "../free-port.ts";

const renderInvoice = new TaskRoute({
  path: "billing.renderInvoice",
  payload: z.object({ orderId: z.string() }),
  run: async ({ orderId }, { signal }) => {
    console.log(`invoice of order ${orderId}: begun`);
    process.kill(process.pid, "SIGTERM"); // a new revision is deployed just now
    await sleep(100, undefined, { signal }); // the signal aborts when `drainTimeout` is over, 8 s by default
    console.log(`invoice of order ${orderId}: rendered`);
  },
});

const port = await freePort();
const tasks = createTasks({
  routes: [renderInvoice],
  backend: localHttp({ url: `http://127.0.0.1:${port}/tasks/pubsub` }),
  logger: silentLogger,
});

const app = express();
// Before any body parser, whose limit is 100 KB by default: the handler reads the body itself, up to 16 MB.
app.post("/tasks/pubsub", expressHandler(tasks));
app.post("/orders/:id/invoice", async (request, response) => {
  const orderId = request.params.id;
  await tasks.enqueue(renderInvoice, { orderId });
  console.log(`invoice of order ${orderId}: enqueued`);
  response.status(202).end();
});

const server = app.listen(port, "127.0.0.1");
await once(server, "listening");

// Cloud Run sends SIGTERM, and kills after ten seconds.
process.once("SIGTERM", async () => {
  console.log("SIGTERM: no more work is taken");
  await tasks.close();
  server.close();
  console.log("closed");
});

await fetch(`http://127.0.0.1:${port}/orders/7/invoice`, { method: "POST" });

// Output:
// invoice of order 7: enqueued
// invoice of order 7: begun
// SIGTERM: no more work is taken
// invoice of order 7: rendered
// closed
