import type { AnyTasks } from "../core/tasks.ts";
import type { PushOptions } from "../push/index.ts";
import { webHandler } from "./web.ts";

/** What of Hono's context is used. */
export interface HonoContext {
  readonly req: {
    readonly raw: Request;
    /** The body once more, where a middleware has read it through `c.req`. */
    arrayBuffer?(): Promise<ArrayBuffer>;
  };
}

/**
 * Takes push requests in Hono: `app.post("/tasks/pubsub", honoHandler(tasks))`. It also works behind a validator or any
 * other middleware that reads the body through `c.req`.
 *
 * @throws TasksError as `createPushHandler`.
 */
export function honoHandler(tasks: AnyTasks, options: PushOptions = {}): (c: HonoContext) => Promise<Response> {
  const handle = webHandler(tasks, options);
  return async ({ req }) => {
    const { raw } = req;
    if (!raw.bodyUsed || req.arrayBuffer === undefined) return handle(raw);
    const { method, headers } = raw;
    return handle(new Request(raw.url, { method, headers, body: await req.arrayBuffer() }));
  };
}
