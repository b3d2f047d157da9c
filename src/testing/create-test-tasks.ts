import type { BackendHost } from "../core/backend.ts";
import type { AnyRoute } from "../core/declaration.ts";
import { TasksError } from "../core/errors.ts";
import type { ContextFactory } from "../core/invoke.ts";
import { silentLogger } from "../core/logger.ts";
import { assertKnownOptions, OptionReader } from "../core/options.ts";
import { Runtime } from "../core/runtime.ts";
import { RUNTIME_OPTIONS, type RuntimeOptions } from "../core/runtime-options.ts";
import type { ContextOption } from "../core/tasks.ts";
import { VirtualClock } from "../engine/clock.ts";
import { TestBackend } from "./test-backend.ts";
import { TestProcess } from "./test-process.ts";
import { TestTasks } from "./test-tasks.ts";

/** Options of {@link createTestTasks} that do not depend on the types of its routes. */
export interface TestOptions extends Omit<RuntimeOptions, "backend" | "clock" | "cloud" | "provision"> {
  /** Time. Default: a clock of its own that begins at 2026-01-01T00:00:00Z. */
  readonly clock?: VirtualClock;
  /**
   * Called when `crashDuring` or `crashNow` lets the process die: the place to forget what the service keeps in memory, such
   * as caches. Default: nothing is forgotten.
   */
  readonly onCrash?: () => void;
  /** Whether tasks may end as dead letters in `deliverAll` and `deliverUntil`; else one that does fails the test. Default `false`. */
  readonly allowDeadLetters?: boolean;
  /**
   * Seconds of the machine's time after which a delivery is taken for one that hangs, 0 for never. Default 4: Vitest and Jest
   * give up after 5, and cannot say why.
   */
  readonly patience?: number;
}

/** Options of {@link createTestTasks}: those of `createTasks` but for the backend and the cloud, and what is for tests alone. */
export type TestTasksOptions<L extends readonly AnyRoute[]> = TestOptions & {
  /** The tasks under test. */
  readonly routes: L;
} & ContextOption<L>;

type Given = TestOptions & { readonly routes: readonly AnyRoute[]; readonly context?: ContextFactory<unknown> };

const PATIENCE_S = 4;
/** As `createTasks` has it. */
const DRAIN_TIMEOUT_S = 8;

const OWN_OPTIONS = ["onCrash", "allowDeadLetters", "patience"] as const satisfies readonly (keyof TestOptions)[];
/** Nothing of a test is in the cloud. */
const ABSENT: readonly string[] = ["backend", "cloud", "provision"];
const OPTIONS = [...RUNTIME_OPTIONS.filter((name) => !ABSENT.includes(name)), ...OWN_OPTIONS];

/**
 * Makes the client of a test: what `createTasks` makes, with a queue in memory from which the test delivers step by step, on
 * virtual time. Clients know nothing of each other. None needs to be closed. It is silent unless given a `logger`, and
 * push handlers that are built for it let in what {@link pushRequest} signs.
 *
 * @throws TasksError `INVALID_OPTION` or `DUPLICATE_ROUTE`; `INVALID_CONFIG` in production.
 */
export function createTestTasks<const L extends readonly AnyRoute[]>(
  options: TestTasksOptions<L>,
): TestTasks<L[number]> {
  assertKnownOptions("createTestTasks", options, OPTIONS);
  const read = new OptionReader("createTestTasks", options);
  const patience = read.number("patience", { min: 0, max: 86_400, unit: "seconds" }, PATIENCE_S);
  const given: Given = options;
  const { clock = new VirtualClock(), onCrash = () => {}, allowDeadLetters = false, patience: _, ...rest } = given;
  const { logger = silentLogger, env = process.env, drainTimeout = DRAIN_TIMEOUT_S } = rest;
  const mortal = new TestProcess(onCrash);
  const backend = (host: BackendHost) => new TestBackend(host, clock, mortal);
  const middleware = [mortal.middleware, ...(rest.middleware ?? [])];
  const composition = { chooseBackend: () => backend, loadProvisioner: noProvisioner, platform: process.env };
  const runtime = new Runtime({ ...rest, backend, clock, logger, env, middleware }, composition);
  if (runtime.config.production) {
    throw new TasksError(
      "INVALID_CONFIG",
      "createTestTasks: expected a test, got an environment of production; use createTasks there, or unset NODE_ENV for the test",
    );
  }
  return new TestTasks<L[number]>({
    runtime,
    backend: runtime.backend as TestBackend,
    clock,
    patience,
    allowDeadLetters,
    drainTimeout,
  });
}

async function noProvisioner(): Promise<never> {
  throw new TasksError(
    "UNSUPPORTED",
    "provision: expected a client of createTasks, got one of createTestTasks; a test has no cloud",
  );
}
