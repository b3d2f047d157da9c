import type { Backend, BackendFactory, BackendHost } from "./backend.ts";
import { assertLettersKept, assertRoutesFit } from "./capabilities.ts";
import { carrierOf, combined } from "./combined-backend.ts";
import { TasksError } from "./errors.ts";

/**
 * Makes the backend of a client, of one factory or of several, and checks that its routes fit.
 *
 * @throws TasksError `INVALID_CONFIG` or `UNSUPPORTED`.
 */
export function buildBackend(
  chosen: BackendFactory | readonly BackendFactory[],
  scope: Omit<BackendHost, "carries">,
): Backend {
  const { routes } = scope.registry;
  const backends: Backend[] = [];
  for (const factory of typeof chosen === "function" ? [chosen] : chosen) {
    const backend = factory({
      ...scope,
      carries: (route) => carrierOf(route, backends as [Backend, ...Backend[]]) === backend,
    });
    backends.push(backend);
  }
  const [first, ...others] = backends;
  if (first === undefined) {
    throw new TasksError("INVALID_CONFIG", "backend: expected at least one, got an empty list; leave the option out");
  }
  const backend = combined([first, ...others], routes);
  assertRoutesFit(routes, backend, scope.logger);
  if (scope.config.production) {
    const emulators = Object.values(scope.config.emulators).filter((host) => host !== undefined);
    if (emulators.length > 0)
      scope.logger.warn("an emulator stands for Google Cloud in production", { emulators: [...new Set(emulators)] });
    for (const route of routes) assertLettersKept(route, carrierOf(route, [first, ...others]) ?? first);
  }
  return backend;
}
