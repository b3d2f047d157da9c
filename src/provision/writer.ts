import type { Clock } from "../core/clock.ts";
import { isTasksError, TasksError } from "../core/errors.ts";
import type { ChangeResult, ProvisionOptions, ResourceKind } from "../core/provisioning.ts";
import { GRPC, grpcCode } from "../google/status.ts";
import { type Calls, Ended, type Repeatable } from "./calls.ts";
import { type Cloud, serviceOf } from "./cloud.ts";
import { writeFailure } from "./failures.ts";
import { Fence, Overtaken } from "./fence.ts";
import { Granter } from "./granter.ts";
import { GENERATION_LABEL, GRANT_LABEL } from "./marker.ts";
import { generationOf } from "./ownership.ts";
import type { DesiredResource, DesiredState, ObservedResource } from "./resources.ts";
import { type Step, stepFor } from "./step.ts";

/** What the steps of one apply are taken with. */
export interface WriterScope {
  readonly cloud: Cloud;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly desired: DesiredState;
  readonly options: ProvisionOptions;
  /** Full name of the topic that a newer deployment signs first. */
  readonly mark: string | undefined;
}

type Settled = Omit<ChangeResult, "change">;

/** How often a resource that comes and goes while it is written is looked at again. */
const MOST_TURNS = 4;

/** Takes single steps. */
export class Writer {
  readonly #scope: WriterScope;
  readonly #granter: Granter;
  readonly #wanted: ReadonlyMap<string, DesiredResource>;
  readonly #fence: Fence;
  /** Names of what is known to be there and ours. */
  readonly #there = new Set<string>();

  constructor(scope: WriterScope) {
    this.#scope = scope;
    this.#granter = new Granter(scope);
    this.#fence = new Fence(scope);
    this.#wanted = new Map(scope.desired.resources.map((resource) => [resource.name, resource]));
  }

  /**
   * Finds out early what grants take, so that nothing is made that could not be granted.
   *
   * @throws TasksError when the project's number cannot be found out; `Ended`.
   */
  prepare(steps: readonly Step[]): Promise<void> {
    return this.#granter.prepare(steps);
  }

  /** Whether what depends on a resource can be made, whatever else may have failed with it. */
  isThere(name: string): boolean {
    return this.#there.has(name);
  }

  /** Takes a step. Never rejects but with `Ended`. */
  async take(step: Step, turn = 1): Promise<Settled> {
    try {
      return await this.#take(step, turn);
    } catch (error) {
      if (error instanceof Ended) throw error;
      if (error instanceof Overtaken) return { status: "skipped", note: error.message };
      return { status: "failed", error: this.#explained(error, step) };
    }
  }

  /** Looks again, and takes the step that is left to do. */
  async retake({ change: { kind, name } }: Step, turn: number): Promise<Settled> {
    const wanted = this.#wanted.get(name);
    if (wanted === undefined) return { status: "settled", note: "somebody else has deleted it" };
    const found = await this.#call(kind, () => this.#scope.cloud.get(kind, name));
    const { owner } = this.#scope.desired;
    const newest = found === undefined ? undefined : generationOf(found);
    return this.take(stepFor({ owner, options: this.#scope.options, newest }, wanted, found), turn);
  }

  #explained(error: unknown, { change, want }: Step): TasksError {
    if (isTasksError(error)) return error;
    const { action } = change;
    const verb = action === "update" || action === "delete" ? action : "create";
    return writeFailure(error, verb, change, want, this.#scope.clock.now());
  }

  #call<T>(kind: ResourceKind, call: () => Promise<T>, repeatable: Repeatable = {}): Promise<T> {
    return this.#scope.calls.run(serviceOf(kind), call, repeatable);
  }

  /** A write that a newer deployment must not lose to. */
  #overwrite(kind: ResourceKind, call: () => Promise<void>, repeatable: Repeatable = {}): Promise<void> {
    return this.#call(kind, call, { ...repeatable, guard: () => this.#fence.assertNewest() });
  }

  async #take(step: Step, turn: number): Promise<Settled> {
    const { change, want, found } = step;
    if (found !== undefined && change.blocks !== true && change.action !== "replace") this.#there.add(change.name);
    switch (change.action) {
      case "keep":
        return this.#keep(step);
      case "skip":
        return skipped(step);
      case "create":
        return want === undefined ? { status: "unchanged" } : this.#create(step, want, turn);
      case "update":
        if (want === undefined || found === undefined) return { status: "unchanged" };
        return this.#update(step, want, found, turn);
      case "replace":
        return want === undefined ? { status: "unchanged" } : this.#replace(step, want, turn);
      case "delete":
        return this.#delete(step);
    }
  }

  async #keep({ change, found }: Step): Promise<Settled> {
    if (await this.#granter.keep(this.#wanted.get(change.name), found))
      return { status: "done", note: "the grant of Pub/Sub's service agent was missing" };
    return { status: "unchanged", ...(change.reason === undefined ? {} : { note: change.reason }) };
  }

  /** @param completes whether it takes the place of what has just been deleted. */
  async #create(step: Step, want: DesiredResource, turn: number, completes = false): Promise<Settled> {
    const { cloud } = this.#scope;
    try {
      // What it depends on was made a moment ago.
      await this.#call(want.kind, () => cloud.create(want), { whenNotFound: step.dependsOn.length > 0, completes });
    } catch (error) {
      if (grpcCode(error) !== GRPC.ALREADY_EXISTS || turn >= MOST_TURNS) throw error;
      return this.#second(step, want, turn);
    }
    this.#there.add(want.name);
    if (want.kind === "job" && want.settings.state === "PAUSED") await this.#setPaused(want.name, true);
    await this.#granter.grant(want, true);
    return { status: "done" };
  }

