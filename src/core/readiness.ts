import type { Clock } from "./clock.ts";
import { describeError } from "./dead-letter.ts";
import type { Logger } from "./logger.ts";
import { busy, type Outcome } from "./outcome.ts";
import { within } from "./within.ts";

/** Tells whether a service can take work right now, see `createTasks({ ready })`. */
export type Ready = () => boolean | Promise<boolean>;

/** How long the check may take before it counts as a no. */
const LONGEST_READY_MS = 5000;

/** `undefined` when the service is ready, else the outcome that sends a delivery away. A check that throws is a no. */
export async function busyUnless(
  ready: Ready,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<Outcome | undefined> {
  try {
    const taken = await within(clock, LONGEST_READY_MS, Promise.resolve(ready()), () => false);
    return taken ? undefined : busy("not-ready");
  } catch (error) {
    logger.warn("the ready check threw; deliveries are sent back", { error: describeError(error) });
    return busy("not-ready");
  }
}
