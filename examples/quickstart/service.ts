/** The shop's web service: an ordinary Express app with one more endpoint, the one that tasks are pushed to. */
import express, { type ErrorRequestHandler, type Express } from "express";
import { isTasksError } from "taskroute";
import { expressHandler } from "taskroute/express";
import type { PushLog } from "./push-log.ts";
import { chargeCard, importPrices, type ShopTasks, sendWelcomeEmail } from "./tasks.ts";

/** Where tasks are pushed to. */
export const PUSH_PATH = "/tasks/pubsub";

export function createService(tasks: ShopTasks, log: PushLog): Express {
  const app = express();

  // The tour looks over the handler's shoulder. A service of your own needs the last argument only.
  app.post(PUSH_PATH, express.json({ limit: "16mb" }), log.record, expressHandler(tasks));

  app.use(express.json({ type: () => true })); // whatever the content type, so that a bare `curl -d` will do
  app.post("/users", async (request, response) => {
    const { id } = await tasks.enqueue(sendWelcomeEmail, request.body);
    response.status(202).json({ taskId: id });
  });
  app.post("/orders", async (request, response) => {
    const { id } = await tasks.enqueue(chargeCard, request.body);
    response.status(202).json({ taskId: id });
  });
  app.post("/imports", async (request, response) => {
    const { id } = await tasks.enqueue(importPrices, request.body);
    response.status(202).json({ taskId: id });
  });
  app.get("/dead-letters", async (_request, response) => {
    response.json(await tasks.deadLetters.list());
  });
  app.post("/dead-letters/:id/redrive", async (request, response) => {
    const found = await tasks.deadLetters.redrive(request.params.id);
    response.status(found ? 202 : 404).end();
  });
  app.use(refusePayload);
  return app;
}

/** A payload that its schema refuses is the caller's mistake; the error's text says which field. */
const refusePayload: ErrorRequestHandler = (error, _request, response, next) => {
  if (isTasksError(error, "INVALID_PAYLOAD")) response.status(400).json({ error: error.message });
  else next(error);
};
