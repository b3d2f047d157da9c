import type { Change, FieldChange, PlanOptions } from "../core/provisioning.ts";
import { differences } from "./differences.ts";
import { describeJob, GENERATION_LABEL, GRANT_LABEL, GRANT_MISSING } from "./marker.ts";
import { foreign, isOurs, labelsOf, markerOf } from "./ownership.ts";
import type { DesiredJob, DesiredResource, ObservedResource, Owner } from "./resources.ts";

/** One change, with what is needed to carry it out. */
export interface Step {
  readonly change: Change;
  /** What is to be written, labels and marker of the deployment included; absent where nothing is. */
  readonly want: DesiredResource | undefined;
  readonly found: ObservedResource | undefined;
  /** Full names of what must be there before it. */
  readonly dependsOn: readonly string[];
}

/** What the steps of one plan have in common. */
export interface StepScope {
  readonly owner: Owner;
  readonly options: PlanOptions;
  /** The newest deployment that has written anything of this service. */
  readonly newest: number | undefined;
}

/** Fields that a service lets nobody change. */
const IMMUTABLE: ReadonlySet<string> = new Set(["topic", "enableMessageOrdering", "filter", "detached"]);

/** The topic of subscriptions whose topic is gone; making the topic anew does not attach them again. */
const DELETED_TOPIC = "_deleted-topic_";

/** Whether a newer deployment than this one has been here: then this one writes nothing. */
export function isSuperseded({ owner, newest }: StepScope): boolean {
  return owner.generation !== undefined && newest !== undefined && newest > owner.generation;
}

/** What is to be done so that one resource is as it should be. */
export function stepFor(scope: StepScope, wanted: DesiredResource, found: ObservedResource | undefined): Step {
  const want = settled(wanted, found);
  const decided = decide(scope, want, found);
  const { kind, name, routes, dependsOn } = want;
  const writes = decided.action === "create" || decided.action === "update" || decided.action === "replace";
  const anew = decided.action !== "update";
  return {
    change: { kind, name, routes, fields: [], ...decided },
    want: writes ? stamped(want, anew ? undefined : found, scope.owner) : undefined,
    found,
    dependsOn,
  };
}

type Decision = Pick<Change, "action"> & Partial<Pick<Change, "fields" | "reason" | "blocks">>;

function decide(scope: StepScope, want: DesiredResource, found: ObservedResource | undefined): Decision {
  if (found === undefined) return isSuperseded(scope) ? superseded(scope) : { action: "create" };
  const declared = want.kind === "queue" && want.literal;
  if (!declared && !isOurs(scope.owner, found))
    return { action: "skip", reason: foreign(scope.owner, found), blocks: true };
  const fields = [...differences(want.settings, comparable(found)), ...missingGrant(found)];
  if (fields.length === 0) {
    const held = want.kind === "job" ? heldBy(want, found) : undefined;
    return held === undefined ? { action: "keep" } : { action: "keep", reason: held };
  }
  if (isSuperseded(scope)) return { ...superseded(scope), fields };
  if (!fields.some(({ field }) => IMMUTABLE.has(field))) return { action: "update", fields };
  return replacement(scope, fields);
}

function superseded({ newest }: StepScope): Decision {
  return {
    action: "skip",
    reason: `a newer deployment (${newest}) has been here; deploy anew to have it otherwise`,
  };
}

function replacement({ options }: StepScope, fields: readonly FieldChange[]): Decision {
  const cutOff = fields.some(
    ({ field, from }) => (field === "topic" && from === DELETED_TOPIC) || field === "detached",
  );
  const names = fields.filter(({ field }) => IMMUTABLE.has(field)).map(({ field }) => field);
  const why = cutOff
    ? "its topic was deleted, and it receives nothing any more"
    : `${names.join(" and ")} cannot be changed`;
  if (options.replace === true)
    return { action: "replace", fields, reason: `${why}; what waits in it is lost when it is made anew` };
  return {
    action: "skip",
    fields,
    reason: `${why}; allow replace to have it made anew, which loses what waits in it`,
    ...(cutOff ? { blocks: true as const } : {}),
  };
}

/** A grant that could not be written when the resource was made is left as a label, so that it is made up for. */
function missingGrant(found: ObservedResource): readonly FieldChange[] {
  if (labelsOf(found)[GRANT_LABEL] !== GRANT_MISSING) return [];
  return [{ field: `labels.${GRANT_LABEL}`, from: GRANT_MISSING, to: undefined }];
}

/**
 * What is wanted of a job depends on who has paused it: one that somebody else paused stays paused, and is not taken for
 * paused by its kill switch.
 */
function settled(want: DesiredResource, found: ObservedResource | undefined): DesiredResource {
  if (want.kind !== "job" || found?.settings.state !== "PAUSED" || markerOf(found)?.marker.switchedOff !== false)
    return want;
  return { ...want, settings: { ...want.settings, state: "PAUSED", description: remarked(want, false) } };
}

function heldBy(want: DesiredJob, found: ObservedResource): string | undefined {
  const held = want.settings.state === "PAUSED" && markerOf(found)?.marker.switchedOff === false;
  return held ? "it was paused by somebody else, and stays so until somebody resumes it" : undefined;
}

function remarked(job: DesiredJob, switchedOff: boolean, generation?: number): string {
  const { summary, marker } = markerOf(job) ?? {};
  if (summary === undefined || marker === undefined) return job.settings.description;
  return describeJob(summary, { ...marker, switchedOff, generation });
}

/** Settings as they are compared: without what only says which deployment wrote them. */
function comparable(found: ObservedResource): ObservedResource["settings"] {
  const parts = found.kind === "job" ? markerOf(found) : undefined;
  if (parts === undefined) return found.settings;
  const description = describeJob(parts.summary, { ...parts.marker, generation: undefined });
  return { ...found.settings, description };
}

/** As it is to be written: labels of others are kept, and the deployment signs it. */
function stamped(want: DesiredResource, found: ObservedResource | undefined, owner: Owner): DesiredResource {
  switch (want.kind) {
    case "queue":
      return want;
    case "job": {
      const off = markerOf(want)?.marker.switchedOff ?? false;
      return { ...want, settings: { ...want.settings, description: remarked(want, off, owner.generation) } };
    }
    case "topic":
      return { ...want, settings: { ...want.settings, labels: labelled(want.settings.labels, found, owner) } };
    case "subscription":
      return { ...want, settings: { ...want.settings, labels: labelled(want.settings.labels, found, owner) } };
  }
}

function labelled(
  labels: Readonly<Record<string, string>>,
  found: ObservedResource | undefined,
  { generation }: Owner,
): Readonly<Record<string, string>> {
  const { [GRANT_LABEL]: _made, ...others } = found === undefined ? {} : labelsOf(found);
  return {
    ...others,
    ...labels,
    ...(generation === undefined ? {} : { [GENERATION_LABEL]: String(generation) }),
  };
}
