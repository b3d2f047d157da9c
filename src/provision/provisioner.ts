import type { Authenticator } from "../core/auth.ts";
import type { Config } from "../core/config.ts";
import { TasksError } from "../core/errors.ts";
import { isSwitchedOff } from "../core/kill-switch.ts";
import { silentLogger } from "../core/logger.ts";
import { assertKnownOptions, OptionReader } from "../core/options.ts";
import type { PlanOptions, Provisioner, ProvisionOptions, ProvisionReport } from "../core/provisioning.ts";
import type { Runtime } from "../core/runtime.ts";
import type { AnyTasks } from "../core/tasks.ts";
import { apply, carryOut } from "./apply.ts";
import { Calls, CONCURRENCY } from "./calls.ts";
import type { Cloud } from "./cloud.ts";
import { desiredState } from "./desired.ts";
import { assertDone } from "./failures.ts";
import { googleCloud } from "./gcp.ts";
import { observe } from "./observe.ts";
import { oursOf } from "./ownership.ts";
import { destructionOf, markOf, planOf, stepsOf } from "./plan.ts";
import type { DesiredState } from "./resources.ts";

/** What a provisioner is made with, besides the client. */
export interface ProvisionerOptions {
  /** Where resources are made. Default: Google Cloud, or the emulators that the environment names. */
  readonly cloud?: (config: Config) => Cloud;
}

const PLAN_OPTIONS = ["prune", "replace"] as const satisfies readonly (keyof PlanOptions)[];
const PROVISION_OPTIONS = [
  ...PLAN_OPTIONS,
  "grants",
  "concurrency",
  "callsPerMinute",
  "signal",
  "progress",
] as const satisfies readonly (keyof ProvisionOptions)[];

/** The quota of a project, which there is no use in exceeding. */
const QUOTA_PER_MINUTE = 6000;

/** Makes the cloud resources of a client. Google's clients are loaded when something is asked for, and closed after it. */
export function provisionerOf(runtime: Runtime, options: ProvisionerOptions = {}): Provisioner {
  return new CloudProvisioner(runtime, options);
}

class CloudProvisioner implements Provisioner {
  readonly #runtime: Runtime;
  readonly #options: ProvisionerOptions;

  constructor(runtime: Runtime, options: ProvisionerOptions) {
    this.#runtime = runtime;
    this.#options = options;
  }

  async plan(options: PlanOptions = {}): ReturnType<Provisioner["plan"]> {
    assertOptions("plan", options, PLAN_OPTIONS);
    const desired = this.#desired(this.#runtime.config);
    assertWhole(options.prune === true, desired, "prune");
    return this.#connected({}, async ({ cloud, calls }) =>
      planOf(desired, await observe(cloud, calls, desired), options),
    );
  }

  async provision(options: ProvisionOptions = {}): Promise<ProvisionReport> {
    assertOptions("provision", options, PROVISION_OPTIONS);
    const desired = this.#desired(this.#runtime.config);
    assertWhole(options.prune === true, desired, "prune");
    return this.#connected(options, async (connected) => {
      const { steps, mark } = stepsOf(desired, await observe(connected.cloud, connected.calls, desired), options);
      return assertDone("provision", await apply({ ...connected, desired, options, mark }, steps));
    });
  }

  async destroy(options: ProvisionOptions = {}): Promise<ProvisionReport> {
    assertOptions("destroy", options, PROVISION_OPTIONS);
    const desired = this.#desired(nameable(this.#runtime.config));
    assertWhole(true, desired, "destroy");
    return this.#connected(options, async (connected) => {
      const observed = await observe(connected.cloud, connected.calls, desired);
      const steps = destructionOf(desired, observed);
      const mark = markOf(desired.owner, oursOf(desired.owner, observed))?.name;
      return assertDone("destroy", await carryOut({ ...connected, desired, options, mark }, steps));
    });
  }

  #desired(config: Config): DesiredState {
    return desiredStateOf(this.#runtime, config);
  }

  async #connected<T>(
    { concurrency, callsPerMinute, signal }: ProvisionOptions,
    work: (connected: { readonly cloud: Cloud; readonly calls: Calls; readonly clock: Runtime["clock"] }) => Promise<T>,
  ): Promise<T> {
    const { config, clock } = this.#runtime;
    const cloud = (this.#options.cloud ?? googleCloud)(config);
    try {
      return await work({ cloud, calls: new Calls({ clock, concurrency, callsPerMinute, signal }), clock });
    } finally {
      await cloud.close();
    }
  }
}

function desiredStateOf(runtime: Runtime, config: Config): DesiredState {
  const { registry, env, defaultVia } = runtime;
  return desiredState({
    routes: registry.routes,
    config,
    defaultVia,
    isOff: (route) => isSwitchedOff(route, env),
    authKind: authKindOf(runtime, config),
  });
}

/**
 * What the routes of a client need in the cloud, as plain data; asks nothing of it.
 *
 * @throws TasksError `INVALID_CONFIG` with everything that is missing in the environment or does not go together.
 */
export function desiredOf({ runtime }: AnyTasks): DesiredState {
  return desiredStateOf(runtime, runtime.config);
}

/** Names are all that deleting takes: where and as whom it was pushed need not be known any more. */
function nameable(config: Config): Config {
  const { serviceUrl = "https://unknown", serviceAccounts } = config;
  return { ...config, serviceUrl, serviceAccounts: serviceAccounts.length === 0 ? ["unknown"] : serviceAccounts };
}

/** How push requests prove themselves, as far as `createTasks` and the environment say; a handler may say otherwise. */
function authKindOf({ auth }: Runtime, config: Config): Authenticator["kind"] | undefined {
  if (auth === undefined) return config.pushSecrets.length > 0 ? "shared-secret" : undefined;
  const { production, audiences, serviceAccounts } = config;
  return auth({ production, audiences, serviceAccounts, now: Date.now, logger: silentLogger }).kind;
}

function assertOptions(subject: string, options: ProvisionOptions, known: readonly string[]): void {
  assertKnownOptions(subject, options, known);
  const read: OptionReader = new OptionReader(subject, options);
  for (const name of PLAN_OPTIONS) {
    if (options[name] !== undefined && typeof options[name] !== "boolean") read.fail(name, "true or false");
  }
  read.oneOf("grants", ["resource", "project"]);
  read.number("concurrency", { min: 1, max: 64, whole: true }, CONCURRENCY);
  read.number("callsPerMinute", { min: 1, max: QUOTA_PER_MINUTE, whole: true }, undefined);
}

/** Whoever lists contracts shares names with the service that runs them, and cannot tell what that one needs. */
function assertWhole(deletes: boolean, { contracts }: DesiredState, action: string): void {
  if (!deletes || contracts.length === 0) return;
  throw new TasksError(
    "INVALID_OPTION",
    `${action}: expected a list of routes alone, got the contract "${contracts[0]}", which another service of this namespace runs; ${action} from the list of that service`,
  );
}
