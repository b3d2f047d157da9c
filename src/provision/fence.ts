import type { Cloud } from "./cloud.ts";
import { generationOf, newestOf, oursOf } from "./ownership.ts";
import type { DesiredState, ObservedResource } from "./resources.ts";

/** Thrown before a write by a deployment that a newer one has overtaken. */
export class Overtaken extends Error {
  override readonly name: "Overtaken" = "Overtaken";

  constructor(generation: number) {
    super(`a newer deployment (${generation}) has begun meanwhile`);
  }
}

/** What a fence looks at. */
export interface FenceScope {
  readonly cloud: Cloud;
  readonly desired: DesiredState;
  /** Full name of the topic that a newer deployment signs before it writes; `undefined` when there was none yet. */
  readonly mark: string | undefined;
}

/**
 * Keeps an older deployment from overwriting what a newer one has made. The services have no conditional writes, so it looks
 * before each write, which leaves the time of one call; the newer deployment looks again after that (see settle.ts).
 */
export class Fence {
  readonly #scope: FenceScope;
  #overtaken: Overtaken | undefined;

  constructor(scope: FenceScope) {
    this.#scope = scope;
  }

  /** A {@link Repeatable.guard} of writes. @throws Overtaken; what the look-up throws. */
  async assertNewest(): Promise<void> {
    const { generation } = this.#scope.desired.owner;
    if (generation === undefined) return;
    if (this.#overtaken === undefined) {
      const newest = await this.#newest();
      if (newest !== undefined && newest > generation) this.#overtaken = new Overtaken(newest);
    }
    if (this.#overtaken !== undefined) throw this.#overtaken;
  }

  async #newest(): Promise<number | undefined> {
    const { cloud, desired, mark } = this.#scope;
    const topic = mark === undefined ? undefined : await cloud.get("topic", mark);
    // Where there was none yet, or a newer one has deleted it, another topic bears the signature.
    return topic === undefined ? newestOf(oursOf(desired.owner, await this.#topics())) : generationOf(topic);
  }

  async #topics(): Promise<readonly ObservedResource[]> {
    const { cloud, desired } = this.#scope;
    const topics: ObservedResource[] = [];
    let page: string | undefined;
    do {
      const listed = await cloud.list("topic", `projects/${desired.projectId}`, page);
      topics.push(...listed.resources);
      page = listed.next;
    } while (page !== undefined);
    return topics;
  }
}
