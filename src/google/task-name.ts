import type { OutgoingTask } from "../core/backend.ts";
import type { Naming } from "../core/names.ts";

/**
 * Ids of Cloud Tasks, and of runs, by which the same task is known again. They are hashes, since ids in a sequence slow a
 * queue down (https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks#resource:-task), and
 * begin with whose they are, as services may share a queue.
 */
function digest({ environment, namespace }: Naming, kind: string, ...parts: readonly string[]): string {
  // Loaded with the first task: it costs the start of everybody else.
  const { hash } = process.getBuiltinModule("node:crypto");
  return hash("sha256", JSON.stringify([environment, namespace, kind, ...parts]));
}

type Dedupe = NonNullable<OutgoingTask["dedupe"]>;

/** Windows begin at multiples of their length: a name cannot tell when it was first used. */
function windowDigest(naming: Naming, path: string, { key, window }: Dedupe, now: number): string {
  return digest(naming, "dedupe", path, key, String(window), String(Math.floor(now / (window * 1000))));
}

/**
 * The id by which a queue knows a task again: of its key and window; of the message that it replaces; else of its own id, so
 * that one that is sent twice, because no answer came, is there once.
 */
export function taskNameOf(naming: Naming, task: OutgoingTask): string {
  const { id, route, dedupe, enqueuedAt, replaces } = task;
  if (dedupe !== undefined) return windowDigest(naming, route.path, dedupe, enqueuedAt);
  return replaces === undefined
    ? digest(naming, "task", route.path, id)
    : digest(naming, "replaces", route.path, id, replaces);
}

/** The run id of the task that holds a key in a window, whoever enqueues it: in the form of a UUID, version 8. */
export function dedupedRunId(naming: Naming, path: string, dedupe: Dedupe, now: number): string {
  const hex = windowDigest(naming, path, dedupe, now);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(12, 15)}-8${hex.slice(15, 18)}-${hex.slice(18, 30)}`;
}
