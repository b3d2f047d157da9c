import fc from "fast-check";
import { Busy, Discard, RetryAfter } from "../../src/core/errors.ts";
import type { Life, Run } from "./life.ts";
import type { World } from "./world.ts";

/** What a run comes to. */
export type Fate = "done" | "throw" | "busy" | "later" | "discard";

/** A run of a script: after so many seconds it comes to its fate; for 0 at once, without a promise. */
export interface FatedRun {
  readonly seconds: number;
  readonly fate: Fate;
}

/** A task of a script: the runs it is given, the last one again and again. */
export interface FatedTask {
  readonly path: string;
  /** Seconds. */
  readonly delay: number | undefined;
  readonly fates: readonly FatedRun[];
}

/** Tasks that are offered, seconds that pass, and orderly restarts, in turn. */
export type Script = readonly (FatedTask | number | "restart")[];

const ERRORS: Readonly<Record<Exclude<Fate, "done">, () => Error>> = {
  throw: () => new Error("boom"),
  busy: () => new Busy("not now", { retryAfter: 2 }),
  later: () => new RetryAfter(3),
  discard: () => new Discard(),
};

/** Runs of the given fates. */
function fatedRun(...fates: readonly Fate[]): fc.Arbitrary<FatedRun> {
  return fc.record({ seconds: fc.constantFrom(0, 0, 0.5, 2), fate: fc.constantFrom(...fates) });
}

/** Scripts of tasks on some paths, whose runs end by the given fates and at last by `done`. */
export function scripts(paths: readonly string[], ...fates: readonly Fate[]): fc.Arbitrary<Script> {
  const task = fc.record({
    path: fc.constantFrom(...paths),
    delay: fc.option(fc.nat(20), { nil: undefined }),
    fates: fc
      .tuple(fc.array(fatedRun(...fates), { maxLength: 4 }), fatedRun("done"))
      .map(([first, last]) => [...first, last]),
  });
  const step = fc.oneof(
    { weight: 8, arbitrary: task },
    { weight: 4, arbitrary: fc.constantFrom(0, 0.5, 1, 5, 30) },
    { weight: 1, arbitrary: fc.constant("restart" as const) },
  );
  return fc.array(step, { maxLength: 25, size: "medium" });
}

/** The body of the tasks of a script. */
export function fated({ payload, count }: Run, life: Life): unknown {
  const fates = payload.fates as readonly FatedRun[];
  const { seconds, fate } = fates[Math.min(count, fates.length) - 1] as FatedRun;
  const end = () => {
    if (fate !== "done") throw ERRORS[fate]();
  };
  return seconds === 0 ? end() : life.after(seconds).then(end);
}

/** Plays a script: its tasks are called `task-0`, `task-1` and so on. */
export async function play(world: World, script: Script): Promise<void> {
  for (const step of script) {
    if (typeof step === "number") await world.pass(step);
    else if (step === "restart") await world.restart(0);
    else {
      const { path, delay, fates } = step;
      await world.offer(path, `task-${world.offers.length}`, { fates }, delay === undefined ? {} : { delay });
    }
  }
}
