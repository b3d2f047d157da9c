import { TasksError } from "../../core/errors.ts";
import { assertKnownOptions, OptionReader, shown } from "../../core/options.ts";
import type { ResourceKind } from "../../core/provisioning.ts";
import type { DesiredResource, DesiredState } from "../resources.ts";
import { partsOf } from "./resource-name.ts";

/** What an export grants beside the resources themselves, and to whom. */
export interface ExportOptions {
  /**
   * Name of the Cloud Run service that takes the pushes: the account that pushes may then invoke it. The service itself is
   * only referred to. Default: nothing is granted on it, as for one that lets everybody in and checks tokens itself.
   */
  readonly cloudRunService?: string;
  /** Region of that service. Default: that of the queues. */
  readonly cloudRunRegion?: string;
  /**
   * E-mail of the account that the service runs as: it may then publish to the topics, enqueue into the queues, and have
   * its tasks push as the push account. Default: nothing is granted to it.
   */
  readonly runtimeServiceAccount?: string;
  /** Whether that account may also pull dead letters, as `tasks.deadLetters` does. Default `false`. */
  readonly readsDeadLetters?: boolean;
  /** E-mail of the account that pushes. Default: the one that the environment names; without one it has to be said. */
  readonly pushServiceAccount?: string;
  /** Whether the push account is made by the export, rather than expected to be there. Default `false`. */
  readonly createPushServiceAccount?: boolean;
  /**
   * Where Pub/Sub's service agent is granted what dead letters need: `"resource"` on each topic and subscription,
   * `"project"` once on the project. Default `"resource"`.
   */
  readonly grants?: "resource" | "project";
}

/** {@link ExportOptions}, checked, beside what they are for. */
export interface ExportScope {
  /** Its resources in the order of their kinds and names, whatever the order of the routes. */
  readonly desired: DesiredState;
  /** The account that pushes, as far as it is known. */
  readonly pushAccount: string | undefined;
  /** Id of the push account where the export makes it. */
  readonly createdPushAccount: string | undefined;
  readonly runtimeAccount: string | undefined;
  readonly readsDeadLetters: boolean;
  readonly service: { readonly name: string; readonly region: string } | undefined;
  readonly grants: "resource" | "project";
}

const OPTIONS: readonly (keyof ExportOptions)[] = [
  "cloudRunService",
  "cloudRunRegion",
  "runtimeServiceAccount",
  "readsDeadLetters",
  "pushServiceAccount",
  "createPushServiceAccount",
  "grants",
];

/**
 * Checks the options of an export.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export function exportScope(desired: DesiredState, options: ExportOptions): ExportScope {
  assertKnownOptions("export", options, OPTIONS);
  const read: OptionReader = new OptionReader("export", options);
  const service = read.text("cloudRunService");
  const region = read.text("cloudRunRegion") ?? partsOf(desired.queueParents[0] ?? desired.jobParent).location;
  const pushAccount = pushAccountOf(desired, read.text("pushServiceAccount"), read);
  return {
    desired: { ...desired, resources: inOrder(desired.resources) },
    pushAccount,
    createdPushAccount: flag(read, options, "createPushServiceAccount")
      ? accountId(desired.projectId, pushAccount)
      : undefined,
    runtimeAccount: read.text("runtimeServiceAccount"),
    readsDeadLetters: flag(read, options, "readsDeadLetters"),
    service: service === undefined ? undefined : { name: service, region: region ?? "" },
    grants: read.oneOf("grants", ["resource", "project"]) ?? "resource",
  };
}

const KINDS: readonly ResourceKind[] = ["topic", "subscription", "queue", "job"];

function inOrder(resources: readonly DesiredResource[]): readonly DesiredResource[] {
  const before = (one: string, other: string) => (one < other ? -1 : 1);
  return KINDS.flatMap((kind) =>
    resources.filter((resource) => resource.kind === kind).sort((one, other) => before(one.name, other.name)),
  );
}

function flag(
  read: OptionReader,
  options: ExportOptions,
  name: "readsDeadLetters" | "createPushServiceAccount",
): boolean {
  const value = options[name] ?? false;
  if (typeof value !== "boolean") read.fail(name, "true or false");
  return value;
}

function pushAccountOf(
  { pushAccount, resources, foreignQueues }: DesiredState,
  given: string | undefined,
  read: OptionReader,
): string | undefined {
  const named = resources.length + foreignQueues.length > 0 ? pushAccount : undefined;
  if (given !== undefined && named !== undefined && given !== named)
    read.fail("pushServiceAccount", `the account that the resources push as, ${shown(named)}`, "leave it out");
  return named ?? given;
}

/**
 * The id from which an account's e-mail is made: 6 to 30 characters before `@{project}.iam.gserviceaccount.com`, where
 * `domain:project` is written `project.domain` (cloud.google.com/iam/docs/service-accounts-create).
 */
function accountId(projectId: string, account: string | undefined): string {
  const domain = `@${projectId.split(":").reverse().join(".")}.iam.gserviceaccount.com`;
  const id = account?.endsWith(domain) ? account.slice(0, -domain.length) : "";
  if (/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(id)) return id;
  throw new TasksError(
    "INVALID_OPTION",
    `export: expected an account ID${domain} to make, where ID is 6–30 lower-case letters, digits and hyphens, got ${account === undefined ? "none" : shown(account)}; name one as pushServiceAccount, or leave createPushServiceAccount out`,
  );
}
