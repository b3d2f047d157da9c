import type { EngineHost } from "./host.ts";
import type { Lanes } from "./lanes.ts";

/**
 * Who runs which lane of an engine. A host that has a route in common with a later one is done with as a whole: it was an
 * earlier evaluation of the same list.
 */
export class Hosts {
  readonly #lanes: Lanes;
  readonly #hosts = new Set<EngineHost>();

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  /** How many there are. */
  get size(): number {
    return this.#hosts.size;
  }

  /** Whether a host is here and has not been followed by a later one. */
  has(host: EngineHost): boolean {
    return this.#hosts.has(host);
  }

  /** Gives a host the lanes of its routes; `false`, and nothing has changed, when a later one runs any of them. */
  add(host: EngineHost): boolean {
    const taken = new Set(host.routes.map(({ path }) => path));
    const rivals = [...this.#hosts].filter(({ routes }) => routes.some(({ path }) => taken.has(path)));
    if (rivals.some(({ generation }) => generation > host.generation)) return false;
    for (const rival of rivals) this.remove(rival);
    for (const route of host.routes) this.#lanes.of(route).assign(route, host);
    this.#hosts.add(host);
    const left = rivals.flatMap(({ routes }) => routes.map(({ path }) => path)).filter((path) => !taken.has(path));
    if (left.length > 0)
      host.logger.warn("nobody runs some routes of an earlier client that a later one has followed", { left });
    return true;
  }

  /** Takes its lanes from a host; `false` when it is not here. */
  remove(host: EngineHost): boolean {
    if (!this.#hosts.delete(host)) return false;
    for (const lane of this.#lanes.all()) if (lane.host === host) lane.host = undefined;
    return true;
  }
}
