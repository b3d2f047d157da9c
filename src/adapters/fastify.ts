import type { IncomingMessage } from "node:http";
import type { FastifyPluginAsync, RegisterOptions } from "fastify";
import type { Logger } from "../core/logger.ts";
import type { AnyTasks } from "../core/tasks.ts";
import { createPushHandler, type PushOptions, type PushResponse } from "../push/index.ts";
import { pushRequest } from "./node.ts";

/** What of Fastify's request is used, whatever the generic parameters of the instance. */
export interface FastifyPush {
  readonly raw: IncomingMessage;
  readonly body?: unknown;
  readonly routeOptions: { readonly bodyLimit: number };
}

/** What of Fastify's reply is used. */
export interface FastifyAnswer {
  code(status: number): unknown;
  headers(values: Readonly<Record<string, string>>): unknown;
}

/** Options of {@link fastifyTasks}. */
export interface FastifyTasksOptions extends PushOptions {
  readonly tasks: AnyTasks;
  /** Where to mount the handler, below the prefix of the plugin. Default `TASKS_PUSH_PATH`, else `/tasks/pubsub`. */
  readonly path?: string;
}

/**
 * Takes push requests in Fastify: `await app.register(fastifyTasks, { tasks })`. The plugin is encapsulated: on its route,
 * and nowhere else, no content-type parser reads the body before the caller has proved who they are, and Fastify's limit
 * of 1 MiB gives way to `bodyLimit`. The instance's hooks and logger see its requests like any others.
 *
 * @throws TasksError as `createPushHandler`.
 */
export const fastifyTasks: FastifyPluginAsync<FastifyTasksOptions> = async (app, options) => {
  // Fastify hands a plugin all that `register` was told, its own options included.
  const { prefix, logLevel, logSerializers, ...own }: FastifyTasksOptions & RegisterOptions = options;
  const { tasks, path = tasks.runtime.config.pushPath, ...push } = own;
  const handler = createPushHandler(tasks, push);
  app.removeAllContentTypeParsers();
  // By name as well: Fastify looks a type up that it knows, and reads one that only "*" takes anew for every request.
  app.addContentTypeParser(["application/json", "*"], (_request, payload, done) => done(null, payload));
  app.all(path, { bodyLimit: handler.bodyLimit }, async (request, reply) => {
    // What the parser above passed on: the stream, as preParsing hooks left it, or nothing where there is no body.
    const stream = request.body as IncomingMessage | undefined;
    answer(reply, await handler.handle(pushRequest(request.raw, {}, stream)));
  });
};

/**
 * Takes push requests in a route of one's own: `app.post("/tasks/pubsub", { bodyLimit: 16_777_216 }, fastifyHandler(tasks))`.
 * Fastify then parses the body before the handler checks who sent it, and knows JSON and text only: Cloud Tasks and Cloud
 * Scheduler, which send neither unless told to, need a parser for `*`. Prefer {@link fastifyTasks}. A warning says once
 * when the limit of the route is below that of the handler.
 *
 * @throws TasksError as `createPushHandler`.
 */
export function fastifyHandler(
  tasks: AnyTasks,
  options: PushOptions = {},
): (request: FastifyPush, reply: FastifyAnswer) => Promise<void> {
  const handler = createPushHandler(tasks, options);
  let checked = false;
  return async (request, reply) => {
    if (!checked) checkLimit(request, handler.bodyLimit, tasks.runtime.logger);
    checked = true;
    answer(reply, await handler.handle(pushRequest(request.raw, request)));
  };
}

function checkLimit({ routeOptions }: FastifyPush, limit: number, logger: Logger): void {
  if (routeOptions.bodyLimit >= limit) return;
  logger.warn("the body limit of a Fastify route is below that of its push handler, and applies", {
    bodyLimit: routeOptions.bodyLimit,
    remedy: `use fastifyTasks, or set bodyLimit: ${limit} on the route`,
  });
}

/** Fastify sends the reply once the promise of the route resolves to nothing. */
function answer(reply: FastifyAnswer, { status, headers }: PushResponse): void {
  reply.code(status);
  reply.headers(headers);
}
