import type { ChangeResult } from "../core/provisioning.ts";
import { observe } from "./observe.ts";
import { stepsOf } from "./plan.ts";
import type { Step } from "./step.ts";
import { Writer, type WriterScope } from "./writer.ts";

/** How often what was written is looked at again, as long as somebody else keeps writing it. */
const MOST_ROUNDS = 3;

/**
 * Looks again after writing, and writes again what an older deployment, at work at the same time, has overwritten. Looking
 * may fail: what was written is acknowledged all the same.
 */
export async function settle(scope: WriterScope, results: readonly ChangeResult[]): Promise<readonly ChangeResult[]> {
  const final = new Map(results.map((result) => [result.change.name, result]));
  for (let round = 1; round <= MOST_ROUNDS && !scope.calls.ended; round++) {
    const writer = new Writer(scope);
    const left = await differing(scope, final).catch(() => []);
    const again = await Promise.all(left.map((step) => rewritten(writer, step, final)));
    if (!again.includes(true)) break;
  }
  return results.map((result) => final.get(result.change.name) ?? result);
}

/** What was made as it should be, and is otherwise now. Deletions are not repeated. */
async function differing(
  { cloud, calls, desired, options }: WriterScope,
  results: ReadonlyMap<string, ChangeResult>,
): Promise<readonly Step[]> {
  const { steps } = stepsOf(desired, await observe(cloud, calls, desired), options);
  return steps.filter(({ change: { action, name } }) => {
    const status = results.get(name)?.status;
    return (action === "create" || action === "update") && status !== "failed" && status !== "skipped";
  });
}

async function rewritten(writer: Writer, step: Step, results: Map<string, ChangeResult>): Promise<boolean> {
  const before = results.get(step.change.name);
  const again = await writer.retake(step, 1).catch(() => undefined);
  if (before === undefined || again === undefined || again.status === "unchanged") return false;
  const note = again.note ?? "written again: another deployment wrote it as well";
  results.set(step.change.name, { change: before.change, ...again, note });
  return again.status === "done";
}
