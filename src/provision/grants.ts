import { GRPC, grpcCode } from "../google/status.ts";
import { type Calls, Ended } from "./calls.ts";
import type { Cloud, Policy } from "./cloud.ts";
import { grantFailure } from "./failures.ts";
import type { AgentRole } from "./resources.ts";

/** How often a policy is read and written again because others wrote it in between. */
const MOST_RACES = 5;

/** What grants are written on. */
interface Granted {
  readonly kind: "topic" | "subscription";
  readonly name: string;
  readonly role: AgentRole;
}

/** The account as which Pub/Sub forwards dead letters (cloud.google.com/iam/docs/service-agents). */
function serviceAgent(projectNumber: string): string {
  return `serviceAccount:service-${projectNumber}@gcp-sa-pubsub.iam.gserviceaccount.com`;
}

/** Grants Pub/Sub's service agent what forwarding dead letters takes. */
export class Grants {
  readonly #cloud: Cloud;
  readonly #calls: Calls;
  #agent: Promise<string> | undefined;

  constructor(cloud: Cloud, calls: Calls) {
    this.#cloud = cloud;
    this.#calls = calls;
  }

  /** @throws TasksError when the number of the project, and with it the agent's name, cannot be found out. */
  agent(): Promise<string> {
    this.#agent ??= this.#calls.run("pubsub", () => this.#cloud.projectNumber()).then(serviceAgent);
    return this.#agent;
  }

  /**
   * On a resource that was made a moment ago, whose policy is known to be empty.
   *
   * @throws TasksError that says which role on what is needed for it.
   */
  write({ kind, name, role }: Granted): Promise<void> {
    return this.#granting(name, role, async (member) => {
      const policy = { bindings: [{ role, members: [member] }] };
      await this.#calls.run("pubsub", () => this.#cloud.setPolicy(kind, name, policy), {
        whenNotFound: true,
        completes: true,
      });
    });
  }

  /**
   * On a resource that others may have granted as well. Resolves to whether anything had to be written.
   *
   * @throws TasksError as {@link write}.
   */
  ensure({ kind, name, role }: Granted): Promise<boolean> {
    return this.#granting(name, role, async (member) => {
      for (let race = 1; ; race++) {
        const policy = await this.#calls.run("pubsub", () => this.#cloud.getPolicy(kind, name), { completes: true });
        if (isGranted(policy, role, member)) return false;
        const more = { ...policy, bindings: [...policy.bindings, { role, members: [member] }] };
        try {
          await this.#calls.run("pubsub", () => this.#cloud.setPolicy(kind, name, more), {
            whenRaced: false,
            completes: true,
          });
          return true;
        } catch (error) {
          if (grpcCode(error) !== GRPC.ABORTED || race === MOST_RACES) throw error;
        }
      }
    });
  }

  async #granting<T>(name: string, role: AgentRole, grant: (member: string) => Promise<T>): Promise<T> {
    const member = await this.agent();
    try {
      return await grant(member);
    } catch (error) {
      if (error instanceof Ended) throw error;
      throw grantFailure(error, name, member, role);
    }
  }
}

function isGranted({ bindings }: Policy, role: string, member: string): boolean {
  return bindings.some((binding) => binding.role === role && binding.members.includes(member));
}
