import { GRPC, grpcCode } from "../../src/google/status.ts";
import type { Cloud } from "../../src/provision/cloud.ts";
import type { DesiredState } from "../../src/provision/resources.ts";

/** How many calls were made. */
export interface CallCount {
  calls: number;
}

/** A cloud that counts the calls to it. */
export function counting(cloud: Cloud, count: CallCount): Cloud {
  const counted = <A extends unknown[], R>(call: (...args: A) => R) => {
    return (...args: A): R => {
      count.calls++;
      return call(...args);
    };
  };
  return {
    list: counted((...args) => cloud.list(...args)),
    get: counted((...args) => cloud.get(...args)),
    create: counted((...args) => cloud.create(...args)),
    update: counted((...args) => cloud.update(...args)),
    delete: counted((...args) => cloud.delete(...args)),
    setPaused: counted((...args) => cloud.setPaused(...args)),
    getPolicy: counted((...args) => cloud.getPolicy(...args)),
    setPolicy: counted((...args) => cloud.setPolicy(...args)),
    projectNumber: () => cloud.projectNumber(),
    close: () => cloud.close(),
  };
}

/**
 * What many services do at every boot: create each resource, catch that it exists and update it then, one after the other;
 * and look whether each grant is there, and write it if it is not.
 */
export async function naiveApply(cloud: Cloud, { resources }: DesiredState): Promise<void> {
  const member = "serviceAccount:agent@p.iam.gserviceaccount.com";
  for (const resource of resources) {
    try {
      await cloud.create(resource);
    } catch (error) {
      if (grpcCode(error) !== GRPC.ALREADY_EXISTS) throw error;
      const mutable = Object.keys(resource.settings).filter(
        (name) => !["topic", "filter", "enableMessageOrdering", "detached", "state"].includes(name),
      );
      await cloud.update(resource, mutable);
    }
    if (resource.kind !== "topic" && resource.kind !== "subscription") continue;
    if (resource.agentRole === undefined) continue;
    const policy = await cloud.getPolicy(resource.kind, resource.name);
    if (policy.bindings.some(({ role }) => role === resource.agentRole)) continue;
    const bindings = [...policy.bindings, { role: resource.agentRole, members: [member] }];
    await cloud.setPolicy(resource.kind, resource.name, { ...policy, bindings });
  }
}
