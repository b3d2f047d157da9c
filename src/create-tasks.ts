import { cloudTasks } from "./backends/cloud-tasks.ts";
import { immediate } from "./backends/immediate.ts";
import { local } from "./backends/local.ts";
import { localHttp } from "./backends/local-http.ts";
import { pubsub } from "./backends/pubsub.ts";
import type { BackendFactory } from "./core/backend.ts";
import type { BackendName, Config } from "./core/config.ts";
import type { AnyRoute } from "./core/declaration.ts";
import { TasksError } from "./core/errors.ts";
import type { Provisioner } from "./core/provisioning.ts";
import { Runtime } from "./core/runtime.ts";
import { Tasks, type TasksOptions } from "./core/tasks.ts";

/** The backend of a client that names none: by `TASKS_BACKEND`, else the local engine, which production refuses. */
function chooseBackend(config: Config): BackendFactory | readonly BackendFactory[] {
  if (config.backends.length > 0) return config.backends.map((name) => backendOf(name, config));
  if (config.production) {
    throw new TasksError(
      "INVALID_CONFIG",
      "backend: expected one in production, got none; pass backend to createTasks",
    );
  }
  return localByDefault(config);
}

function backendOf(name: BackendName, config: Config): BackendFactory {
  switch (name) {
    case "immediate":
      return immediate();
    case "local-http":
      return localHttp(fileOf(config));
    case "local":
      return localByDefault(config);
    case "pubsub":
      return pubsub();
    case "cloud-tasks":
      return cloudTasks();
  }
}

function localByDefault(config: Config): BackendFactory {
  return local({ ...fileOf(config), shared: `${config.environment}--${config.namespace}` });
}

function fileOf({ localFile }: Config): { readonly file?: string } {
  return localFile === undefined ? {} : { file: localFile };
}

/** Loaded late: most processes never provision. */
async function loadProvisioner(runtime: Runtime): Promise<Provisioner> {
  const { provisionerOf } = await import("./provision/index.ts");
  return provisionerOf(runtime);
}

/**
 * Makes the client of a list of routes. It only looks at its options: the environment is read, and the backend built,
 * when a handler is built or a task is enqueued.
 *
 * @throws TasksError `INVALID_OPTION` or `DUPLICATE_ROUTE`.
 */
export function createTasks<const L extends readonly AnyRoute[]>(options: TasksOptions<L>): Tasks<L[number]> {
  const env = options.env ?? process.env;
  return new Tasks<L[number]>(
    new Runtime({ ...options, env }, { chooseBackend, loadProvisioner, platform: process.env }),
  );
}
