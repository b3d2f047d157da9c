import type { Authenticator } from "../core/auth.ts";
import type { Config } from "../core/config.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { Problems } from "../core/problems.ts";
import type { ResourceKind } from "../core/provisioning.ts";
import type { Via } from "../core/route-options.ts";
import { deferralQueue, foreignQueues, mergeQueues, queueNameOf, queuesOfRoute } from "./desired-queues.ts";
import {
  deadLetterResources,
  isGooglesEmulator,
  jobResource,
  messageResources,
  type RouteScope,
} from "./desired-route.ts";
import type { DesiredQueue, DesiredResource, DesiredState } from "./resources.ts";

/** What the desired state is derived from. */
export interface DesiredScope {
  readonly routes: readonly AnyRoute[];
  readonly config: Config;
  /** Which service carries a route that does not say. */
  readonly defaultVia: Via;
  /** Whether a route's kill switch is off: then its job is paused. */
  isOff(route: AnyRoute): boolean;
  /** How push requests prove themselves, as far as that is known. */
  readonly authKind?: Authenticator["kind"] | undefined;
}

/** Order in which kinds are made. */
const KINDS = ["topic", "subscription", "queue", "job"] as const;

/**
 * Everything that the routes of a service need in the cloud. Pure: the same list gives the same resources.
 *
 * A contract (a route without a body) is enqueued here and run elsewhere: the service that runs it makes its resources, so
 * that there are none of it here.
 *
 * @throws TasksError `INVALID_CONFIG` with everything that is missing or does not go together: no project, no service URL
 * or account, a shared secret for Pub/Sub, deadlines that the route's service does not take, a queue that two routes want
 * different.
 */
export function desiredState(given: DesiredScope): DesiredState {
  const scope = { ...given, config: suited(given.config) };
  const { routes, config, defaultVia } = scope;
  const problems = new Problems();
  const own = routes.filter(({ run }) => run !== undefined);
  const viaOf = (route: AnyRoute): Via => route.settings.via ?? defaultVia;
  assertComplete(scope, own, viaOf, problems);
  // Placeholders stand for what is missing, so that problems of the routes are found in the same pass.
  const projectId = config.projectId ?? "-";
  const resources: DesiredResource[] = [];
  const queues: DesiredQueue[] = [];
  for (const route of own) {
    if (viaOf(route) === "cloud-tasks") queues.push(...queuesOfRoute(config, projectId, route));
    resources.push(...resourcesOf(scope, projectId, route, viaOf(route)));
  }
  const waiting = deferralQueue(
    config,
    projectId,
    own.filter((route) => viaOf(route) === "pubsub"),
  );
  resources.push(...mergeQueues(waiting === undefined ? queues : [...queues, waiting], problems));
  assertTogether(config, resources, problems);
  problems.throwAny();
  return {
    owner: { environment: config.environment, namespace: config.namespace, generation: config.generation },
    projectId,
    pushAccount: config.serviceAccounts[0],
    foreignQueues: foreignQueues(config, projectId, own, viaOf),
    queueParents: queueParents(config, projectId, resources),
    jobParent: `projects/${projectId}/locations/${config.schedulerLocation}`,
    apart: KINDS.filter((kind) => isApart(config, kind)),
    resources: KINDS.flatMap((kind) => resources.filter((resource) => resource.kind === kind)),
    contracts: routes.filter(({ run }) => run === undefined).map(({ path }) => path),
  };
}

function resourcesOf(
  { config, isOff }: DesiredScope,
  projectId: string,
  route: AnyRoute,
  via: Via,
): readonly DesiredResource[] {
  const pushEndpoint = config.pushEndpoint ?? "";
  const scope: RouteScope = {
    config,
    projectId,
    pushEndpoint,
    serviceAccount: config.serviceAccounts[0] ?? "",
    audience: config.audiences[0] ?? pushEndpoint,
    route,
    switchedOff: isOff(route),
  };
  const published = via === "pubsub";
  const { schedule } = route.settings;
  return [
    ...deadLetterResources(scope, published),
    ...(published ? messageResources(scope) : []),
    ...(schedule === undefined ? [] : [jobResource(scope, schedule, published)]),
  ];
}

/** Google's own emulator of Pub/Sub cannot change labels, so that there is nowhere to sign for a deployment. */
function suited(config: Config): Config {
  return isGooglesEmulator(config) ? { ...config, generation: undefined } : config;
}

