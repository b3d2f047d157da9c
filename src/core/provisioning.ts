import { TasksError } from "./errors.ts";
import { assertKnownOptions, OptionReader, shown } from "./options.ts";

/** The kinds of cloud resources that are provisioned. */
export type ResourceKind = "topic" | "subscription" | "queue" | "job";

/** One field in which a resource differs from what it should be, in the service's own spelling, e.g. `retryPolicy.minimumBackoff`. */
export interface FieldChange {
  readonly field: string;
  /** As it is; `undefined` when it is not set. */
  readonly from: unknown;
  /** As it should be. */
  readonly to: unknown;
}

/** What is to be done with one resource. */
export interface Change {
  /**
   * `replace` deletes the resource and makes it anew, for fields that cannot be changed: what waits in a subscription is
   * lost. `skip` leaves alone what differs, for the `reason` given.
   */
  readonly action: "create" | "update" | "replace" | "delete" | "keep" | "skip";
  readonly kind: ResourceKind;
  /** Full name, e.g. `projects/P/topics/T`. */
  readonly name: string;
  /** Paths of the routes that it serves; empty for what no route needs any more. */
  readonly routes: readonly string[];
  /** In which fields it differs; empty for `create`, `delete` and `keep`. */
  readonly fields: readonly FieldChange[];
  /** Why it is skipped, replaced or deleted, in one sentence. */
  readonly reason?: string;
  /** Whether its routes cannot work while it is skipped: then `provision` fails. */
  readonly blocks?: true;
}

/** What `tasks.provision()` would do, in the order in which it would. */
export interface Plan {
  readonly changes: readonly Change[];
  /** Whether there is nothing to do: every change is a `keep` or a `skip`. */
  readonly isEmpty: boolean;
}

/** What became of one change. */
export interface ChangeResult {
  readonly change: Change;
  /**
   * `done`: it was written. `unchanged`: there was nothing to do. `settled`: another writer was first, and what it wrote is
   * what was wanted. `skipped`: it was not tried, see `note`. `failed`: see `error`.
   */
  readonly status: "done" | "unchanged" | "settled" | "skipped" | "failed";
  readonly error?: TasksError;
  /** One sentence for people. */
  readonly note?: string;
}

/** What became of a plan, every resource included. */
export interface ProvisionReport {
  readonly results: readonly ChangeResult[];
}

/** What to plan. */
export interface PlanOptions {
  /** Whether resources of this service that no route needs any more are deleted, queues excepted. Default `false`. */
  readonly prune?: boolean;
  /** Whether resources with a field that cannot be changed are deleted and made anew. Default `false`: they are skipped. */
  readonly replace?: boolean;
}

/** How to carry a plan out. */
export interface ProvisionOptions extends PlanOptions {
  /**
   * Who grants Pub/Sub's service agent what dead letters need. By default it is written on each resource as it is made;
   * `"resource"` looks at those that exist as well, one call each; `"project"` leaves it to grants on the project that
   * somebody has made, e.g. in Terraform.
   */
  readonly grants?: "resource" | "project";
  /** Calls under way at once, 1–64. Default 16. */
  readonly concurrency?: number;
  /** Administrative calls to Pub/Sub a minute, at most; the quota of a project is 6000. Default 5400. */
  readonly callsPerMinute?: number;
  /** Ends it early: what has not begun is reported as skipped. */
  readonly signal?: AbortSignal;
  /** Called as each resource is through. */
  readonly progress?: (result: ChangeResult, done: number, total: number) => void;
}

/** Makes the cloud resources of a client; `taskroute/provision` has the implementation, which the client loads at first use. */
export interface Provisioner {
  plan(options?: PlanOptions): Promise<Plan>;
  provision(options?: ProvisionOptions): Promise<ProvisionReport>;
  destroy(options?: ProvisionOptions): Promise<ProvisionReport>;
}

/** How to provision when a process starts. */
export interface BootProvisioning {
  readonly when: "on-boot";
  /** Seconds after which it is given up, 1–3600. Default 120. */
  readonly timeout?: number;
  /** Whether the service takes no pushes before it is done, and `tasks.start()` fails with it. Default `false`. */
  readonly required?: boolean;
}

/** {@link BootProvisioning} with every default filled in. */
export type BootSettings = Required<BootProvisioning>;

/**
 * Checks the `provision` option of `createTasks`.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export function readBootProvisioning(given: "on-boot" | BootProvisioning | undefined): BootSettings | undefined {
  if (given === undefined) return undefined;
  const options = typeof given === "string" ? { when: given } : given;
  const read: OptionReader = new OptionReader("createTasks provision", options);
  assertKnownOptions("createTasks provision", options, ["when", "timeout", "required"]);
  if (options.when !== "on-boot")
    throw new TasksError(
      "INVALID_OPTION",
      `createTasks: expected provision to be "on-boot" or { when: "on-boot", … }, got ${shown(given)}; or leave it out and call tasks.provision()`,
    );
  if (options.required !== undefined && typeof options.required !== "boolean") read.fail("required", "true or false");
  return {
    when: "on-boot",
    timeout: read.number("timeout", { min: 1, max: 3600, unit: "seconds" }, 120),
    required: options.required ?? false,
  };
}
