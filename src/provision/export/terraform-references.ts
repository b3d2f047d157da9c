import type { ResourceKind } from "../../core/provisioning.ts";
import type { DesiredResource } from "../resources.ts";
import { AGENT_DOMAINS, type Grantee } from "./grants.ts";
import type { ExportScope } from "./options.ts";
import { parentOf, partsOf } from "./resource-name.ts";
import { expression, labelOf, literal } from "./terraform-address.ts";

/** Types of the google provider, by kind of resource. */
export const TYPES: Readonly<Record<ResourceKind, string>> = {
  topic: "google_pubsub_topic",
  subscription: "google_pubsub_subscription",
  queue: "google_cloud_tasks_queue",
  job: "google_cloud_scheduler_job",
};

/** What a variable of the module is for, and what it is unless said otherwise. */
export interface Variable {
  readonly type: "string";
  readonly description: string;
  readonly default: string;
}

type VariableName =
  | "project_id"
  | "queue_location"
  | "scheduler_location"
  | "service_url"
  | "cloud_run_service"
  | "runtime_service_account";

const DESCRIPTIONS: Readonly<Record<VariableName, string>> = {
  project_id: "Project of the resources; the service's GCP_PROJECT_ID.",
  queue_location: "Region of the queues; the service's TASKS_QUEUE_LOCATION.",
  scheduler_location: "Region of the jobs; the service's SCHEDULER_LOCATION.",
  service_url: "URL of the service, without a path; its CLOUD_RUN_SERVICE_URL.",
  cloud_run_service: "Name of the Cloud Run service that takes the pushes.",
  runtime_service_account: "E-mail of the account that the service runs as.",
};

/** How blocks refer to each other and to the variables; remembers which variables they use. */
export class References {
  readonly #scope: ExportScope;
  readonly #known: ReadonlyMap<string, DesiredResource>;
  readonly #serviceUrl: string | undefined;
  readonly #variables = new Map<VariableName, string>();

  constructor(scope: ExportScope) {
    this.#scope = scope;
    this.#known = new Map(scope.desired.resources.map((resource) => [resource.name, resource]));
    this.#serviceUrl = serviceUrlOf(scope.desired.resources);
  }

  /** The variables that were used, by name. */
  get variables(): Readonly<Record<string, Variable>> {
    const names = [...this.#variables.keys()].sort();
    const variable = (name: VariableName): Variable => ({
      type: "string",
      description: DESCRIPTIONS[name],
      default: this.#variables.get(name) ?? "",
    });
    return Object.fromEntries(names.map((name) => [name, variable(name)]));
  }

  #variable(name: VariableName, value: string): string {
    this.#variables.set(name, value);
    return expression(`var.${name}`);
  }

  /** The label of a resource: its id, or its full name where that is not in one of the service's own parents. */
  label({ kind, name }: DesiredResource): string {
    const { projectId, queueParents, jobParent } = this.#scope.desired;
    const parents: Readonly<Record<ResourceKind, string>> = {
      topic: `projects/${projectId}/topics`,
      subscription: `projects/${projectId}/subscriptions`,
      queue: `${queueParents[0]}/queues`,
      job: `${jobParent}/jobs`,
    };
    return labelOf(parentOf(name) === parents[kind] ? partsOf(name).id : name);
  }

  project(id: string = this.#scope.desired.projectId): string {
    return id === this.#scope.desired.projectId ? this.#variable("project_id", id) : literal(id);
  }

  /** The location of a queue or a job. */
  location({ kind, name }: DesiredResource): string {
    const { queueParents, jobParent } = this.#scope.desired;
    const location = partsOf(name).location ?? "";
    const usual = partsOf((kind === "queue" ? queueParents[0] : jobParent) ?? "").location;
    if (location !== usual) return literal(location);
    return this.#variable(kind === "queue" ? "queue_location" : "scheduler_location", location);
  }

  /** An attribute of a resource of the export, which makes Terraform see to it first; or the name of one that is not. */
  attribute(name: string, attribute: "id" | "name"): string {
    const known = this.#known.get(name);
    if (known === undefined) return literal(attribute === "id" ? name : partsOf(name).id);
    return expression(`${TYPES[known.kind]}.${this.label(known)}.${attribute}`);
  }

  /** A URL, under the variable of the service's own where it is. */
  url(text: string): string {
    const base = this.#serviceUrl;
    if (base === undefined || !(text === base || text.startsWith(`${base}/`))) return literal(text);
    return this.#variable("service_url", base) + literal(text.slice(base.length));
  }

  /** An attribute of the account that pushes, or of one of another e-mail. */
  account(email: string, attribute: "email" | "name" = "email"): string {
    const { pushAccount, createdPushAccount } = this.#scope;
    if (email !== pushAccount) return literal(email);
    return expression(`${createdPushAccount === undefined ? "data." : ""}google_service_account.push.${attribute}`);
  }

  /** The Cloud Run service, by name. */
  service(name: string): string {
    return this.#variable("cloud_run_service", name);
  }

  /** Somebody to whom a role is granted. */
  member(grantee: Grantee): string {
    const { pushAccount = "", runtimeAccount = "" } = this.#scope;
    switch (grantee) {
      case "push":
        return `serviceAccount:${this.account(pushAccount)}`;
      case "runtime":
        if (runtimeAccount === pushAccount) return `serviceAccount:${this.account(pushAccount)}`;
        return `serviceAccount:${this.#variable("runtime_service_account", runtimeAccount)}`;
      case "pubsub-agent":
      case "cloudtasks-agent":
        return `serviceAccount:service-${expression("data.google_project.project.number")}@${AGENT_DOMAINS[grantee]}`;
    }
  }
}

/** Scheme and host of the first endpoint that anything is pushed to. */
function serviceUrlOf(resources: readonly DesiredResource[]): string | undefined {
  for (const { kind, settings } of resources) {
    let url = "";
    if (kind === "subscription") url = settings.pushConfig.pushEndpoint;
    if (kind === "job" && "httpTarget" in settings) url = settings.httpTarget.uri;
    const [base] = /^https?:\/\/[^/?#]+/.exec(url) ?? [];
    if (base !== undefined) return base;
  }
  return undefined;
}
