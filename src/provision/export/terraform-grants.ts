import type { Grant } from "./grants.ts";
import type { ExportScope } from "./options.ts";
import { labelOf, literal } from "./terraform-address.ts";
import type { Block, Body } from "./terraform-block.ts";
import type { References } from "./terraform-references.ts";

/** The block of a grant: one member of one role, beside whatever else is granted there. */
export function grantBlock(grant: Grant, scope: ExportScope, references: References): Block {
  const { to, role, because } = grant;
  const { type, label, on } = placeOf(grant, scope, references);
  const body: Body = { "//": because, ...on, role, member: references.member(to) };
  return { type, label, body };
}

/** For what a role is granted on a resource, and in which argument its full name stands. */
const IAM_MEMBERS = {
  topic: { type: "google_pubsub_topic_iam_member", argument: "topic" },
  subscription: { type: "google_pubsub_subscription_iam_member", argument: "subscription" },
  queue: { type: "google_cloud_tasks_queue_iam_member", argument: "name" },
} as const;

interface Place {
  readonly type: string;
  /** Begins with who, which holds no underscore, so that two grants on one thing have two labels. */
  readonly label: string;
  readonly on: Body;
}

function placeOf({ to, role, on }: Grant, scope: ExportScope, references: References): Place {
  const { desired, service, pushAccount = "" } = scope;
  switch (on.kind) {
    case "push-account":
      return {
        type: "google_service_account_iam_member",
        label: `${to}_push`,
        on: { service_account_id: references.account(pushAccount, "name") },
      };
    case "service":
      return {
        type: "google_cloud_run_v2_service_iam_member",
        label: `${to}_${labelOf(service?.name ?? "")}`,
        on: {
          name: references.service(service?.name ?? ""),
          location: literal(service?.region ?? ""),
          project: references.project(),
        },
      };
    case "project":
      return {
        type: "google_project_iam_member",
        label: `${to}_${labelOf(role.slice("roles/".length))}`,
        on: { project: references.project() },
      };
    default: {
      const resource = desired.resources.find(({ kind, name }) => kind === on.kind && name === on.name);
      const label = resource === undefined ? labelOf(on.name) : references.label(resource);
      const { type, argument } = IAM_MEMBERS[on.kind];
      return { type, label: `${to}_${label}`, on: { [argument]: references.attribute(on.name, "id") } };
    }
  }
}
