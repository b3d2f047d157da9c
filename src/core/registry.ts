import { type AnyRoute, declarationSite } from "./declaration.ts";
import { TasksError } from "./errors.ts";
import { resourceNames } from "./names.ts";
import { shown } from "./options.ts";
import { nearest } from "./suggest.ts";

/** Any naming will do to see whether two paths flatten to one resource name. */
const PROBE = { environment: "dev", namespace: "app" };

/** The set of routes of a service; the only registration there is. */
export class Registry {
  /** In the order of the list. */
  readonly routes: readonly AnyRoute[];
  readonly #byName = new Map<string, AnyRoute>();
  readonly #byPath = new Map<string, AnyRoute>();

  /**
   * @throws TasksError `INVALID_OPTION` for something that is no route; `DUPLICATE_ROUTE` when two routes share a path, a
   * name or a derived resource name, both of them named.
   */
  constructor(routes: readonly AnyRoute[]) {
    if (!Array.isArray(routes)) {
      throw new TasksError(
        "INVALID_OPTION",
        `createTasks: expected routes to be a list, got ${shown(routes)}; pass { routes: [ … ] }`,
      );
    }
    this.routes = Object.freeze([...routes]);
    const owners = new Map<string, AnyRoute>();
    for (const [index, route] of this.routes.entries()) {
      this.#add(route, index, owners);
    }
  }

  #add(route: AnyRoute, index: number, owners: Map<string, AnyRoute>): void {
    if (typeof route?.path !== "string" || typeof route.settings !== "object") {
      throw new TasksError(
        "INVALID_OPTION",
        `createTasks: expected routes[${index}] to be a TaskRoute or TaskContract, got ${shown(route)}`,
      );
    }
    const names = resourceNames(PROBE, route.path);
    const claims: [kind: string, value: string][] = [
      ["path", route.path],
      ["name", route.name],
      ["topic", names.topicName],
      ["queue", names.queueName],
      ["scheduler job", names.schedulerJobName],
    ];
    for (const [kind, value] of claims) {
      const key = `${kind}\n${value}`;
      const owner = owners.get(key);
      if (owner !== undefined) throw duplicate(owner, route, kind);
      owners.set(key, route);
    }
    this.#byName.set(route.name, route);
    this.#byPath.set(route.path, route);
  }

  /** The route that a message's `task_name` means: a name, or a whole path. */
  find(taskName: string): AnyRoute | undefined {
    return this.#byName.get(taskName) ?? this.#byPath.get(taskName);
  }

  /**
   * The listed route that a route or contract refers to.
   *
   * @throws TasksError `UNKNOWN_ROUTE` when no listed route has its path.
   */
  resolve(ref: { readonly path: string }): AnyRoute {
    const route = this.#byPath.get(ref?.path);
    if (route === undefined) throw this.#unknown(ref);
    return route;
  }

  #unknown(ref: { readonly path: string }): TasksError {
    if (typeof ref?.path !== "string") {
      return new TasksError("UNKNOWN_ROUTE", `route: expected a TaskRoute or TaskContract, got ${shown(ref)}`);
    }
    const meant = nearest(ref.path, this.#byPath.keys());
    const hint = meant === undefined ? "" : ` (listed is "${meant}")`;
    return new TasksError(
      "UNKNOWN_ROUTE",
      `route: expected one in the list of this client, got "${ref.path}"${hint}; add it to routes`,
    );
  }
}

function described(route: AnyRoute): string {
  const site = declarationSite(route);
  return `"${route.path}"${site === undefined ? "" : ` (${site})`}`;
}

function duplicate(first: AnyRoute, second: AnyRoute, kind: string): TasksError {
  const got = first === second ? `${described(first)} twice` : `${described(first)} and ${described(second)}`;
  return new TasksError(
    "DUPLICATE_ROUTE",
    `createTasks: expected every route to have a ${kind} of its own, got ${got}; rename or remove one`,
  );
}
