import type { AnyTasks } from "../core/tasks.ts";
import type { PushOptions } from "../push/index.ts";
import { type NodeHandler, nodeHandler } from "./node.ts";

/**
 * Takes push requests in Express 4.18 and later, and 5: `app.post("/tasks/pubsub", expressHandler(tasks))`.
 *
 * Mount it before `express.json()`. Behind it the handler works as well, but bodies are limited to the parser's 100 KB,
 * and are read before anybody has proved who they are; a warning says so once.
 *
 * @throws TasksError as `createPushHandler`.
 */
export function expressHandler(tasks: AnyTasks, options: PushOptions = {}): NodeHandler {
  return nodeHandler(tasks, options, "mount expressHandler before express.json()");
}
