import { type Config, type Environment, resolveConfig } from "../../src/core/config.ts";
import type { AnyRoute } from "../../src/core/declaration.ts";
import type { ProvisionOptions, ProvisionReport } from "../../src/core/provisioning.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { Via } from "../../src/core/route-options.ts";
import { apply } from "../../src/provision/apply.ts";
import { Calls } from "../../src/provision/calls.ts";
import type { Cloud } from "../../src/provision/cloud.ts";
import { desiredState } from "../../src/provision/desired.ts";
import { observe } from "../../src/provision/observe.ts";
import { planOf, stepsOf } from "../../src/provision/plan.ts";
import type { DesiredState } from "../../src/provision/resources.ts";
import { HastyClock } from "./hasty-clock.ts";

/** The variables of a service in Google Cloud. */
export const ENV = {
  GCP_PROJECT_ID: "p",
  TASKS_ENVIRONMENT: "prod",
  TASKS_NAMESPACE: "shop",
  CLOUD_RUN_SERVICE_URL: "https://shop.example",
  TASKS_SERVICE_ACCOUNT: "push@p.iam.gserviceaccount.com",
  SCHEDULER_LOCATION: "europe-west1",
} satisfies Environment;

/** A configuration, with some variables otherwise. */
export function configOf(env: Environment = {}): Config {
  return resolveConfig({ ...ENV, ...env });
}

/** A route whose body does nothing. */
export function route(path: string, options: Partial<ConstructorParameters<typeof TaskRoute>[0]> = {}): AnyRoute {
  return new TaskRoute({ run: () => undefined, ...options, path } as ConstructorParameters<typeof TaskRoute>[0]);
}

/** What differs from one case to the next. */
export interface Variation {
  readonly env?: Environment;
  readonly defaultVia?: Via;
  /** Paths of the routes that are switched off. */
  readonly off?: readonly string[];
}

/** The state that a list of routes desires. */
export function desiredOf(
  routes: readonly AnyRoute[],
  { env, defaultVia = "pubsub", off = [] }: Variation = {},
): DesiredState {
  return desiredState({ routes, config: configOf(env), defaultVia, isOff: ({ path }) => off.includes(path) });
}

/** One deployment that provisions. */
export class Deployment {
  readonly desired: DesiredState;
  readonly clock: HastyClock;
  readonly #cloud: Cloud;

  constructor(cloud: Cloud, routes: readonly AnyRoute[], variation: Variation = {}, clock = new HastyClock()) {
    this.#cloud = cloud;
    this.clock = clock;
    this.desired = desiredOf(routes, variation);
  }

  calls({ signal, concurrency, callsPerMinute }: ProvisionOptions = {}): Calls {
    return new Calls({ clock: this.clock, signal, concurrency, callsPerMinute, random: () => 0.5 });
  }

  async plan(options: ProvisionOptions = {}): Promise<ReturnType<typeof planOf>> {
    return planOf(this.desired, await observe(this.#cloud, this.calls(), this.desired), options);
  }

  /** The report, whatever failed. */
  async apply(options: ProvisionOptions = {}): Promise<ProvisionReport> {
    const { desired, clock } = this;
    const cloud = this.#cloud;
    const calls = this.calls(options);
    const { steps, mark } = stepsOf(desired, await observe(cloud, calls, desired), options);
    return apply({ cloud, calls, clock, desired, options, mark }, steps);
  }
}

/** Last part of a full name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
