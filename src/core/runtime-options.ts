import type { AuthFactory } from "./auth.ts";
import type { BackendFactory } from "./backend.ts";
import type { Clock } from "./clock.ts";
import type { CloudOptions } from "./cloud-config.ts";
import type { Environment } from "./config.ts";
import type { Hooks } from "./events.ts";
import type { Middleware } from "./invoke.ts";
import type { Logger } from "./logger.ts";
import { assertKnownOptions, OptionReader } from "./options.ts";
import { type BootProvisioning, type BootSettings, readBootProvisioning } from "./provisioning.ts";

/** Options of `createTasks` that do not depend on the types of its routes. */
export interface RuntimeOptions {
  /** Prefix of every resource name. Default `TASKS_ENVIRONMENT`, else `dev`. */
  readonly environment?: string;
  /** The service's part of every resource name. Default `TASKS_NAMESPACE`; required outside dev. */
  readonly namespace?: string;
  /**
   * Where tasks go: `immediate()`, `local()`, `localHttp()`, `pubsub()`, `cloudTasks()`; or the last two in a list, of which
   * the first takes every route that names no `via`. Default: what `TASKS_BACKEND` names, else local outside production.
   */
  readonly backend?: BackendFactory | readonly BackendFactory[];
  /** Project, regions, service and accounts in Google Cloud. Default: from the environment. */
  readonly cloud?: CloudOptions;
  /**
   * `"on-boot"` makes and updates the service's cloud resources once, when a process starts on Cloud Run; it never deletes
   * any. Default: never, which leaves it to `tasks.provision()` in a deployment.
   */
  readonly provision?: "on-boot" | BootProvisioning;
  /** How push requests prove who they are: `oidc()`, `sharedSecret()`, `noAuth()`. Default: from the environment. */
  readonly auth?: AuthFactory;
  /** Called as tasks come and go. */
  readonly hooks?: Hooks;
  /** Wrapped around every run, the first one outermost. */
  readonly middleware?: readonly Middleware[];
  /** Default: the console, as JSON in production. */
  readonly logger?: Logger;
  /** Whether the service can take work right now; `false`, or nothing within 5 s, answers 429. Called before every delivery is read. */
  readonly ready?: () => boolean | Promise<boolean>;
  /** Seconds that `close` waits for running tasks before it aborts their signals. Default 8: Cloud Run kills after 10. */
  readonly drainTimeout?: number;
  /** Where time comes from. Default: the machine. */
  readonly clock?: Clock;
  /** Environment variables. Default: those of the process. */
  readonly env?: Environment;
}

/** The options of `createTasks`. */
export const RUNTIME_OPTIONS: readonly string[] = [
  "routes",
  "context",
  "environment",
  "namespace",
  "backend",
  "cloud",
  "provision",
  "auth",
  "hooks",
  "middleware",
  "logger",
  "ready",
  "drainTimeout",
  "clock",
  "env",
];

/** Seconds that `close` waits: Cloud Run kills 10 s after it asked. */
const DRAIN_TIMEOUT_S = 8;

/**
 * Checks the options of `createTasks` and fills in what has a default.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export function readRuntimeOptions(options: RuntimeOptions): {
  readonly drainTimeout: number;
  readonly boot: BootSettings | undefined;
} {
  assertKnownOptions("createTasks", options, RUNTIME_OPTIONS);
  const read = new OptionReader("createTasks", options);
  return {
    drainTimeout: read.number("drainTimeout", { min: 0, max: 3600, unit: "seconds" }, DRAIN_TIMEOUT_S),
    boot: readBootProvisioning(options.provision),
  };
}
