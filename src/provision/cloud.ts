import type { ResourceKind } from "../core/provisioning.ts";
import type { DesiredResource, ObservedResource } from "./resources.ts";

/** One page of a list. */
export interface Page {
  readonly resources: readonly ObservedResource[];
  /** Token of the next page; `undefined` after the last one. */
  readonly next: string | undefined;
}

/** Who may do what with a resource, as IAM writes it. */
export interface Policy {
  /** Changes with the policy: a write with an old one is ABORTED. Absent on a policy that is not read first. */
  readonly etag?: Uint8Array | string;
  readonly bindings: readonly { readonly role: string; readonly members: readonly string[] }[];
}

/** Which of the services a call goes to; each has a quota of its own. */
export type Service = "pubsub" | "tasks" | "scheduler";

/**
 * What provisioning needs of Google Cloud: one call to a service for each method. Errors are those of Google's clients,
 * with a gRPC `code`. Nothing here retries.
 */
export interface Cloud {
  /** @param parent `projects/P` of topics and subscriptions, `projects/P/locations/L` of queues and jobs. */
  list(kind: ResourceKind, parent: string, page?: string): Promise<Page>;
  /** `undefined` when there is none. */
  get(kind: ResourceKind, name: string): Promise<ObservedResource | undefined>;
  /** Makes it; a job is running then, whatever its settings say. */
  create(resource: DesiredResource): Promise<void>;
  /** @param fields the settings that are to be written, with dots between those of nested ones. */
  update(resource: DesiredResource, fields: readonly string[]): Promise<void>;
  delete(kind: ResourceKind, name: string): Promise<void>;
  /** Pauses or resumes a job. */
  setPaused(job: string, paused: boolean): Promise<void>;
  getPolicy(kind: "topic" | "subscription", name: string): Promise<Policy>;
  setPolicy(kind: "topic" | "subscription", name: string, policy: Policy): Promise<void>;
  /** Number of the project, part of the name of Pub/Sub's service agent. */
  projectNumber(): Promise<string>;
  close(): Promise<void>;
}

/** The service that has a kind of resource. */
export function serviceOf(kind: ResourceKind): Service {
  switch (kind) {
    case "topic":
    case "subscription":
      return "pubsub";
    case "queue":
      return "tasks";
    case "job":
      return "scheduler";
  }
}
