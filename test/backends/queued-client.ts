import { expect } from "vitest";
import { type CloudTasksOptions, cloudTasks } from "../../src/backends/cloud-tasks.ts";
import { TasksError } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { QueueScene } from "./queue-scene.ts";

/** The queue of the route below. */
export const QUEUE = "dev--app--x-task";
export const run = (): void => {};
export const task = new TaskRoute({ path: "x.task", run });

/** A client whose tasks stay in their queues. */
export async function open(route: typeof task, options: CloudTasksOptions = {}) {
  const scene = await QueueScene.open();
  await scene.makeQueues([route]);
  const tasks = scene.adopt(createTasks({ ...scene.options, routes: [route], backend: cloudTasks(options) }));
  return { scene, tasks };
}

/** The code and text with which something is refused. */
export async function codeOf(refused: Promise<unknown>): Promise<[code: string, message: string]> {
  const error = await refused.catch((thrown: unknown) => thrown);
  return error instanceof TasksError ? [error.code, error.message] : expect.unreachable(`got ${String(error)}`);
}
