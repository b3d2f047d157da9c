/** Fastify: one `register` mounts the push handler, with a body limit of its own. */
import Fastify from "fastify";
import { createTasks, type FinishedEvent, localHttp, silentLogger, TaskRoute } from "taskroute";
import { fastifyTasks } from "taskroute/fastify";
import { z } from "zod";
import { freePort } from "../free-port.ts";

const resizeImage = new TaskRoute({
  path: "media.resizeImage",
  payload: z.object({ image: z.string(), widths: z.array(z.int()).default([320, 1280]) }),
  run: ({ image, widths }) => console.log(`${image}: resized to ${widths.join(" and ")} pixels`),
});

const port = await freePort();
const finished = Promise.withResolvers<FinishedEvent>();
const tasks = createTasks({
  routes: [resizeImage],
  backend: localHttp({ url: `http://127.0.0.1:${port}/tasks/pubsub` }),
  hooks: { finished: finished.resolve },
  logger: silentLogger,
});

const fastify = Fastify();
await fastify.register(fastifyTasks, { tasks });
fastify.post<{ Body: { image: string } }>("/images", async (request, reply) => {
  await tasks.enqueue(resizeImage, request.body);
  console.log(`${request.body.image}: enqueued`);
  return reply.status(202).send();
});
fastify.addHook("onClose", () => tasks.close());
await fastify.listen({ port, host: "127.0.0.1" });

await fastify.inject({ method: "POST", url: "/images", payload: { image: "cat.png" } });
const { attempt, outcome } = await finished.promise;
console.log(`attempt ${attempt}: ${outcome.type}`);
await fastify.close();

// Output:
// cat.png: enqueued
// cat.png: resized to 320 and 1280 pixels
// attempt 1: done
