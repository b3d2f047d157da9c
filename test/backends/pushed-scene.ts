import { type LocalHttpOptions, localHttp } from "../../src/backends/local-http.ts";
import { Endpoint } from "./endpoint.ts";
import { createScene, type Scene } from "./scene.ts";
import { WatchedClock } from "./watched-clock.ts";

/** Failures of such a route are retried at once, so that no time needs to pass for them. */
export const atOnce = { minRetryDelay: 0, maxRetryDelay: 0 } as const;

/** The surroundings of a client whose tasks are pushed to its own push handler, on a real server. */
export async function createPushedScene(
  options: Omit<LocalHttpOptions, "url"> = {},
  clock: WatchedClock = new WatchedClock(),
): Promise<Scene<WatchedClock> & { readonly endpoint: Endpoint }> {
  const endpoint = await Endpoint.open();
  const opened = {
    backend: localHttp({ ...options, url: endpoint.url }),
    serve: endpoint.serve.bind(endpoint),
    close: () => endpoint.stop(),
  };
  return { ...createScene(opened, clock), endpoint };
}
