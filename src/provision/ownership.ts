import { deferralQueueName, type Naming } from "../core/names.ts";
import type { ResourceKind } from "../core/provisioning.ts";
import { ENVIRONMENT_LABEL, GENERATION_LABEL, NAMESPACE_LABEL, ownerLabels, readMarker } from "./marker.ts";
import type { ObservedResource, Owner } from "./resources.ts";

/** The last part of a full name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** What every derived id of one kind begins with. `--` stands nowhere else in it, so no other service's begins with it. */
function prefixOf({ environment, namespace }: Naming, kind: ResourceKind): string {
  switch (kind) {
    case "topic":
    case "subscription":
      return `${environment}--${namespace}.tasks--`;
    case "queue":
      return `${environment}--${namespace}--`.replaceAll("_", "-");
    case "job":
      return `${environment}--${namespace}-scheduler--`;
  }
}

/** Whether a resource has a name that is derived for this service. */
export function isNamedOurs(owner: Naming, { kind, name }: Pick<ObservedResource, "kind" | "name">): boolean {
  const id = idOf(name);
  return id.startsWith(prefixOf(owner, kind)) || (kind === "queue" && id === deferralQueueName(owner));
}

/** Labels of a topic or subscription. */
export function labelsOf({ settings }: ObservedResource): Readonly<Record<string, string>> {
  return (settings.labels ?? {}) as Readonly<Record<string, string>>;
}

/** The marker of a job, if it has one. */
export function markerOf({ settings }: ObservedResource): ReturnType<typeof readMarker> {
  return readMarker(String(settings.description ?? ""));
}

/**
 * Whether a resource is provably this service's in this environment: by its name, and by its labels or, as a job, by the
 * marker in its description. Queues have neither, so that the name is all there is.
 */
export function isOurs(owner: Naming, found: ObservedResource): boolean {
  if (!isNamedOurs(owner, found)) return false;
  switch (found.kind) {
    case "topic":
    case "subscription": {
      const labels = labelsOf(found);
      return Object.entries(ownerLabels(owner)).every(([name, value]) => labels[name] === value);
    }
    case "queue":
      return true;
    case "job": {
      const marker = markerOf(found)?.marker;
      return marker?.environment === owner.environment && marker.namespace === owner.namespace;
    }
  }
}

/** Which deployment wrote a resource last; `undefined` when nothing tells. */
export function generationOf(found: ObservedResource): number | undefined {
  if (found.kind === "job") return markerOf(found)?.marker.generation;
  const label = labelsOf(found)[GENERATION_LABEL];
  return label !== undefined && /^\d{1,15}$/.test(label) ? Number(label) : undefined;
}

/** Those of what was found that are provably this service's. */
export function oursOf(owner: Naming, observed: readonly ObservedResource[]): readonly ObservedResource[] {
  return observed.filter((found) => isOurs(owner, found));
}

/** The newest deployment that has written any of these resources, all of which are the service's own. */
export function newestOf(ours: readonly ObservedResource[]): number | undefined {
  const known = ours.map(generationOf).filter((generation) => generation !== undefined);
  return known.length === 0 ? undefined : known.reduce((one, other) => Math.max(one, other));
}

/** Why a resource of a derived name is somebody else's, and how to hand it over. */
export function foreign(owner: Owner, { kind, name, settings }: ObservedResource): string {
  const [, project] = name.split("/");
  const id = idOf(name);
  if (kind === "job") {
    const marker = `taskroute:${owner.environment}/${owner.namespace}`;
    const type = settings.pubsubTarget ? "pubsub" : "http";
    return `it is not marked as this service's; delete or rename it, or hand it over with gcloud scheduler jobs update ${type} ${id} --location=${name.split("/")[3]} --project=${project} --description="${marker}"`;
  }
  const labels = ownerLabels(owner);
  const given = `${ENVIRONMENT_LABEL}=${labels[ENVIRONMENT_LABEL]},${NAMESPACE_LABEL}=${labels[NAMESPACE_LABEL]}`;
  return `it does not carry this service's labels; delete or rename it, or hand it over with gcloud pubsub ${kind}s update ${id} --project=${project} --update-labels=${given}`;
}
