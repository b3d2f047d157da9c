import { basename, dirname, join, resolve } from "node:path";
import type { BackendHost } from "../core/backend.ts";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/dead-letter.ts";
import { isTasksError, TasksError } from "../core/errors.ts";
import { assertFaultOptions, assertNoFaults, disturbs, type FaultOptions } from "../core/fault-options.ts";
import type { Logger } from "../core/logger.ts";
import { OptionReader } from "../core/options.ts";
import { Engine } from "./engine.ts";
import { RandomFaults } from "./faults.ts";
import { fileSystem } from "./file-system.ts";
import type { EngineHost } from "./host.ts";
import { Journal } from "./journal.ts";
import type { Synchronous } from "./journal-file.ts";
import { assertMaxInFlight, MAX_IN_FLIGHT } from "./lanes.ts";

/** What the backends on a local engine have in common. */
export interface LocalEngineOptions {
  /** Deliveries in flight at once, all routes together. Default 100. */
  readonly maxInFlight?: number;
  /**
   * File in which the queue is kept, so that it outlives the process; relative to the working directory. It is this
   * process's alone: another one is refused while this one lives. Clients of this process that name the same file share one
   * engine, with the options of the first. Default: none, the queue is in memory.
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

/**
 * Whether tasks outlive the process. Not in production, where nothing tells a disk from a container's memory: Cloud Run keeps
 * its file system there, https://cloud.google.com/run/docs/container-contract#filesystem.
 */
export function isDurable({ config }: BackendHost, { file }: LocalEngineOptions): boolean {
  return file !== undefined && !config.production;
}

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
  readonly settings: string;
  readonly engine: Engine;
  readonly logger: Logger;
  /** Whether the last client has given it back; what is in flight may still end. */
  isClosing: boolean;
}

/** On the global object, because a hot reload evaluates this module again as well; the number changes with the classes. */
const SHARED = Symbol.for("taskroute.engines.1");

function sharedEngines(): Set<SharedEngine> {
  const holder = globalThis as { [SHARED]?: Set<SharedEngine> };
  holder[SHARED] ??= new Set();
  return holder[SHARED];
}

/**
 * Opens an engine, or attaches to the one that this process has already: by its file, else by a name under which a client
 * with any of the same routes has opened one. The options of the first client hold; others are logged.
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
  const file = readFile(options);
  const faults = options.faults ?? scope.config.faults;
  assertFaultOptions(faults);
  assertNoFaults(scope.config.production, faults);
  assertMaxInFlight(options.maxInFlight ?? MAX_IN_FLIGHT);
  const { file: _, ...others } = options;
  const settings = { ...others, faults, ...(file === undefined ? {} : { file }) };
  const entry =
    file === undefined && shared === undefined
      ? makeEngine(scope, host, settings, undefined)
      : sharedEngine(scope, host, settings, file ?? `memory of ${shared}`);
  const { engine } = entry;
  let isLast = false;
  return {
    engine,
    close() {
      isLast = engine.detach(host);
      if (isLast) entry.isClosing = true;
    },
    dispose() {
      if (isLast) dispose(entry);
    },
  };
}

function readFile(options: LocalEngineOptions): string | undefined {
  const read = new OptionReader("local engine", options);
  read.oneOf("synchronous", ["normal", "full"]);
  const file = read.text("file");
  if (file === undefined) return undefined;
  if (/^(:memory:|file:)/.test(file)) read.fail("file", "a path", "leave it out for a queue in memory");
  return realPath(resolve(file));
}

/** A file by its one true name, so that two spellings of it are not taken for two files; it need not exist yet. */
function realPath(path: string): string {
  const { existsSync, realpathSync } = fileSystem();
  if (existsSync(path)) return realpathSync(path);
  return join(realPath(dirname(path)), basename(path));
}

/** Lets go of an engine, with what was in flight when its time was over. */
function dispose(entry: SharedEngine): void {
  sharedEngines().delete(entry);
  entry.engine.dispose(entry.logger);
}

function sharedEngine(scope: BackendHost, host: EngineHost, options: LocalEngineOptions, name: string): SharedEngine {
  for (const entry of sharedEngines()) {
    if (entry.name !== name || (options.file === undefined && !fits(entry, scope, host))) continue;
    if (entry.isClosing) {
      dispose(entry);
      continue;
    }
    if (entry.clock !== scope.clock) {
      throw new TasksError(
        "INVALID_CONFIG",
        `local queue ${name}: expected one clock for all its clients in this process, got another; give this client a file of its own`,
      );
    }
    if (entry.settings !== settingsOf(options)) {
      const text = "the local queue is open already, with other options; they hold until the process ends";
      scope.logger.warn(text, { open: entry.settings, wanted: settingsOf(options) });
    }
    entry.engine.attach(host);
    return entry;
  }
  const entry = makeEngine(scope, host, options, name);
  sharedEngines().add(entry);
  return entry;
}

/** Whether a client takes part in an engine in memory: one that serves its routes, on its clock. */
function fits({ clock, engine, isClosing }: SharedEngine, scope: BackendHost, host: EngineHost): boolean {
  return !isClosing && clock === scope.clock && engine.hasRouteOf(host);
}

function settingsOf({ maxInFlight = MAX_IN_FLIGHT, synchronous = "normal", faults = {} }: LocalEngineOptions): string {
  return JSON.stringify({ maxInFlight, synchronous, faults });
}

function makeEngine(
  { clock, logger }: BackendHost,
  host: EngineHost,
  options: LocalEngineOptions,
  name = "in memory",
): SharedEngine {
  const { file, synchronous, maxInFlight } = options;
  const faults = randomFaults(options.faults ?? {}, logger);
  const failed = (error: unknown) =>
    logger.error("the local queue could not be written; it is tried again", { file, error: describeError(error) });
  let journal: Journal | undefined;
  try {
    journal = file === undefined ? undefined : new Journal({ file, synchronous, clock, failed });
    const engine = new Engine(host, { clock, maxInFlight, journal, faults });
    return { name, clock, settings: settingsOf(options), engine, logger, isClosing: false };
  } catch (error) {
    journal?.close();
    throw file === undefined ? error : unreadable(file, error);
  }
}

/** What it means that the content of a queue's file is not as this library writes it. */
function unreadable(file: string, error: unknown): unknown {
  if (isTasksError(error)) return error;
  return new TasksError(
    "INVALID_CONFIG",
    `local queue ${file}: expected the content of a queue, got something else (${describeError(error)}); restore it, or move it away and start afresh`,
    { cause: error },
  );
}

function randomFaults(options: FaultOptions, logger: Logger): RandomFaults | undefined {
  if (!disturbs(options)) return undefined;
  const faults = new RandomFaults(options);
  logger.warn("faults are injected into deliveries; repeat them with this seed", { ...options, seed: faults.seed });
  return faults;
}
