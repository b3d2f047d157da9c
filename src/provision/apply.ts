import type { ChangeResult, ProvisionReport } from "../core/provisioning.ts";
import { Ended } from "./calls.ts";
import { isClaim, isIdle } from "./plan.ts";
import { settle } from "./settle.ts";
import type { Step } from "./step.ts";
import { Writer, type WriterScope } from "./writer.ts";

/** What has not begun when the signal comes. */
const ENDED_EARLY = "not begun: it was ended early";

/**
 * Carries a plan out, and sees to it that it holds where deployments race: what an older one, at work at the same time, has
 * overwritten is written again. Every step has its result; what fails is in it.
 *
 * @throws TasksError when the number of the project, which grants take, cannot be found out; nothing is written then.
 */
export async function apply(scope: WriterScope, steps: readonly Step[]): Promise<ProvisionReport> {
  const application = new Application(scope, steps.length);
  const results = await application.run(steps);
  const wrote = results.some(({ status }) => status === "done");
  // A deployment that has been here before has seen to it then.
  const isNew = scope.mark === undefined || steps.some(({ change }) => isClaim(change));
  const raced = wrote && isNew && scope.desired.owner.generation !== undefined;
  return { results: raced ? await settle(scope, results, application.signedAt) : results };
}

/**
 * Takes steps: claims of a new deployment first, then whatever is made or changed, each as soon as what it depends on is
 * there, then deletions, unless anything failed.
 *
 * @throws TasksError as {@link apply}.
 */
export async function carryOut(scope: WriterScope, steps: readonly Step[]): Promise<ProvisionReport> {
  return { results: await new Application(scope, steps.length).run(steps) };
}

class Application {
  readonly #writer: Writer;
  readonly #scope: WriterScope;
  readonly #total: number;
  readonly #settled = new Map<string, Promise<ChangeResult>>();
  #through = 0;
  /** When claims were through, in milliseconds since the epoch. */
  signedAt = 0;

  constructor(scope: WriterScope, total: number) {
    this.#scope = scope;
    this.#writer = new Writer(scope);
    this.#total = total;
  }

  async run(steps: readonly Step[]): Promise<readonly ChangeResult[]> {
    await this.#prepare(steps);
    const claims = steps.filter(({ change }) => isClaim(change));
    const deletions = steps.filter(({ change }) => change.action === "delete");
    const results = new Map<Step, ChangeResult>();
    const all = (some: readonly Step[], take: (step: Step) => Promise<ChangeResult>) =>
      Promise.all(
        some.map(async (step) => {
          const result = await take(step);
          results.set(step, result);
          this.#report(result);
        }),
      );
    await all(claims, (step) => this.#write(step));
    this.signedAt = this.#scope.clock.now();
    const writes = steps.filter((step) => !claims.includes(step) && !deletions.includes(step));
    await all(writes, (step) => this.#write(step));
    const failed = [...results.values()].some(({ status }) => status === "failed");
    for (const kind of new Set(deletions.map(({ change }) => change.kind))) {
      const some = deletions.filter(({ change }) => change.kind === kind);
      await all(some, (step) => (failed ? spared(step) : this.#take(step)));
    }
    return steps.map((step) => results.get(step) ?? { change: step.change, status: "skipped", note: ENDED_EARLY });
  }

  async #prepare(steps: readonly Step[]): Promise<void> {
    try {
      await this.#writer.prepare(steps);
    } catch (error) {
      // Then nothing of it begins, and every step says so.
      if (!(error instanceof Ended)) throw error;
    }
  }

  /** Remembers the result under the name, for what depends on it. */
  #write(step: Step): Promise<ChangeResult> {
    const settled = this.#whenReady(step);
    this.#settled.set(step.change.name, settled);
    return settled;
  }

  async #whenReady(step: Step): Promise<ChangeResult> {
    const { change } = step;
    for (const name of step.dependsOn) {
      const result = await this.#settled.get(name);
      if (result === undefined || this.#writer.isThere(name) || isIdle(change)) continue;
      const why = result.status === "failed" ? "which failed" : "which was not made";
      return { change, status: "skipped", note: `not begun: it needs ${name}, ${why}` };
    }
    return this.#take(step);
  }

  async #take(step: Step): Promise<ChangeResult> {
    const { change } = step;
    if (this.#scope.calls.ended && !isIdle(change)) return { change, status: "skipped", note: ENDED_EARLY };
    try {
      return { change, ...(await this.#writer.take(step)) };
    } catch {
      // Only the caller's signal ends up here.
      return { change, status: "skipped", note: "it was ended early, and may be half done" };
    }
  }

  #report(result: ChangeResult): void {
    this.#through++;
    try {
      this.#scope.options.progress?.(result, this.#through, this.#total);
    } catch {
      // Whoever looks on does not stop the work.
    }
  }
}

function spared({ change }: Step): Promise<ChangeResult> {
  return Promise.resolve({ change, status: "skipped", note: "nothing is deleted when anything failed" });
}