/** Which emulator stands for the service of a kind, and the variable that names it. */
const EMULATOR = {
  topic: ["pubsub", "PUBSUB_EMULATOR_HOST"],
  subscription: ["pubsub", "PUBSUB_EMULATOR_HOST"],
  queue: ["cloudTasks", "CLOUD_TASKS_EMULATOR_HOST"],
  job: ["scheduler", "CLOUD_SCHEDULER_EMULATOR_HOST"],
} as const satisfies Record<ResourceKind, readonly [keyof Config["emulators"], string]>;

/** Whether the service of a kind is Google's, while an emulator stands for another. */
function isApart({ emulators }: Config, kind: ResourceKind): boolean {
  const isEmulated = [emulators.pubsub, emulators.cloudTasks, emulators.scheduler].some((host) => host !== undefined);
  return isEmulated && emulators[EMULATOR[kind][0]] === undefined;
}

/** What is tried on an emulator must not reach into a project half-way. */
function assertTogether(config: Config, resources: readonly DesiredResource[], problems: Problems): void {
  const needed = new Map(resources.map(({ kind, routes: [route] }) => [EMULATOR[kind][1], { kind, route }]));
  for (const [variable, { kind, route }] of needed) {
    if (isApart(config, kind))
      problems.add(
        `${variable}: expected an emulator for the ${kind} of "${route}", since one stands for another service, got none; set it, or TASKS_EMULATOR_HOST`,
      );
  }
}

/** Where queues are looked for: where the derived ones are, and wherever a route's own are. */
function queueParents(config: Config, projectId: string, resources: readonly DesiredResource[]): readonly string[] {
  const names = resources.filter(({ kind }) => kind === "queue").map(({ name }) => name);
  const derived = queueNameOf(config, projectId, "any");
  return [...new Set([derived, ...names].map((name) => name.slice(0, name.indexOf("/queues/"))))];
}

function assertComplete(
  { config, authKind }: DesiredScope,
  own: readonly AnyRoute[],
  viaOf: (route: AnyRoute) => Via,
  problems: Problems,
): void {
  if (config.projectId === undefined)
    problems.add(
      "GCP_PROJECT_ID: expected the project of the cloud resources, got none; set it, or pass cloud: { projectId } to createTasks",
    );
  const pushed = own.filter((route) => viaOf(route) === "pubsub");
  const called = own.filter((route) => viaOf(route) === "cloud-tasks" && route.settings.schedule !== undefined);
  if (pushed.length + called.length > 0) {
    if (config.serviceUrl === undefined)
      problems.add(
        "CLOUD_RUN_SERVICE_URL: expected the public URL of the service, to which messages are pushed, got none; set it, or pass cloud: { serviceUrl } to createTasks",
      );
    if (config.serviceAccounts.length === 0)
      problems.add(
        "TASKS_SERVICE_ACCOUNT: expected the e-mail of the account as which messages are pushed, got none; set it, or pass cloud: { serviceAccount } to createTasks",
      );
  }
  const [first] = pushed;
  if (authKind === "shared-secret" && first !== undefined)
    problems.add(
      `auth: expected oidc() for "${first.path}", which Pub/Sub pushes, got a shared secret, which it cannot send; use oidc(), or via: "cloud-tasks"`,
    );
  for (const route of own) assertCarried(route, viaOf(route), problems);
}

/** What a route may say without `via` is more than either service takes. */
function assertCarried({ path, settings }: AnyRoute, via: Via, problems: Problems): void {
  const refuse = (option: string, expected: string, got: unknown) =>
    problems.add(`"${path}": expected ${option} to be ${expected} over ${via}, got ${got}; change it, or name via`);
  if (via === "cloud-tasks") {
    if (settings.ackDeadline < 15) refuse("ackDeadline", "15–1800 seconds", settings.ackDeadline);
    if (settings.ordered) refuse("ordered", "left out", settings.ordered);
    return;
  }
  if (settings.ackDeadline > 600) refuse("ackDeadline", "10–600 seconds", settings.ackDeadline);
  if (settings.minRetryDelay > 600) refuse("minRetryDelay", "0–600 seconds", settings.minRetryDelay);
  if (settings.maxRetryDelay > 600) refuse("maxRetryDelay", "0–600 seconds", settings.maxRetryDelay);
}
