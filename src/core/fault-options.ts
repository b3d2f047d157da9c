import type { Environment } from "./config.ts";
import { TasksError } from "./errors.ts";
import { assertKnownOptions, OptionReader, shown } from "./options.ts";
import { didYouMean } from "./suggest.ts";

/** What goes wrong on a local engine, by chance: rates are from 0 (never, the default) to 1 (always). */
export interface FaultOptions {
  /** How many deliveries that were acknowledged happen once more all the same, as Pub/Sub's at-least-once allows. */
  readonly duplicateRate?: number;
  /** How many deliveries are answered as failed without the task being run. Uses up an attempt. */
  readonly failureRate?: number;
  /** How many acknowledgements get lost after the task has run: it is delivered again after its ack deadline. */
  readonly dropRate?: number;
  /** How many deliveries are put behind the others that wait. */
  readonly reorderRate?: number;
  /** Seconds that every delivery takes to arrive, up to 3600. Default 0. */
  readonly latencySeconds?: number;
  /** By how much that varies, as a share of it: 0.5 means from half to one and a half times. Default 0. */
  readonly latencyJitter?: number;
  /**
   * Whole number of 0–4294967295 that decides what is hit: with the same seed the same delivery of the same task, counted
   * in order of enqueuing, comes to the same, however the tasks interleave. Default: another one each time, which is logged.
   */
  readonly seed?: number;
}

/** One more than the greatest seed. */
export const SEEDS: number = 2 ** 32;

const RATE = { min: 0, max: 1 };
const LIMITS: Readonly<Record<keyof FaultOptions, { min: number; max: number; whole?: boolean; unit?: string }>> = {
  duplicateRate: RATE,
  failureRate: RATE,
  dropRate: RATE,
  reorderRate: RATE,
  latencySeconds: { min: 0, max: 3600, unit: "seconds" },
  latencyJitter: RATE,
  seed: { min: 0, max: SEEDS - 1, whole: true },
};

/** The environment variable of each option. */
const VARIABLE_OF = {
  duplicateRate: "TASKS_FAULT_DUPLICATE_RATE",
  failureRate: "TASKS_FAULT_FAILURE_RATE",
  dropRate: "TASKS_FAULT_DROP_RATE",
  reorderRate: "TASKS_FAULT_REORDER_RATE",
  latencySeconds: "TASKS_FAULT_LATENCY_SECONDS",
  latencyJitter: "TASKS_FAULT_LATENCY_JITTER",
  seed: "TASKS_FAULT_SEED",
} as const satisfies Readonly<Record<keyof FaultOptions, string>>;

/** Every option of faults. */
export const FAULT_OPTIONS = Object.keys(LIMITS) as readonly (keyof FaultOptions)[];

/**
 * Checks options of faults.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export function assertFaultOptions(options: FaultOptions): void {
  assertKnownOptions("faults", options, FAULT_OPTIONS);
  const read = new OptionReader("faults", options);
  for (const name of FAULT_OPTIONS) read.number(name, LIMITS[name], 0);
}

/**
 * Reads the `TASKS_FAULT_` variables.
 *
 * @param problem called with each thing that is wrong.
 */
export function readFaults(env: Environment, problem: (text: string) => void): FaultOptions {
  const known: readonly string[] = Object.values(VARIABLE_OF);
  for (const variable of Object.keys(env)) {
    if (!/^TASKS_FAULTS?_/.test(variable) || known.includes(variable)) continue;
    problem(`${variable}: unknown variable${didYouMean(variable, known) || `; known are ${known.join(", ")}`}`);
  }
  const faults: Partial<Record<keyof FaultOptions, number>> = {};
  for (const name of FAULT_OPTIONS) {
    const variable = VARIABLE_OF[name];
    const text = env[variable]?.trim() ?? "";
    if (text === "") continue;
    const value = Number(text);
    const { min, max, whole = false } = LIMITS[name];
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) faults[name] = value;
    else {
      const kind = whole ? "a whole number" : "a number";
      problem(`${variable}: expected ${kind} of ${min}–${max}, got ${shown(text)}; correct or unset it`);
    }
  }
  return faults;
}

/** Whether options of faults disturb anything. */
export function disturbs(options: FaultOptions): boolean {
  const { duplicateRate = 0, failureRate = 0, dropRate = 0, reorderRate = 0, latencySeconds = 0 } = options;
  return duplicateRate + failureRate + dropRate + reorderRate + latencySeconds > 0;
}

/**
 * Refuses faults in production, whoever asked for them.
 *
 * @throws TasksError `INVALID_CONFIG`.
 */
export function assertNoFaults(production: boolean, options: FaultOptions): void {
  if (!production || !disturbs(options)) return;
  const given = FAULT_OPTIONS.filter((name) => (options[name] ?? 0) > 0);
  throw new TasksError(
    "INVALID_CONFIG",
    `faults: expected none in production, got ${given.join(", ")}; leave them out and unset ${given.map((name) => VARIABLE_OF[name]).join(", ")}`,
  );
}
