import type { AnyRoute } from "../core/declaration.ts";
import { readRouteOptions } from "../core/read-route-options.ts";

const SETTINGS = readRouteOptions("TaskContract", { path: "emulator.lane" });

/**
 * What a resource of the cloud is to the engine: the route of one lane, under the resource's full name. What it keeps to
 * is for its host to say.
 *
 * @param ackDeadline seconds that a delivery may take, at which the answer counts as lost that a fault takes away.
 */
export function laneRoute(path: string, ackDeadline: number): AnyRoute {
  return { path, name: path, schema: undefined, settings: { ...SETTINGS, ackDeadline } };
}
