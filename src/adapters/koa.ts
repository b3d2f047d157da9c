import type { AnyTasks } from "../core/tasks.ts";
import { createPushHandler, type PushOptions } from "../push/index.ts";
import { type NodeRequest, type ParsedBody, parserWatch, pushRequest } from "./node.ts";

/** What of Koa's context is used. */
export interface KoaContext {
  readonly req: NodeRequest;
  readonly request: ParsedBody & { readonly req: NodeRequest };
  status: number;
  body: unknown;
  set(headers: { [name: string]: string }): void;
}

/**
 * Takes push requests in Koa: `router.post("/tasks/pubsub", koaHandler(tasks))`, or `app.use` behind a check of the path.
 * It answers every request that gets to it, and calls no further middleware.
 *
 * Mount it before `@koa/bodyparser`. Behind it the handler works as well, but bodies are limited to the parser's 1 MB, and
 * are read before anybody has proved who they are; a warning says so once.
 *
 * @throws TasksError as `createPushHandler`.
 */
export function koaHandler(tasks: AnyTasks, options: PushOptions = {}): (ctx: KoaContext) => Promise<void> {
  const handler = createPushHandler(tasks, options);
  const watch = parserWatch(tasks.runtime.logger, "mount koaHandler before the body parser");
  return async (ctx) => {
    watch(ctx.req);
    const { status, headers } = await handler.handle(pushRequest(ctx.req, ctx.request));
    // An empty body makes Koa choose 204, so the status comes second.
    ctx.body = null;
    ctx.status = status;
    ctx.set(headers);
  };
}
