import type { Projects } from "./projects.ts";
import { alreadyExists, invalid, notFound, type RpcError } from "./status.ts";

/** What the topic of a subscription is called once it is deleted. */
export const DELETED_TOPIC = "_deleted-topic_";

/** https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names */
const ID = /^(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}$/;
const PROJECT = /^(?:[a-z0-9.-]+:)?[A-Za-z0-9][A-Za-z0-9_.-]*$/;
/** Label keys begin with a letter; international letters count. https://cloud.google.com/pubsub/docs/labels#requirements */
const LABEL_KEY = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u;
const LABEL_VALUE = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;
const MOST_LABELS = 64;

/** The kinds of resources of Pub/Sub that are emulated. */
export type Kind = "topics" | "subscriptions";

/**
 * Checks the full name of a topic or a subscription.
 *
 * @param argument name of the field that holds it.
 * @throws RpcError INVALID_ARGUMENT; NOT_FOUND when there is no such project.
 */
export function assertName(projects: Projects, kind: Kind, name: string | undefined, argument = "name"): string {
  const [collection, project = "", found, id = "", ...rest] = (name ?? "").split("/");
  const isValid =
    collection === "projects" && found === kind && ID.test(id) && PROJECT.test(project) && rest.length === 0;
  if (name === undefined || !isValid)
    throw invalid(
      `Invalid resource name given (${argument}=${name ?? ""}). Refer to https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information.`,
    );
  assertProject(projects, project);
  return name;
}

/**
 * Checks `projects/P`.
 *
 * @returns the project.
 * @throws RpcError INVALID_ARGUMENT, NOT_FOUND.
 */
export function assertProjectName(projects: Projects, name: string | undefined): string {
  const [collection, project = "", ...rest] = (name ?? "").split("/");
  if (collection !== "projects" || !PROJECT.test(project) || rest.length > 0)
    throw invalid(
      `Invalid resource name given (project=${name ?? ""}). Refer to https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information.`,
    );
  assertProject(projects, project);
  return project;
}

function assertProject(projects: Projects, project: string): void {
  if (projects.has(project)) return;
  throw notFound(
    `Requested project not found or user does not have access to it (project=${project}). Make sure to specify the unique project identifier and not the Google Cloud Console display name.`,
  );
}

/**
 * Checks labels.
 *
 * @throws RpcError INVALID_ARGUMENT.
 */
export function assertLabels(labels: Readonly<Record<string, string>> | undefined): void {
  const entries = Object.entries(labels ?? {});
  if (entries.length > MOST_LABELS)
    throw invalid(
      `The value for labels is too large. You passed ${entries.length} in the request, but the maximum value is ${MOST_LABELS}.`,
    );
  const odd = entries.find(([key, value]) => !LABEL_KEY.test(key) || !LABEL_VALUE.test(value));
  if (odd !== undefined)
    throw invalid(
      `Invalid label given (key=${odd[0]}, value=${odd[1]}). Refer to https://cloud.google.com/pubsub/docs/labels#requirements for more information.`,
    );
}

/** The last part of a resource name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** The project in a resource name. */
export function projectOf(name: string): string {
  return name.split("/")[1] ?? "";
}

/** What is answered for a resource that is not there. */
export function missing(name: string): RpcError {
  return notFound(`Resource not found (resource=${idOf(name)}).`);
}

/** What is answered for a resource that is there already. */
export function taken(name: string): RpcError {
  return alreadyExists(`Resource already exists in the project (resource=${idOf(name)}).`);
}
