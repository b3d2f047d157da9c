import type { AnyRoute } from "../core/declaration.ts";
import type { Logger } from "../core/logger.ts";
import type { Outcome } from "../core/outcome.ts";
import type { LanePolicy } from "./lane-policy.ts";
import type { Message } from "./message.ts";

/** Who an engine delivers to, and for. */
export interface EngineHost {
  readonly routes: readonly AnyRoute[];
  readonly logger: Logger;
  /** Which client of the process it is, counted as they are made: of two with a route in common the later one counts. */
  readonly generation: number;
  /** Delivers one message and tells what it came to. Must not reject. */
  deliver(message: Message): Promise<Outcome>;
  /** What deliveries of a route keep to. Default: what the service that carries the route would. */
  policy?(route: AnyRoute): LanePolicy;
  /**
   * Told when the transport gives a message up, after its last `outcome`; the message ends with that. Default: it is parked
   * as a dead letter.
   */
  gaveUp?(message: Message, outcome: Outcome): void;
  /** Reports a tick that was not sent because the run before it is not finished. */
  skipped(route: AnyRoute, scheduledFor: Date): void;
}
