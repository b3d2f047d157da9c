import type { ResourceKind } from "../../src/core/provisioning.ts";
import { GRPC } from "../../src/google/status.ts";
import type { Cloud, Page, Policy } from "../../src/provision/cloud.ts";
import type { DesiredResource, ObservedResource } from "../../src/provision/resources.ts";

/** One call to the fake. */
export interface FakeCall {
  readonly method: keyof Cloud;
  readonly kind: ResourceKind | "project";
  readonly name: string;
}

/** An error as Google's clients throw it. */
export function grpcError(code: keyof typeof GRPC, message: string): Error {
  return Object.assign(new Error(`${GRPC[code]} ${code}: ${message}`), { code: GRPC[code], details: message });
}

/** What the services fill in by themselves. */
const DEFAULTS: Readonly<Record<ResourceKind, object>> = {
  topic: { state: "ACTIVE" },
  subscription: {
    pushConfig: { attributes: { "x-goog-version": "v1" } },
    expirationPolicy: { ttl: 31 * 86_400 },
    messageRetentionDuration: 7 * 86_400,
    state: "ACTIVE",
  },
  queue: {
    rateLimits: { maxDispatchesPerSecond: 500, maxBurstSize: 100, maxConcurrentDispatches: 1000 },
    retryConfig: { maxDoublings: 16 },
    state: "RUNNING",
  },
  job: { retryConfig: { maxRetryDuration: 0 }, userUpdateTime: { seconds: 1 } },
};

const WHOLE_SECONDS = ["minBackoff", "maxBackoff", "maxRetryDuration"];

/**
 * The three services as provisioning sees them: stateful, with their own defaults, pages, policies and errors. Calls can be
 * watched, held up and made to fail.
 */
export class FakeCloud implements Cloud {
  readonly calls: FakeCall[] = [];
  readonly resources = new Map<string, ObservedResource>();
  readonly policies = new Map<string, Policy>();
  /** Names of queues that cannot be made again yet. */
  readonly tombstones = new Set<string>();
  number: string | Error = "42";
  pageSize = 1000;
  closed = 0;
  /** Runs before a call takes effect; what it throws is the call's answer. */
  before: (call: FakeCall) => unknown = () => undefined;
  /** Runs after a call has taken effect; what it throws is its answer, as when a connection breaks. */
  after: (call: FakeCall) => unknown = () => undefined;

  /** Names of what there is, of one kind. */
  names(kind?: ResourceKind): readonly string[] {
    return [...this.resources.values()].filter((found) => kind === undefined || found.kind === kind).map(nameOf);
  }

  /** Changes a setting of a resource behind the library's back. */
  tamper(name: string, settings: Record<string, unknown>): void {
    const found = this.resources.get(name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    this.resources.set(name, { ...found, settings: { ...found.settings, ...settings } });
  }

  async #call<T>(method: keyof Cloud, kind: FakeCall["kind"], name: string, act: () => T): Promise<T> {
    const call = { method, kind, name };
    this.calls.push(call);
    await this.before(call);
    const answer = act();
    await this.after(call);
    return answer;
  }

