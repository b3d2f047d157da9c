import type { Backend, Capabilities } from "./backend.ts";
import type { EnqueueOptions } from "./context.ts";
import type { AnyRoute } from "./declaration.ts";
import { TasksError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { assertKnownOptions, shown } from "./options.ts";

const ENQUEUE_OPTIONS = [
  "delay",
  "runAt",
  "dedupeKey",
  "dedupeWindow",
  "priority",
  "orderingKey",
  "id",
] as const satisfies readonly (keyof EnqueueOptions)[];

/** Which capability an option of `enqueue` needs. */
const NEEDS: readonly [option: keyof EnqueueOptions, capability: keyof Capabilities][] = [
  ["delay", "delay"],
  ["runAt", "delay"],
  ["dedupeKey", "dedupe"],
  ["priority", "priority"],
  ["orderingKey", "ordering"],
];

/** A hundred years: beyond some point there would be no date for the moment. Backends have nearer limits. */
const LONGEST_DELAY_S = 100 * 365 * 86_400;

const TASK_ID = /^[A-Za-z0-9._~-]{1,200}$/;

function refuse(name: keyof EnqueueOptions, expected: string, got: unknown): never {
  throw new TasksError("INVALID_OPTION", `enqueue: expected ${name} to be ${expected}, got ${shown(got)}`);
}

/**
 * Refuses options of `enqueue` that are wrong, or that the backend cannot honour.
 *
 * @throws TasksError `INVALID_OPTION` or `UNSUPPORTED`.
 */
export function assertEnqueueOptions(options: EnqueueOptions, route: AnyRoute, backend: Backend): void {
  assertKnownOptions("enqueue", options, ENQUEUE_OPTIONS);
  const capabilities = backend.capabilitiesOf?.(route) ?? backend.capabilities;
  for (const [option, capability] of NEEDS) {
    if (options[option] === undefined || capabilities[capability]) continue;
    const carrier = backend.carrierOf?.(route).name ?? backend.name;
    const waits = carrier === "pubsub" && (capability === "delay" || capability === "dedupe");
    throw new TasksError(
      "UNSUPPORTED",
      `enqueue: expected a backend that can do ${capability} for ${option}, got ${carrier} for "${route.path}"; leave ${option} out or ${waits ? "set TASKS_DEFERRAL_QUEUE" : "use another backend"}`,
    );
  }
  const { delay, runAt, dedupeKey, dedupeWindow, id } = options;
  if (delay !== undefined && !(Number.isFinite(delay) && delay >= 0 && delay <= LONGEST_DELAY_S))
    refuse("delay", "0 or more seconds, up to 100 years", delay);
  if (runAt !== undefined && !(runAt instanceof Date && Number.isFinite(runAt.getTime())))
    refuse("runAt", "a valid Date", runAt);
  if (delay !== undefined && runAt !== undefined) refuse("runAt", "left out beside delay", runAt);
  if (dedupeKey !== undefined && (typeof dedupeKey !== "string" || dedupeKey === ""))
    refuse("dedupeKey", "a text that is not empty", dedupeKey);
  if (dedupeWindow !== undefined && !(Number.isFinite(dedupeWindow) && dedupeWindow > 0))
    refuse("dedupeWindow", "more than 0 seconds", dedupeWindow);
  if (dedupeWindow !== undefined && dedupeKey === undefined)
    refuse("dedupeWindow", "left out without dedupeKey", dedupeWindow);
  if (id !== undefined && !TASK_ID.test(id)) refuse("id", "1–200 characters of [A-Za-z0-9._~-]", id);
  assertRouteOptions(options, route);
}

/** What an option names must be declared by the route. */
function assertRouteOptions({ priority, orderingKey }: EnqueueOptions, { path, settings }: AnyRoute): void {
  if (priority !== undefined) {
    const known = Object.keys(settings.queue.priorities ?? {});
    if (!known.includes(priority))
      refuse(
        "priority",
        `one of "${path}" (${known.join(", ") || "it declares none"}; see queue.priorities)`,
        priority,
      );
  }
  if (orderingKey === undefined) return;
  const fits =
    typeof orderingKey === "string" && orderingKey !== "" && new TextEncoder().encode(orderingKey).length <= 1024;
  if (!fits) refuse("orderingKey", "a text of 1–1024 bytes", orderingKey);
  if (!settings.ordered) refuse("orderingKey", `left out of "${path}", which is not declared as ordered`, orderingKey);
}

/**
 * Checks what routes ask of a backend as a whole, once when it is built: `overlap: "skip"` needs something that can tell.
 *
 * @throws TasksError `UNSUPPORTED` when a route asks for it explicitly; where it is only the default, says so once.
 */
export function assertRoutesFit(routes: readonly AnyRoute[], backend: Backend, logger: Logger): void {
  const overlaps = (route: AnyRoute) => (backend.capabilitiesOf?.(route) ?? backend.capabilities).overlap;
  const scheduled = routes.filter((route) => route.settings.schedule !== undefined && !overlaps(route));
  for (const route of scheduled) {
    if (route.settings.overlap === "skip") {
      throw new TasksError(
        "UNSUPPORTED",
        `"${route.path}": expected a backend or store that can hold a lock for overlap: "skip", got ${backend.name}; use overlap: "allow"`,
      );
    }
  }
  const left = scheduled.filter((route) => route.settings.overlap === undefined);
  if (left.length > 0) {
    logger.warn("runs of a schedule may overlap: nothing here can hold a lock", {
      backend: backend.name,
      tasks: left.map((route) => route.path),
    });
  }
}

/**
 * Refuses, in production, a route whose dead letters nobody would keep: Cloud Tasks deletes a task whose attempts are used
 * up (cloud.google.com/tasks/docs/configuring-queues#retry), so that they must be kept by us, and durably.
 *
 * @throws TasksError `INVALID_CONFIG`.
 */
export function assertLettersKept({ path, settings: { via } }: AnyRoute, carrier: Backend): void {
  if (via !== "cloud-tasks" && carrier.name !== "cloud-tasks") return;
  if (carrier.deadLetters !== undefined && carrier.capabilities.durable) return;
  throw new TasksError(
    "INVALID_CONFIG",
    `"${path}": expected a backend that keeps dead letters durably for via: "cloud-tasks", which has none of its own, got ${carrier.name}; use via: "pubsub" or another backend`,
  );
}
