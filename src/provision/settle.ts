import type { ChangeResult } from "../core/provisioning.ts";
import { observe } from "./observe.ts";
import { claimOf, isClaim, isUnsigned, stepsOf } from "./plan.ts";
import type { Step } from "./step.ts";
import { Writer, type WriterScope } from "./writer.ts";

/** How often what was written is looked at again, as long as somebody else keeps writing it. */
const MOST_ROUNDS = 3;

/** Milliseconds for which the write of an older deployment may be under way after it last looked whether it is the newest. */
const LONGEST_WRITE_MS = 3000;

/**
 * Looks again after writing, and writes again what an older deployment, at work at the same time, has overwritten. Looking
 * may fail: what was written is acknowledged all the same.
 *
 * @param signedAt when this deployment signed that it is there, in milliseconds since the epoch.
 */
export async function settle(
  scope: WriterScope,
  results: readonly ChangeResult[],
  signedAt: number,
): Promise<readonly ChangeResult[]> {
  const { calls, clock } = scope;
  const final = new Map(results.map((result) => [result.change.name, result]));
  let written = signedAt;
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    await calls.wait(written + LONGEST_WRITE_MS - clock.now()).catch(() => {});
    const left = await differing(scope, final).catch(() => []);
    const writer = new Writer(scope);
    const again = await Promise.all(left.map((step) => rewritten(writer, step, final)));
    if (!again.includes(true)) break;
    // The signature itself may have been overwritten, and only from now on keep others away.
    written = clock.now();
  }
  return results.map((result) => final.get(result.change.name) ?? result);
}

/** What was made as it should be, and is otherwise now; first of all the signature. Deletions are not repeated. */
async function differing(
  { cloud, calls, desired, options, mark }: WriterScope,
  results: ReadonlyMap<string, ChangeResult>,
): Promise<readonly Step[]> {
  const observed = await observe(cloud, calls, desired);
  const { steps } = stepsOf(desired, observed, options);
  const left = steps.filter(({ change: { action, name } }) => {
    const status = results.get(name)?.status;
    return (action === "create" || action === "update") && status !== "failed" && status !== "skipped";
  });
  // Others look at the topic that was the first one when this began.
  const signed = observed.find(({ name }) => name === mark);
  const isLost = signed !== undefined && isUnsigned(desired.owner, signed) && !left.some(signs(signed.name));
  return isLost ? [claimOf(desired.owner, signed, []), ...left] : left;
}

function signs(name: string): (step: Step) => boolean {
  return ({ change }) => change.name === name && isClaim(change);
}

async function rewritten(writer: Writer, step: Step, results: Map<string, ChangeResult>): Promise<boolean> {
  const before = results.get(step.change.name);
  const taken = isClaim(step.change) ? writer.take(step) : writer.retake(step, 1);
  const again = await taken.catch(() => undefined);
  if (again === undefined || again.status === "unchanged") return false;
  if (before === undefined) return again.status === "done";
  const note = again.note ?? "written again: another deployment wrote it as well";
  results.set(step.change.name, { change: before.change, ...again, note });
  return again.status === "done";
}
