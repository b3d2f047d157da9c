import type { Naming } from "../core/names.ts";
import type { Owner } from "./resources.ts";

/** Labels by which topics and subscriptions are known as a service's own. Their values are lower-case. */
export const ENVIRONMENT_LABEL = "taskroute-environment";
export const NAMESPACE_LABEL = "taskroute-namespace";
/** Which deployment wrote a resource last; not compared, so that a deployment that changes nothing writes nothing. */
export const GENERATION_LABEL = "taskroute-generation";

/** On a resource whose grant could not be written when it was made, so that a later apply makes up for it. */
export const GRANT_LABEL = "taskroute-grant";
export const GRANT_MISSING = "missing";

/**
 * Longest text before a marker, in characters: descriptions have at most 500 (google/cloud/scheduler/v1/job.proto), and the
 * longest marker takes 100. The same whatever the marker says, or a text would change with it.
 */
const LONGEST_SUMMARY = 399;

/** The labels of every topic and subscription of a service. */
export function ownerLabels({ environment, namespace }: Naming): Readonly<Record<string, string>> {
  return { [ENVIRONMENT_LABEL]: environment.toLowerCase(), [NAMESPACE_LABEL]: namespace.toLowerCase() };
}

/** What the marker at the end of a job's description says: jobs have no labels. */
export interface Marker extends Owner {
  /** Whether the library has paused the job, because of a kill switch; a job that somebody else paused stays paused. */
  readonly switchedOff: boolean;
}

/** The description of a job: what it does, cut where it is too long, and the marker. */
export function describeJob(summary: string, { environment, namespace, generation, switchedOff }: Marker): string {
  const counted = generation === undefined ? "" : `#${generation}`;
  const marker = `taskroute:${environment}/${namespace}${counted}${switchedOff ? " switched-off" : ""}`;
  const text = summary.length <= LONGEST_SUMMARY ? summary : `${summary.slice(0, LONGEST_SUMMARY - 1)}…`;
  return `${text} ${marker}`;
}

const MARKER = /(?:^|\s)taskroute:([A-Za-z0-9_-]+)\/([A-Za-z0-9_-]+)(?:#(\d{1,15}))?( switched-off)?\s*$/;

/** The marker of a description, and what stands before it; `undefined` when there is none. */
export function readMarker(description: string): { readonly summary: string; readonly marker: Marker } | undefined {
  const match = MARKER.exec(description);
  const [, environment, namespace, generation, off] = match ?? [];
  if (match === null || environment === undefined || namespace === undefined) return undefined;
  return {
    summary: description.slice(0, match.index),
    marker: {
      environment,
      namespace,
      generation: generation === undefined ? undefined : Number(generation),
      switchedOff: off !== undefined,
    },
  };
}
