import { TasksError } from "../core/errors.ts";
import type { ProvisionOptions } from "../core/provisioning.ts";
import type { Calls } from "./calls.ts";
import type { Cloud } from "./cloud.ts";
import { Grants } from "./grants.ts";
import { GRANT_LABEL, GRANT_MISSING } from "./marker.ts";
import { labelsOf } from "./ownership.ts";
import type { AgentRole, DesiredResource, DesiredSubscription, DesiredTopic, ObservedResource } from "./resources.ts";
import type { Step } from "./step.ts";

/** What a granter works with. */
export interface GranterScope {
  readonly cloud: Cloud;
  readonly calls: Calls;
  readonly options: Pick<ProvisionOptions, "grants">;
}

/** The two kinds that Pub/Sub's service agent may need a role on. */
type Grantable = DesiredTopic | DesiredSubscription;

/**
 * Sees to it that Pub/Sub's service agent has its role on every resource that needs it, as far as the options want that of
 * us. What could not be granted is marked on the resource, so that the next apply makes up for it.
 */
export class Granter {
  readonly #scope: GranterScope;
  readonly #grants: Grants;
  /** Full names of what exists and may well lack its grant. */
  readonly #doubtful = new Set<string>();

  constructor(scope: GranterScope) {
    this.#scope = scope;
    this.#grants = new Grants(scope.cloud, scope.calls);
  }

  /**
   * Finds out early what grants take, so that nothing is made that could not be granted, and what has to be looked at.
   *
   * @throws TasksError when the project's number cannot be found out; `Ended`.
   */
  async prepare(steps: readonly Step[]): Promise<void> {
    if (this.#scope.options.grants === "project") return;
    for (const name of steps.flatMap(namesToForward)) this.#doubtful.add(name);
    const creates = steps.filter(({ change }) => change.action === "create");
    for (const { change } of creates) this.#doubtful.delete(change.name);
    if (this.#doubtful.size > 0 || creates.some(({ want }) => roleOf(want) !== undefined)) await this.#grants.agent();
  }

  /** Whether a resource is to be looked at although it exists. */
  isDoubtful(name: string): boolean {
    return this.#doubtful.has(name);
  }

  /**
   * Grants what a resource needs.
   *
   * @param isNew whether it was made a moment ago, so that nobody else can have granted anything.
   * @throws TasksError
   */
  async grant(want: DesiredResource, isNew: boolean): Promise<void> {
    if (this.#scope.options.grants !== "project") await this.#ensure(want, isNew);
  }

  /**
   * Looks after a resource that is as it should be, when that is asked for or in doubt. Resolves to whether anything had to
   * be written.
   *
   * @throws TasksError
   */
  async keep(want: DesiredResource | undefined, found: ObservedResource | undefined): Promise<boolean> {
    if (want === undefined || found === undefined) return false;
    if (this.#scope.options.grants !== "resource" && !this.isDoubtful(want.name)) return false;
    return this.#ensure(labelled(want, labelsOf(found)), false);
  }

  async #ensure(want: DesiredResource, isNew: boolean): Promise<boolean> {
    const role = roleOf(want);
    if (role === undefined) return false;
    const { name } = want;
    const kind = role === "roles/pubsub.publisher" ? "topic" : "subscription";
    try {
      if (!isNew) return await this.#grants.ensure({ kind, name, role });
      await this.#grants.write({ kind, name, role });
      return true;
    } catch (error) {
      await this.#mark(want as Grantable, error);
      throw error;
    }
  }

  /** Nothing else would show it to the next apply. */
  async #mark(want: Grantable, error: unknown): Promise<void> {
    const { calls, cloud } = this.#scope;
    const marked = labelled(want, { ...want.settings.labels, [GRANT_LABEL]: GRANT_MISSING });
    try {
      await calls.run("pubsub", () => cloud.update(marked, ["labels"]), { whenNotFound: true, completes: true });
    } catch (cause) {
      const said = error instanceof Error ? error.message : String(error);
      throw new TasksError(
        "CLOUD_FAILED",
        `${said}; nor could that be noted on ${want.name}, so that the next apply does not see it: pass grants: "resource" then`,
        { cause },
      );
    }
  }
}

/**
 * What forwarding takes once a subscription is given its dead-letter policy: that subscription and the topic, which may have
 * been there before, for a route via Cloud Tasks or of an apply that was cut off.
 */
function namesToForward({ change, want }: Step): readonly string[] {
  if (want?.kind !== "subscription" || want.settings.deadLetterPolicy === undefined) return [];
  const isSet =
    change.action === "create" || change.fields.some(({ field }) => field === "deadLetterPolicy.deadLetterTopic");
  return isSet ? [want.name, want.settings.deadLetterPolicy.deadLetterTopic] : [];
}

function roleOf(want: DesiredResource | undefined): AgentRole | undefined {
  return want?.kind === "topic" || want?.kind === "subscription" ? want.agentRole : undefined;
}

function labelled(want: DesiredResource, labels: Readonly<Record<string, string>>): DesiredResource {
  switch (want.kind) {
    case "topic":
      return { ...want, settings: { ...want.settings, labels } };
    case "subscription":
      return { ...want, settings: { ...want.settings, labels } };
    default:
      return want;
  }
}
