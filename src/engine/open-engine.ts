import { resolve } from "node:path";
import type { BackendHost } from "../core/backend.ts";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/dead-letter.ts";
import { TasksError } from "../core/errors.ts";
import { assertFaultOptions, assertNoFaults, disturbs, type FaultOptions } from "../core/fault-options.ts";
import type { Logger } from "../core/logger.ts";
import { OptionReader } from "../core/options.ts";
import { Engine } from "./engine.ts";
import { RandomFaults } from "./faults.ts";
import type { EngineHost } from "./host.ts";
import { Journal } from "./journal.ts";
import type { Synchronous } from "./journal-file.ts";

/** What the backends on a local engine have in common. */
export interface LocalEngineOptions {
  /** Deliveries in flight at once, all routes together. Default 100. */
  readonly maxInFlight?: number;
  /**
   * File in which the queue is kept, so that it outlives the process; relative to the folder that the process was started
   * in. It is this process's alone: another one is refused while this one lives. Clients of this process that name the
   * same file share one engine. Default: none, the queue is in memory.
   */
  readonly file?: string;
  /**
   * How far a write goes before `enqueue` resolves. `"normal"` (default) outlives the end of the process, however it comes;
   * `"full"` also a loss of the machine's power, and waits for the disk.
   */
  readonly synchronous?: Synchronous;
  /** What goes wrong, for trying out how a service takes it. Default: what the `TASKS_FAULT_` variables say. */
  readonly faults?: FaultOptions;
}

/** Names of {@link LocalEngineOptions}. */
export const LOCAL_ENGINE_OPTIONS: readonly (keyof LocalEngineOptions)[] = [
  "maxInFlight",
  "file",
  "synchronous",
  "faults",
];

/** An engine that a backend uses, alone or with others. */
export interface OpenEngine {
  readonly engine: Engine;
  /** Gives it back: the last one that does closes it. */
  close(): void;
  /** Lets go of what it holds, after {@link OpenEngine.close} and once nothing is in flight any more. */
  dispose(): void;
}

interface SharedEngine {
  readonly name: string;
  readonly clock: Clock;
  readonly engine: Engine;
}

/** On the global object, because a hot reload evaluates this module again as well. */
const SHARED = Symbol.for("taskroute.engines");

function sharedEngines(): Set<SharedEngine> {
  const holder = globalThis as { [SHARED]?: Set<SharedEngine> };
  holder[SHARED] ??= new Set();
  return holder[SHARED];
}

/**
 * Opens an engine, or attaches to the one that this process has already: by its file, else by a name under which a client
 * with any of the same routes has opened one.
 *
 * @param shared name to share an engine in memory under. Default: an engine of its own.
 * @throws TasksError `INVALID_OPTION`, `INVALID_CONFIG`, and as the file's opening does.
 */
export function openEngine(
  scope: BackendHost,
  host: EngineHost,
  options: LocalEngineOptions,
  shared?: string,
): OpenEngine {
  const read = new OptionReader("local engine", options);
  const file = read.text("file");
  const synchronous = read.oneOf("synchronous", ["normal", "full"]);
  const disturbance = options.faults ?? scope.config.faults;
  assertFaultOptions(disturbance);
  assertNoFaults(scope.config.production, disturbance);
  const { clock, logger } = scope;
  const path = file === undefined ? undefined : resolve(file);
  const make = () => {
    const failed = (error: unknown) =>
      logger.error("the local queue could not be written; it is tried again", {
        file: path,
        error: describeError(error),
      });
    const journal = path === undefined ? undefined : new Journal({ file: path, synchronous, clock, failed });
    const faults = disturbs(disturbance) ? randomFaults(disturbance, logger) : undefined;
    return new Engine(host, { clock, maxInFlight: options.maxInFlight, journal, faults });
  };
  const engine = path === undefined && shared === undefined ? make() : sharedEngine(path, shared, clock, host, make);
  let isClosed = false;
  return {
    engine,
    close() {
      isClosed = engine.detach(host);
      if (isClosed) for (const each of sharedEngines()) if (each.engine === engine) sharedEngines().delete(each);
    },
    dispose() {
      if (isClosed) engine.dispose(logger);
    },
  };
}

function sharedEngine(
  file: string | undefined,
  shared: string | undefined,
  clock: Clock,
  host: EngineHost,
  make: () => Engine,
): Engine {
  const name = file ?? `memory of ${shared}`;
  for (const each of sharedEngines()) {
    if (each.name !== name) continue;
    if (file === undefined && !(each.clock === clock && each.engine.hasRouteOf(host))) continue;
    if (each.clock !== clock) {
      throw new TasksError(
        "INVALID_CONFIG",
        `local queue ${name}: expected one clock for all its clients in this process, got another; give this client a file of its own`,
      );
    }
    each.engine.attach(host);
    return each.engine;
  }
  const engine = make();
  sharedEngines().add({ name, clock, engine });
  return engine;
}

function randomFaults(options: FaultOptions, logger: Logger): RandomFaults {
  const faults = new RandomFaults(options);
  logger.warn("faults are injected into deliveries; repeat them with this seed", { ...options, seed: faults.seed });
  return faults;
}
