import type { DesiredQueue, DesiredResource, DesiredState } from "../resources.ts";
import type { ExportScope } from "./options.ts";

/** Who is granted something: one of Google's own service agents, or one of the service's two accounts. */
export type Grantee = "pubsub-agent" | "cloudtasks-agent" | "push" | "runtime";

/** On what something is granted. */
export type GrantTarget =
  | { readonly kind: "topic" | "subscription" | "queue"; readonly name: string }
  /** The account that pushes. */
  | { readonly kind: "push-account" }
  /** The Cloud Run service. */
  | { readonly kind: "service" }
  | { readonly kind: "project" };

/** One role of one account on one thing. */
export interface Grant {
  readonly to: Grantee;
  readonly role: string;
  readonly on: GrantTarget;
  /** What for, in a few words that complete "it". */
  readonly because: string;
}

/** E-mails of Google's service agents begin with `service-{project number}@`. */
export const AGENT_DOMAINS: Readonly<Record<"pubsub-agent" | "cloudtasks-agent", string>> = {
  "pubsub-agent": "gcp-sa-pubsub.iam.gserviceaccount.com",
  "cloudtasks-agent": "gcp-sa-cloudtasks.iam.gserviceaccount.com",
};

/** Everything that has to be granted for the resources to work, each only once. */
export function grantsOf(scope: ExportScope): readonly Grant[] {
  const { desired, pushAccount, runtimeAccount } = scope;
  return [
    ...(pushAccount === undefined ? [] : pushGrants(scope)),
    ...deadLetterGrants(scope),
    ...(runtimeAccount === undefined ? [] : runtimeGrants(scope)),
    // An account that is both may publish to every topic already.
    ...(pushAccount === undefined || pushAccount === runtimeAccount ? [] : deferralGrants(desired)),
  ];
}

function queuesIn({ resources }: DesiredState): readonly DesiredQueue[] {
  return resources.filter((resource) => resource.kind === "queue");
}

/** Whether tasks are created in any queue, whoever makes it. */
function usesQueues(desired: DesiredState): boolean {
  return queuesIn(desired).length + desired.foreignQueues.length > 0;
}

function isPushed(resource: DesiredResource): boolean {
  return resource.kind === "subscription" && resource.settings.pushConfig.pushEndpoint !== "";
}

/** What it takes for Google's services to push as the push account. */
function pushGrants({ desired, service }: ExportScope): readonly Grant[] {
  const on: GrantTarget = { kind: "push-account" };
  const grants: Grant[] = [];
  if (service !== undefined)
    grants.push({ to: "push", role: "roles/run.invoker", on: { kind: "service" }, because: "calls the service" });
  if (desired.resources.some(isPushed))
    grants.push({
      to: "pubsub-agent",
      role: "roles/iam.serviceAccountTokenCreator",
      on,
      because: "signs push tokens as that account",
    });
  if (usesQueues(desired))
    grants.push({
      to: "cloudtasks-agent",
      role: "roles/iam.serviceAccountUser",
      on,
      because: "signs tokens of tasks as that account",
    });
  return grants;
}

/** What Pub/Sub needs to forward dead letters; without it nothing is forwarded. */
function deadLetterGrants({ desired, grants }: ExportScope): readonly Grant[] {
  const wanted = desired.resources.flatMap((resource): Grant[] => {
    if (!(resource.kind === "topic" || resource.kind === "subscription") || resource.agentRole === undefined) return [];
    const { kind, name, agentRole } = resource;
    const because = kind === "topic" ? "forwards dead letters" : "acknowledges what it forwards";
    return [{ to: "pubsub-agent", role: agentRole, on: { kind, name }, because }];
  });
  if (grants === "resource") return wanted;
  const byRole = new Map(wanted.map((grant): [string, Grant] => [grant.role, { ...grant, on: { kind: "project" } }]));
  return [...byRole.values()];
}

/** What the service itself needs to enqueue, and to read dead letters where it does. */
function runtimeGrants({ desired, pushAccount, readsDeadLetters }: ExportScope): readonly Grant[] {
  const to = "runtime";
  const grants: Grant[] = [];
  for (const resource of desired.resources) {
    const { kind, name } = resource;
    if (kind === "topic")
      grants.push({ to, role: "roles/pubsub.publisher", on: { kind, name }, because: "publishes to it" });
    if (kind === "queue")
      grants.push({ to, role: "roles/cloudtasks.enqueuer", on: { kind, name }, because: "enqueues into it" });
    if (kind === "subscription" && readsDeadLetters && !isPushed(resource))
      grants.push({ to, role: "roles/pubsub.subscriber", on: { kind, name }, because: "reads dead letters" });
  }
  for (const { name } of desired.foreignQueues)
    grants.push({
      to,
      role: "roles/cloudtasks.enqueuer",
      on: { kind: "queue", name },
      because: "enqueues into it",
    });
  if (pushAccount !== undefined && usesQueues(desired)) {
    const because = "makes tasks that push as that account";
    grants.push({ to, role: "roles/iam.serviceAccountUser", on: { kind: "push-account" }, because });
  }
  return grants;
}

/** A queue that serves routes of Pub/Sub holds their delayed messages, and publishes them as the push account. */
function deferralGrants(desired: DesiredState): readonly Grant[] {
  const deferred = new Set([...queuesIn(desired), ...desired.foreignQueues].flatMap(({ routes }) => routes));
  return desired.resources.flatMap((resource): Grant[] => {
    if (resource.kind !== "subscription" || !isPushed(resource)) return [];
    if (!resource.routes.some((route) => deferred.has(route))) return [];
    const on: GrantTarget = { kind: "topic", name: resource.settings.topic };
    return [{ to: "push", role: "roles/pubsub.publisher", on, because: "publishes delayed messages" }];
  });
}
