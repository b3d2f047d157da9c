import { afterEach } from "vitest";
import type { BackendFactory } from "../../src/core/backend.ts";
import type { RuntimeOptions } from "../../src/core/runtime-options.ts";
import type { AnyTasks } from "../../src/core/tasks.ts";
import type { VirtualClock } from "../../src/engine/clock.ts";
import { type LogLine, recordLog } from "../support/log.ts";
import { Recorder } from "./recorder.ts";
import { WatchedClock } from "./watched-clock.ts";

/** A backend that is ready for a client. */
export interface OpenBackend {
  readonly backend: BackendFactory;
  /** Default: none. */
  readonly env?: Record<string, string>;
  /** Makes what a client needs before it is used. */
  prepare?(tasks: AnyTasks): Promise<unknown>;
  /** Lets a client receive what the backend delivers. */
  serve?(tasks: AnyTasks): void;
  close?(): Promise<void>;
}

/** A client's surroundings: its backend, its time, and what it reports. */
export interface Scene<C extends VirtualClock> {
  /** To be spread into `createTasks`. */
  readonly options: RuntimeOptions & { readonly backend: BackendFactory };
  readonly clock: C;
  readonly recorder: Recorder;
  readonly lines: readonly LogLine[];
  /** Connects a client with its backend, and closes it after the test. */
  adopt<T extends ClosableTasks>(tasks: T): T;
}

interface ClosableTasks extends AnyTasks {
  close(): Promise<void>;
}

const cleanups: (() => Promise<void> | undefined)[] = [];

/** Closes after each test what the scenes of a file have opened. */
export function closeScenes(): void {
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
}

/** The surroundings of one client, on virtual time. */
export function createScene(opened: OpenBackend): Scene<WatchedClock>;
export function createScene<C extends VirtualClock>(opened: OpenBackend, clock: C): Scene<C>;
export function createScene(
  { backend, env = {}, serve, close }: OpenBackend,
  clock: VirtualClock = new WatchedClock(),
): Scene<VirtualClock> {
  const recorder = new Recorder();
  const { logger, lines } = recordLog();
  cleanups.push(async () => close?.());
  return {
    options: { backend, clock, hooks: recorder.hooks, logger, env },
    clock,
    recorder,
    lines,
    adopt(tasks) {
      serve?.(tasks);
      // Whatever hangs is given up while this time passes.
      cleanups.push(async () => void (await Promise.all([tasks.close(), clock.advance(60_000)])));
      return tasks;
    },
  };
}
