import type { Environment } from "./config.ts";
import type { AnyRoute } from "./declaration.ts";

const OFF: ReadonlySet<string> = new Set(["false", "0", "off", "no"]);

/** Whether a route's kill switch is off right now. Unset and any other value mean on. */
export function isSwitchedOff(route: AnyRoute, env: Environment): boolean {
  const killSwitch = route.settings.killSwitch;
  if (killSwitch === undefined) return false;
  const value = env[killSwitch.env];
  return value !== undefined && OFF.has(value.trim().toLowerCase());
}
