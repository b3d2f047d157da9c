import type { TimerHandle } from "../../src/core/clock.ts";
import { WatchedClock } from "../backends/watched-clock.ts";

/** As long as Pub/Sub waits at least before it pushes again, whatever the subscription's own back-off. */
const SHORT_MS = 100;

/** Virtual time on which short waits pass by themselves, so that no test has to know of them. */
export class QuickClock extends WatchedClock {
  override setTimeout(callback: () => void, ms: number): TimerHandle {
    const handle = super.setTimeout(callback, ms);
    if (ms > 0 && ms <= SHORT_MS) setImmediate(() => void this.advance(ms));
    return handle;
  }
}
