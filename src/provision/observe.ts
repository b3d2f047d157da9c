import { isTasksError, type TasksErrorCode } from "../core/errors.ts";
import type { ResourceKind } from "../core/provisioning.ts";
import { explained } from "../google/status.ts";
import type { Calls } from "./calls.ts";
import { type Cloud, serviceOf } from "./cloud.ts";
import { isNamedOurs } from "./ownership.ts";
import type { DesiredState, ObservedResource } from "./resources.ts";

/** Roles that let an account list what there is, by kind. */
const READER: Readonly<Record<ResourceKind, string>> = {
  topic: "roles/pubsub.viewer",
  subscription: "roles/pubsub.viewer",
  queue: "roles/cloudtasks.viewer",
  job: "roles/cloudscheduler.viewer",
};

/** A service that no route needs may be not installed, not enabled, not permitted or not in that region: then it holds nothing. */
const IGNORED: ReadonlySet<TasksErrorCode> = new Set(["MISSING_PACKAGE", "NOT_PERMITTED", "INVALID_CONFIG"]);

/** What there is of this service, whoever made it: whatever has a name that is wanted or derived. Lists, in pages. */
export async function observe(cloud: Cloud, calls: Calls, desired: DesiredState): Promise<readonly ObservedResource[]> {
  const project = `projects/${desired.projectId}`;
  const places: [kind: ResourceKind, parent: string][] = [
    ["topic", project],
    ["subscription", project],
    ...desired.queueParents.map((parent): [ResourceKind, string] => ["queue", parent]),
    ["job", desired.jobParent],
  ];
  const wanted = new Set(desired.resources.map(({ name }) => name));
  const needed = new Set(desired.resources.map(({ kind }) => kind));
  const lists = await Promise.all(
    places.map(async ([kind, parent]) => {
      if (desired.apart.includes(kind)) return [];
      try {
        return await listed(cloud, calls, kind, parent);
      } catch (error) {
        if (!needed.has(kind) && isTasksError(error) && IGNORED.has(error.code)) return [];
        throw error;
      }
    }),
  );
  return lists.flat().filter((found) => wanted.has(found.name) || isNamedOurs(desired.owner, found));
}

async function listed(
  cloud: Cloud,
  calls: Calls,
  kind: ResourceKind,
  parent: string,
): Promise<readonly ObservedResource[]> {
  const found: ObservedResource[] = [];
  const service = serviceOf(kind);
  try {
    let page = await calls.run(service, () => cloud.list(kind, parent));
    for (;;) {
      found.push(...page.resources);
      const { next } = page;
      if (next === undefined) return found;
      page = await calls.run(service, () => cloud.list(kind, parent, next));
    }
  } catch (error) {
    const located = parent.includes("/locations/");
    const resource = located ? `${parent}/${kind}s` : parent;
    const action = located ? "list" : `list ${kind}s of`;
    throw explained(error, { action, resource, role: READER[kind], otherwise: "CLOUD_FAILED" });
  }
}
