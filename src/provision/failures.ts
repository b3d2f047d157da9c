import { TasksError } from "../core/errors.ts";
import type { ChangeResult, ProvisionReport, ResourceKind } from "../core/provisioning.ts";
import { explained, GRPC, grpcCode } from "../google/status.ts";
import { idOf } from "./ownership.ts";
import type { DesiredResource } from "./resources.ts";

/** Roles that let an account write what there is, by kind. */
const WRITER: Readonly<Record<ResourceKind, string>> = {
  topic: "roles/pubsub.editor",
  subscription: "roles/pubsub.editor",
  queue: "roles/cloudtasks.queueAdmin",
  job: "roles/cloudscheduler.admin",
};

/** A deleted queue's name is free again after up to 7 days. */
const TOMBSTONE_DAYS = 7;

/** The account that a resource is to push as, whoever sets which needs a role on it. */
function accountOf(want: DesiredResource | undefined): string | undefined {
  if (want?.kind === "subscription") return want.settings.pushConfig.oidcToken?.serviceAccountEmail;
  if (want?.kind === "job" && "httpTarget" in want.settings)
    return want.settings.httpTarget.oidcToken.serviceAccountEmail;
  return undefined;
}

/** What failed, and what to do about it. */
export function writeFailure(
  error: unknown,
  action: "create" | "update" | "delete",
  { kind, name }: { readonly kind: ResourceKind; readonly name: string },
  want: DesiredResource | undefined,
  now: number,
): TasksError {
  if (grpcCode(error) === GRPC.FAILED_PRECONDITION && /existed too recently/i.test(String((error as Error).message)))
    return tombstoned(error as Error, name, now);
  // Nobody can be granted a role on what does not exist yet.
  const onProject = action === "create" && grpcCode(error) === GRPC.PERMISSION_DENIED;
  return explained(error, {
    action: onProject ? `create ${name} in` : action,
    resource: onProject ? `projects/${name.split("/")[1]}` : name,
    role: WRITER[kind],
    account: accountOf(want),
    otherwise: "CLOUD_FAILED",
  });
}

function tombstoned(error: Error, name: string, now: number): TasksError {
  const free = new Date(now + TOMBSTONE_DAYS * 86_400_000).toISOString().slice(0, 10);
  return new TasksError(
    "CLOUD_FAILED",
    `create ${name}: expected its name to be free, got that of a queue deleted in the last ${TOMBSTONE_DAYS} days; it can be made again by ${free} at the latest, or give the route another with queue: { name, managed: true }`,
    { cause: error },
  );
}

/** A grant that could not be written. */
export function grantFailure(error: unknown, name: string, member: string, role: string): TasksError {
  const { code, message, cause } = explained(error, {
    action: `grant ${role} to Pub/Sub's service agent on`,
    resource: name,
    role: "roles/pubsub.admin",
    otherwise: "CLOUD_FAILED",
  });
  const project = name.split("/")[1];
  const advice =
    grpcCode(error) === GRPC.INVALID_ARGUMENT && /does not exist/i.test(message)
      ? `make the agent with gcloud beta services identity create --service=pubsub.googleapis.com --project=${project}`
      : `or grant it once with gcloud projects add-iam-policy-binding ${project} --member=${member} --role=${role} and pass grants: "project"`;
  return new TasksError(code, `${message}; ${advice}`, { cause });
}

/** Failures that are listed one by one. */
const MOST_LISTED = 20;

/**
 * Passes a report on, unless something in it failed.
 *
 * @throws TasksError `PROVISION_FAILED` that lists what did; the report is its `cause`.
 */
export function assertDone(action: "provision" | "destroy", report: ProvisionReport): ProvisionReport {
  const failed = report.results.filter(({ status }) => status === "failed");
  if (failed.length === 0) return report;
  const lines = failed.slice(0, MOST_LISTED).map((result) => `\n  - ${lineOf(result)}`);
  const more = failed.length > MOST_LISTED ? `\n  - and ${failed.length - MOST_LISTED} more` : "";
  const untried = report.results.filter(({ status }) => status === "skipped").length;
  const beside = untried > 0 ? ` (${untried} skipped)` : "";
  throw new TasksError(
    "PROVISION_FAILED",
    `${action}: expected all of ${report.results.length} resources to be done, got ${failed.length} that failed${beside}${lines.join("")}${more}`,
    { cause: report },
  );
}

function lineOf({ change: { kind, name, routes }, error, note }: ChangeResult): string {
  const [first, ...others] = routes;
  const serving = first === undefined ? "" : ` (${first}${others.length > 0 ? ` and ${others.length} more` : ""})`;
  return `${kind} ${idOf(name)}${serving}: ${error?.message ?? note ?? "it failed"}`;
}
