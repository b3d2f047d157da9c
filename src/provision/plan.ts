import type { Change, Plan, PlanOptions, ResourceKind } from "../core/provisioning.ts";
import { GENERATION_LABEL } from "./marker.ts";
import { generationOf, isNamedOurs, isOurs, labelsOf, newestOf, oursOf } from "./ownership.ts";
import type { DesiredState, ObservedResource, Owner } from "./resources.ts";
import { isSuperseded, type Step, type StepScope, stepFor } from "./step.ts";

/** Jobs go before what they publish to, subscriptions before their topics. */
const DELETION_ORDER: readonly ResourceKind[] = ["job", "subscription", "topic", "queue"];

/** Steps in the order in which they are taken, and the topic that says which deployment was here last. */
export interface Steps {
  readonly steps: readonly Step[];
  /** Full name; `undefined` when this service has no topic yet, or when nothing tells which deployment this is. */
  readonly mark: string | undefined;
}

/**
 * What is to be done so that what was found becomes what is wanted. Pure: the same states give the same plan, and a plan of
 * what is as it should be is empty.
 */
export function planOf(desired: DesiredState, observed: readonly ObservedResource[], options: PlanOptions = {}): Plan {
  return asPlan(stepsOf(desired, observed, options).steps);
}

/** The public half of steps. */
export function asPlan(steps: readonly Step[]): Plan {
  const changes = steps.map(({ change }) => change);
  return { changes, isEmpty: changes.every(isIdle) };
}

/** Whether a change writes nothing. */
export function isIdle({ action }: Change): boolean {
  return action === "keep" || action === "skip";
}

/** Whether a change signs a topic for a new deployment. */
export function isClaim({ kind, fields }: Change): boolean {
  return kind === "topic" && fields.some(({ field }) => field === `labels.${GENERATION_LABEL}`);
}

/** {@link planOf}, with what is needed to carry it out. */
export function stepsOf(desired: DesiredState, observed: readonly ObservedResource[], options: PlanOptions): Steps {
  const { owner } = desired;
  const ours = oursOf(owner, observed);
  const scope: StepScope = { owner, options, newest: newestOf(ours) };
  const found = new Map(observed.map((resource) => [resource.name, resource]));
  const steps = desired.resources.map((wanted) => stepFor(scope, wanted, found.get(wanted.name)));
  const claims = claimsOf(scope, desired, ours);
  return {
    steps: [...withClaims(steps, claims), ...orphansOf(scope, desired, ours)],
    mark: markOf(owner, ours)?.name,
  };
}

/** The first topic by name: whichever deployment looks, it is the same one. */
export function markOf(owner: Owner, ours: readonly ObservedResource[]): ObservedResource | undefined {
  if (owner.generation === undefined) return undefined;
  const topics = ours.filter(({ kind }) => kind === "topic");
  return topics.reduce<ObservedResource | undefined>(
    (first, topic) => (first === undefined || topic.name < first.name ? topic : first),
    undefined,
  );
}

/**
 * A new deployment signs one topic before it does anything else, even when it changes nothing: else an older one, which may
 * still be at work, could not know that it has been overtaken. Where no route needs that topic any more, it signs one that
 * will stay as well.
 */
function claimsOf(scope: StepScope, desired: DesiredState, ours: readonly ObservedResource[]): readonly Step[] {
  const { owner } = scope;
  const mark = markOf(owner, ours);
  if (mark === undefined || desired.resources.length === 0 || isSuperseded(scope)) return [];
  const needed = new Map(desired.resources.map((wanted) => [wanted.name, wanted]));
  const staying = markOf(
    owner,
    ours.filter(({ name }) => needed.has(name)),
  );
  const signed = staying === undefined || staying === mark ? [mark] : [mark, staying];
  return signed
    .filter((topic) => isUnsigned(owner, topic))
    .map((topic) => claimOf(owner, topic, needed.get(topic.name)?.routes ?? []));
}

/** Whether the deployment that has signed a topic, if one has, is older than this one. */
export function isUnsigned({ generation }: Owner, topic: ObservedResource): boolean {
  return generation !== undefined && (generationOf(topic) ?? -1) < generation;
}