  /** Somebody made it first: another process, or an earlier try of ours whose answer was lost. */
  async #second(step: Step, want: DesiredResource, turn: number): Promise<Settled> {
    const settled = await this.retake(step, turn + 1);
    if (settled.status === "failed" || settled.status === "skipped") return settled;
    await this.#granter.grant(want, false);
    const first = "another writer was first";
    if (settled.status === "unchanged") return { status: "settled", note: `${first}, and made it as it should be` };
    return { ...settled, note: `${first}; ${settled.note ?? "it is as it should be now"}` };
  }

  async #update(step: Step, want: DesiredResource, found: ObservedResource, turn: number): Promise<Settled> {
    const names = step.change.fields.map(({ field }) => field);
    if (names.includes(`labels.${GRANT_LABEL}`)) await this.#granter.grant(want, false);
    try {
      await this.#write(step, want, found);
    } catch (error) {
      if (grpcCode(error) !== GRPC.NOT_FOUND || turn >= MOST_TURNS) throw error;
      return this.retake(step, turn + 1);
    }
    if (this.#granter.isDoubtful(want.name)) await this.#granter.grant(want, false);
    return { status: "done", ...(turn > 1 ? { note: `its settings differed in ${names.join(", ")}` } : {}) };
  }

  async #write(step: Step, want: DesiredResource, found: ObservedResource): Promise<void> {
    const state = want.kind === "job" ? want.settings.state : undefined;
    const was = found.settings.state;
    // Resumed before its marker says so, paused after: if this ends in between, the next one knows that it was us.
    if (state === "ENABLED" && was === "PAUSED") await this.#setPaused(want.name, false);
    const mask = maskOf(step, want);
    if (mask.length > 0) await this.#overwrite(want.kind, () => this.#scope.cloud.update(want, mask));
    if (state === "PAUSED" && was !== "PAUSED") await this.#setPaused(want.name, true);
  }

  /** Whoever asks for what is so already is refused: another process was first, or an earlier try whose answer was lost. */
  async #setPaused(job: string, isPaused: boolean): Promise<void> {
    const { cloud } = this.#scope;
    try {
      await this.#overwrite("job", () => cloud.setPaused(job, isPaused), { completes: true });
    } catch (error) {
      if (grpcCode(error) !== GRPC.FAILED_PRECONDITION) throw error;
      const now = await this.#call("job", () => cloud.get("job", job), { completes: true });
      if (now?.settings.state !== (isPaused ? "PAUSED" : "ENABLED")) throw error;
    }
  }

  async #replace(step: Step, want: DesiredResource, turn: number): Promise<Settled> {
    await this.#delete(step);
    return this.#create(step, want, turn, true);
  }

  async #delete({ change: { kind, name } }: Step): Promise<Settled> {
    try {
      await this.#overwrite(kind, () => this.#scope.cloud.delete(kind, name));
      return { status: "done" };
    } catch (error) {
      if (grpcCode(error) !== GRPC.NOT_FOUND) throw error;
      return { status: "settled", note: "it was gone already" };
    }
  }
}

function skipped({ change: { reason, blocks, kind, name } }: Step): Settled {
  if (blocks !== true) return { status: "skipped", ...(reason === undefined ? {} : { note: reason }) };
  const text = `${name}: expected a ${kind} of this service, got one that cannot be used: ${reason}`;
  return { status: "failed", error: new TasksError("CLOUD_FAILED", text) };
}

/** Names of the fields that are written; a deployment signs whatever it writes. A job's state is no setting to be written. */
function maskOf({ change, found }: Step, want: DesiredResource): readonly string[] {
  const broken = found?.settings.state === "UPDATE_FAILED" || found?.settings.state === "DISABLED";
  const fields = broken ? Object.keys(want.settings) : change.fields.map(({ field }) => field);
  const named = new Set(fields.filter((field) => field !== "state"));
  if (named.size > 0 && want.kind === "job") named.add("description");
  const signed = (want.kind === "topic" || want.kind === "subscription") && GENERATION_LABEL in want.settings.labels;
  if (named.size > 0 && signed) named.add("labels");
  return [...named];
}