  list(kind: ResourceKind, parent: string, page = "0"): Promise<Page> {
    return this.#call("list", kind, parent, () => {
      const under = [...this.resources.values()].filter((found) => found.kind === kind && parentOf(found) === parent);
      const all = under.sort((a, b) => (a.name < b.name ? -1 : 1));
      const end = Number(page) + this.pageSize;
      return { resources: all.slice(Number(page), end), next: end < all.length ? String(end) : undefined };
    });
  }

  get(kind: ResourceKind, name: string): Promise<ObservedResource | undefined> {
    return this.#call("get", kind, name, () => this.resources.get(name));
  }

  create(resource: DesiredResource): Promise<void> {
    const { kind, name } = resource;
    return this.#call("create", kind, name, () => {
      if (this.resources.has(name)) throw grpcError("ALREADY_EXISTS", `Resource already exists (resource=${name}).`);
      if (this.tombstones.has(name))
        throw grpcError(
          "FAILED_PRECONDITION",
          "The queue cannot be created because a queue with this name existed too recently.",
        );
      this.#assertTopics(resource);
      const settings = merged(DEFAULTS[kind], kept(resource.settings));
      this.resources.set(name, { kind, name, settings: kind === "job" ? { ...settings, state: "ENABLED" } : settings });
    });
  }

  #assertTopics({ kind, settings }: DesiredResource): void {
    if (kind !== "subscription") return;
    for (const topic of [settings.topic, settings.deadLetterPolicy?.deadLetterTopic]) {
      if (topic !== undefined && !this.resources.has(topic))
        throw grpcError("NOT_FOUND", `Resource not found (resource=${topic}).`);
    }
  }

  update(resource: DesiredResource, fields: readonly string[]): Promise<void> {
    const { kind, name, settings } = resource;
    return this.#call("update", kind, name, () => {
      const found = this.#found(name);
      if (fields.length === 0) throw grpcError("INVALID_ARGUMENT", "The update_mask must be set.");
      const shallow = kind === "topic" || kind === "subscription";
      const paths = new Set(fields.map((field) => (shallow ? (field.split(".")[0] ?? field) : field)));
      for (const path of paths) {
        if (["topic", "filter", "enableMessageOrdering", "detached", "state"].includes(path))
          throw grpcError("INVALID_ARGUMENT", `the '${path}' field is not mutable.`);
      }
      const changed = [...paths].reduce(
        (now, path) => copied(now, kept(settings), path.split(".")),
        found.settings as object,
      );
      this.resources.set(name, { kind, name, settings: changed as ObservedResource["settings"] });
    });
  }

  delete(kind: ResourceKind, name: string): Promise<void> {
    return this.#call("delete", kind, name, () => {
      this.#found(name);
      this.resources.delete(name);
      this.policies.delete(name);
      if (kind === "queue") this.tombstones.add(name);
      if (kind !== "topic") return;
      for (const other of this.resources.values())
        if (other.settings.topic === name) this.tamper(other.name, { topic: "_deleted-topic_" });
    });
  }

  setPaused(job: string, paused: boolean): Promise<void> {
    return this.#call("setPaused", "job", job, () => {
      const [from, to] = paused ? ["ENABLED", "PAUSED"] : ["PAUSED", "ENABLED"];
      if (this.#found(job).settings.state !== from)
        throw grpcError("FAILED_PRECONDITION", `Job must be in state ${from} to be ${paused ? "paused" : "resumed"}.`);
      this.tamper(job, { state: to });
    });
  }

  getPolicy(kind: "topic" | "subscription", name: string): Promise<Policy> {
    return this.#call("getPolicy", kind, name, () => {
      this.#found(name);
      return this.policies.get(name) ?? { etag: "0", bindings: [] };
    });
  }

  setPolicy(kind: "topic" | "subscription", name: string, policy: Policy): Promise<void> {
    return this.#call("setPolicy", kind, name, () => {
      this.#found(name);
      const current = this.policies.get(name)?.etag ?? "0";
      if (policy.etag !== undefined && policy.etag !== current)
        throw grpcError("ABORTED", "There were concurrent policy changes.");
      this.policies.set(name, { bindings: policy.bindings, etag: String(Number(current) + 1) });
    });
  }

  projectNumber(): Promise<string> {
    return this.#call("projectNumber", "project", "p", () => {
      if (typeof this.number === "string") return this.number;
      throw this.number;
    });
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }

  #found(name: string): ObservedResource {
    const found = this.resources.get(name);
    if (found === undefined) throw grpcError("NOT_FOUND", `Resource not found (resource=${name}).`);
    return found;
  }
}

function nameOf({ name }: ObservedResource): string {
  return name;
}

function parentOf({ kind, name }: ObservedResource): string {
  const parts = kind === "topic" || kind === "subscription" ? 2 : 4;
  return name.split("/").slice(0, parts).join("/");
}

/** Settings as the services keep them: whole seconds for queues, and no state, which is not for the caller to set. */
function kept(settings: object): Record<string, unknown> {
  const entries = Object.entries(settings).filter(([name]) => name !== "state" && name !== "detached");
  return Object.fromEntries(
    entries.map(([name, value]) => {
      if (typeof value === "number" && WHOLE_SECONDS.includes(name)) return [name, Math.trunc(value)];
      return [name, typeof value === "object" && value !== null ? kept(value) : value];
    }),
  );
}

function merged(defaults: object, settings: object): Record<string, unknown> {
  const result: Record<string, unknown> = { ...defaults };
  for (const [name, value] of Object.entries(settings)) {
    const held = result[name];
    const both = typeof value === "object" && value !== null && typeof held === "object" && held !== null;
    result[name] = both ? merged(held, value) : value;
  }
  return result;
}

function copied(target: object, source: object, [name = "", ...rest]: readonly string[]): object {
  const value = (source as Record<string, unknown>)[name];
  const held = (target as Record<string, unknown>)[name];
  return { ...target, [name]: rest.length === 0 ? value : copied(asObject(held), asObject(value), rest) };
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}