/** Signs a topic. */
export function claimOf({ generation }: Owner, topic: ObservedResource, routes: readonly string[]): Step {
  const labels = labelsOf(topic);
  const signature = String(generation);
  const { name } = topic;
  return {
    change: {
      action: "update",
      kind: "topic",
      name,
      routes,
      fields: [{ field: `labels.${GENERATION_LABEL}`, from: labels[GENERATION_LABEL], to: signature }],
    },
    want: {
      kind: "topic",
      name,
      routes,
      dependsOn: [],
      settings: { labels: { ...labels, [GENERATION_LABEL]: signature } },
    },
    found: topic,
    dependsOn: [],
  };
}

/** Claims come first; a step that is there for the same topic says the same and more. */
function withClaims(steps: readonly Step[], claims: readonly Step[]): readonly Step[] {
  const claimed = new Map(claims.map((claim) => [claim.change.name, claim]));
  const merged = claims.map((claim) => {
    const own = steps.find(({ change }) => change.name === claim.change.name && change.action === "update");
    if (own === undefined) return claim;
    return { ...own, change: { ...own.change, fields: [...own.change.fields, ...claim.change.fields] } };
  });
  return [...merged, ...steps.filter(({ change }) => !claimed.has(change.name))];
}

/** What is this service's own and serves no route any more. Resources of contracts serve a route that runs elsewhere. */
function orphansOf(scope: StepScope, desired: DesiredState, ours: readonly ObservedResource[]): readonly Step[] {
  const needed = new Set(desired.resources.map(({ name }) => name));
  const orphans = ours.filter(({ name }) => !needed.has(name));
  // A list with contracts is not the whole service: what is not in it may well be needed.
  if (desired.contracts.length > 0) return [];
  return inDeletionOrder(orphans).map((found) => ({
    change: { kind: found.kind, name: found.name, routes: [], fields: [], ...orphaned(scope, found) },
    want: undefined,
    found,
    dependsOn: [],
  }));
}

function orphaned(scope: StepScope, { kind }: ObservedResource): Pick<Change, "action" | "reason"> {
  const idle = "no route needs it any more";
  if (kind === "queue") return { action: "skip", reason: `${idle}; queues are not pruned, delete it yourself` };
  if (scope.options.prune !== true) return { action: "skip", reason: `${idle}; prune deletes it` };
  if (isSuperseded(scope))
    return { action: "skip", reason: `${idle}, but a newer deployment (${scope.newest}) has been here` };
  return { action: "delete", reason: idle };
}

/** The first topic by name goes last: it says which deployment was here, and is looked at before each deletion. */
function inDeletionOrder(found: readonly ObservedResource[]): readonly ObservedResource[] {
  return DELETION_ORDER.flatMap((kind) => {
    const some = found.filter((resource) => resource.kind === kind);
    return kind === "topic" ? some.toSorted((one, other) => (one.name < other.name ? 1 : -1)) : some;
  });
}

/** Steps that delete everything that is this service's own; queues whose name was given stay. */
export function destructionOf(desired: DesiredState, observed: readonly ObservedResource[]): readonly Step[] {
  const { owner } = desired;
  const literal = new Set(desired.resources.filter((wanted) => wanted.kind === "queue" && wanted.literal).map(nameOf));
  const routes = new Map(desired.resources.map((wanted) => [wanted.name, wanted.routes]));
  const doomed = observed.filter((found) => isNamedOurs(owner, found) || routes.has(found.name));
  return inDeletionOrder(doomed).map((found) => {
    const { kind, name } = found;
    const spared = literal.has(name)
      ? "its name was given, so that it may serve others; delete it yourself"
      : isOurs(owner, found)
        ? undefined
        : "it is not known to be this service's";
    const decided: Pick<Change, "action" | "reason"> =
      spared === undefined ? { action: "delete" } : { action: "skip", reason: spared };
    return {
      change: { kind, name, routes: routes.get(name) ?? [], fields: [], ...decided },
      want: undefined,
      found,
      dependsOn: [],
    };
  });
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}
