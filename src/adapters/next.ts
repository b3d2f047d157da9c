import type { AnyTasks } from "../core/tasks.ts";
import type { PushOptions } from "../push/index.ts";
import { type NodeHandler, nodeHandler } from "./node.ts";
import { type WebHandler, webHandler } from "./web.ts";

/**
 * Takes push requests in a route handler of Next's App Router, `app/tasks/pubsub/route.ts`:
 *
 *     export const POST = nextHandler(tasks);
 *
 * Next limits no body there and answers other methods itself. `next build` evaluates the module without the run-time
 * environment: authentication and backend are then settled by the first request.
 *
 * @throws TasksError as `createPushHandler`.
 */
export function nextHandler(tasks: AnyTasks, options: PushOptions = {}): WebHandler {
  return webHandler(tasks, options);
}

/**
 * Takes push requests in an API route of Next's Pages Router, `pages/api/tasks/pubsub.ts`:
 *
 *     export const config = { api: { bodyParser: false } };
 *     export default nextPagesHandler(tasks);
 *
 * Next reads `config` without running the module, so the service has to spell it out. Without it the handler works as
 * well, but bodies are limited to the parser's 1 MB, and are read before anybody has proved who they are; a warning says
 * so once.
 *
 * @throws TasksError as `createPushHandler`.
 */
export function nextPagesHandler(tasks: AnyTasks, options: PushOptions = {}): NodeHandler {
  return nodeHandler(tasks, options, "export const config = { api: { bodyParser: false } } from the API route");
}
