import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { Engine } from "../engine/engine.ts";
import type { EngineHost } from "../engine/host.ts";
import type { Identity } from "../engine/identity.ts";
import { cloudTasksService } from "./cloud-tasks.ts";
import type { EmulatorFaults } from "./faults.ts";
import { IamPolicies } from "./iam.ts";
import type { Projects } from "./projects.ts";
import { Pubsub } from "./pubsub.ts";
import { schedulerService } from "./scheduler.ts";
import type { EmulatorScope, Service } from "./service.ts";

/** Pushes and dispatches in flight at once, all subscriptions and queues together. */
const MAX_IN_FLIGHT = 1000;

/** What outlives a reset. */
export interface WorldParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly identity: Identity;
  readonly faults: EmulatorFaults;
  readonly projects: Projects;
  readonly iam: "strict" | "off";
}

/** Everything that an emulator holds: one engine, and the services on it. */
export class World {
  readonly services: readonly Service[];
  readonly #engine: Engine;

  constructor(parts: WorldParts) {
    const { clock, logger, faults } = parts;
    this.#engine = new Engine(nobody(logger), { clock, faults, maxInFlight: MAX_IN_FLIGHT });
    const { identity, projects } = parts;
    const scope: EmulatorScope = {
      clock,
      logger,
      identity,
      projects,
      engine: this.#engine,
      iam: new IamPolicies(),
      checksGrants: parts.iam === "strict",
      publish: (topic, message) => pubsub.publish(topic, message),
    };
    const pubsub = new Pubsub(scope);
    this.services = [...pubsub.services, cloudTasksService(scope), schedulerService(scope)];
  }

  /** Stops everything. */
  async close(): Promise<void> {
    this.#engine.close();
    await Promise.all(this.services.map((service) => service.close?.()));
  }
}

/** A host without routes, so that the engine stays open while there is no subscription and no queue. */
function nobody(logger: Logger): EngineHost {
  return {
    routes: [],
    logger,
    generation: 0,
    deliver: async () => ({ type: "busy", reason: "not-ready", retryAfter: 1 }),
    skipped: () => {},
  };
}
