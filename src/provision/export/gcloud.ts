import type { DesiredJob, DesiredResource, DesiredState } from "../resources.ts";
import { flagsOf } from "./gcloud-flags.ts";
import { AGENT_DOMAINS, type Grant, type Grantee, grantsOf } from "./grants.ts";
import { type ExportOptions, type ExportScope, exportScope } from "./options.ts";
import { partsOf } from "./resource-name.ts";
import { comment, flagWords, gcloud, quote } from "./shell.ts";

/**
 * The desired state as a script for a POSIX shell that makes it with the gcloud command line: what is not there is made,
 * what is there is changed, nothing is deleted. It can be run again, and stops at the first command that fails. Pure: the
 * same resources give the same text.
 *
 * What cannot be changed (a subscription's topic and ordering) stays as it is. A job that somebody has paused stays
 * paused; one that a kill switch has paused is resumed once the switch is on.
 *
 * @throws TasksError `INVALID_OPTION`, also for a value that no argument can hold.
 */
export function toGcloudScript(desired: DesiredState, options: ExportOptions = {}): string {
  const scope = exportScope(desired, options);
  const { resources, projectId } = scope.desired;
  const grants = grantsOf(scope);
  const parts = [
    header(scope, grants),
    ...(scope.createdPushAccount === undefined ? [] : [account(scope, scope.createdPushAccount)]),
    ...resources.map((resource) => resourcePart(resource, projectId)),
    ...grants.map((grant) => grantPart(grant, scope)),
  ];
  return `${parts.join("\n\n")}\n`;
}

function header({ desired }: ExportScope, grants: readonly Grant[]): string {
  const { environment, namespace } = desired.owner;
  const lines = [
    "#!/bin/sh",
    comment(
      `Tasks of the service ${namespace} in the environment ${environment}, made by taskroute: export again rather than edit.`,
    ),
    "# The APIs have to be enabled: gcloud services enable pubsub.googleapis.com cloudtasks.googleapis.com cloudscheduler.googleapis.com",
    "set -eu",
    "",
    `export CLOUDSDK_CORE_PROJECT=${quote(desired.projectId)}`,
    "export CLOUDSDK_CORE_DISABLE_PROMPTS=1",
  ];
  if (grants.some(({ to }) => to.endsWith("-agent")))
    lines.push(
      "# Google's service agents are named after the number of the project.",
      `PROJECT_NUMBER=\${PROJECT_NUMBER:-$(gcloud projects describe "$CLOUDSDK_CORE_PROJECT" --format='value(projectNumber)')}`,
    );
  return lines.join("\n");
}

const TITLES = { topic: "Topic", subscription: "Subscription", queue: "Queue", job: "Job" } as const;

function account({ desired, pushAccount = "" }: ExportScope, id: string): string {
  const describe = gcloud(["iam", "service-accounts", "describe", pushAccount], []);
  const flags = flagWords({ "display-name": `Pushes tasks to ${desired.owner.namespace}` });
  const create = gcloud(["iam", "service-accounts", "create", id], flags, "  ");
  return ["# The account that pushes", `if ! ${describe} >/dev/null 2>&1; then`, create, "fi"].join("\n");
}

function resourcePart(resource: DesiredResource, projectId: string): string {
  const { group, target, place, create, update } = flagsOf(resource);
  const { id, project } = partsOf(resource.name);
  const own = flagWords({ ...place, project: project === projectId ? undefined : project });
  const call = (words: readonly string[], flags: readonly string[] = [], indent = "  "): string =>
    gcloud([...group, ...words, id], [...own, ...flags], indent);
  const title = comment(`${TITLES[resource.kind]} of ${[...resource.routes].sort().join(", ")}`);
  const made = call(["create", ...target], flagWords(create));
  const changed = call(["update", ...target], flagWords(update));
  const describe = ["gcloud", ...[...group, "describe", id].map(quote), ...own].join(" ");
  if (resource.kind !== "job")
    return [title, `if ${describe} >/dev/null 2>&1; then`, changed, "else", made, "fi"].join("\n");
  return [
    title,
    `if before=$(${describe} --format='value(state,description)' 2>/dev/null); then`,
    changed,
    ...pausing(resource, (verb) => call([verb], [], "      ")),
    "else",
    made,
    ...(resource.settings.state === "PAUSED" ? [call(["pause"])] : []),
    "fi",
  ].join("\n");
}

/**
 * A job's state is not among what an update sets. Pausing what is paused, and resuming what is not, is refused. The marker
 * of the description says whether a kill switch has paused the job, or somebody for another reason.
 */
function pausing({ settings }: DesiredJob, call: (verb: "pause" | "resume") => string): readonly string[] {
  const [before, verb] =
    settings.state === "PAUSED" ? (["ENABLED*", "pause"] as const) : (["PAUSED*' switched-off'", "resume"] as const);
  return ["  case $before in", `    ${before})`, call(verb), "      ;;", "  esac"];
}

/** Who is granted something, for people. */
const GRANTEES: Readonly<Record<Grantee, string>> = {
  "pubsub-agent": "Pub/Sub's service agent",
  "cloudtasks-agent": "Cloud Tasks' service agent",
  push: "The account that pushes",
  runtime: "The account that the service runs as",
};

function grantPart(grant: Grant, scope: ExportScope): string {
  const { words, flags, conditional } = grantedOn(grant, scope);
  const member = `--member=${memberWord(grant, scope)}`;
  const rest = flagWords({ role: grant.role, condition: conditional ? "None" : undefined });
  const title = comment(`${GRANTEES[grant.to]} ${grant.because}`);
  return `${title}\n${gcloud(words, [...flags, member, ...rest])} >/dev/null`;
}

function memberWord({ to }: Grant, { pushAccount = "", runtimeAccount = "" }: ExportScope): string {
  switch (to) {
    case "push":
      return quote(`serviceAccount:${pushAccount}`);
    case "runtime":
      return quote(`serviceAccount:${runtimeAccount}`);
    case "pubsub-agent":
    case "cloudtasks-agent":
      return `"serviceAccount:service-\${PROJECT_NUMBER}@${AGENT_DOMAINS[to]}"`;
  }
}

interface GrantedOn {
  /** Words of the command. */
  readonly words: readonly string[];
  /** Flags that say where it is. */
  readonly flags: readonly string[];
  /** Whether a binding there can have a condition: it then has to be said that ours has none. */
  readonly conditional: boolean;
}

function grantedOn({ on }: Grant, { desired, service, pushAccount = "" }: ExportScope): GrantedOn {
  const verb = "add-iam-policy-binding";
  switch (on.kind) {
    case "push-account":
      return { words: ["iam", "service-accounts", verb, pushAccount], flags: [], conditional: true };
    case "service": {
      const { name = "", region = "" } = service ?? {};
      return { words: ["run", "services", verb, name], flags: flagWords({ region }), conditional: true };
    }
    case "project":
      return { words: ["projects", verb, desired.projectId], flags: [], conditional: true };
    default: {
      const { id, project, location } = partsOf(on.name);
      const group = on.kind === "queue" ? ["tasks", "queues"] : ["pubsub", `${on.kind}s`];
      const flags = flagWords({ location, project: project === desired.projectId ? undefined : project });
      return { words: [...group, verb, id], flags, conditional: false };
    }
  }
}
