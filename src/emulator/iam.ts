import { hash } from "node:crypto";
import { CODES, invalid, RpcError } from "./status.ts";

/** One `google.iam.v1.Binding`. */
export interface Binding {
  readonly role?: string;
  readonly members?: readonly string[];
  readonly condition?: object;
}

/** A `google.iam.v1.Policy`. */
export interface Policy {
  readonly version?: number;
  readonly bindings?: readonly Binding[];
  readonly etag?: Uint8Array;
}

/** The etag of a policy that nobody has set, as the services answer it: base64 `ACAB`. */
const UNSET_ETAG: Uint8Array = Buffer.from("ACAB", "base64");

/** Kinds of members. https://cloud.google.com/iam/docs/principal-identifiers */
const MEMBER =
  /^(allUsers|allAuthenticatedUsers|(user|serviceAccount|group|domain|principal|principalSet|deleted|projectOwner|projectEditor|projectViewer):.+)$/;
const ROLE = /^(roles\/[A-Za-z0-9_.]+|(projects|organizations)\/[^/]+\/roles\/[A-Za-z0-9_.]+)$/;

/** The IAM policies of all resources, by full name. Whether a resource exists is for its service to say. */
export class IamPolicies {
  readonly #policies = new Map<string, Policy>();
  #changes = 0;

  /** The policy of a resource; an empty one when none was set. */
  get(resource: string): Policy {
    return this.#policies.get(resource) ?? { etag: UNSET_ETAG };
  }

  /**
   * Sets the policy of a resource and returns it with its new etag. A policy that carries an etag only replaces the one it was
   * read from.
   *
   * @throws RpcError INVALID_ARGUMENT; ABORTED when somebody has written in between.
   */
  set(resource: string, policy: Policy | undefined): Policy {
    const { bindings = [], etag, version = 0 } = policy ?? {};
    for (const binding of bindings) assertBinding(binding);
    if (![0, 1, 3].includes(version)) throw invalid(`Invalid policy version: ${version}.`);
    const current = this.get(resource).etag ?? UNSET_ETAG;
    if (etag !== undefined && etag.length > 0 && Buffer.compare(etag, current) !== 0)
      throw new RpcError(
        CODES.ABORTED,
        "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
      );
    this.#changes += 1;
    const digest = hash("sha256", `${resource} ${this.#changes}`, "buffer").subarray(0, 6);
    const kept = bindings.filter(({ members = [] }) => members.length > 0);
    const stored = {
      version: version === 0 ? 1 : version,
      bindings: kept,
      etag: Buffer.concat([Buffer.of(0x07), digest]),
    };
    this.#policies.set(resource, stored);
    return stored;
  }

  /** The permissions of those asked for that the caller has: all, since whoever calls an emulator is its owner. */
  test(permissions: readonly string[] = []): readonly string[] {
    const wildcard = permissions.find((permission) => permission.includes("*"));
    if (wildcard !== undefined) throw invalid(`Permission ${wildcard} is not valid for this resource.`);
    return permissions;
  }

  /** Whether a member holds a role, or one of several, on a resource. */
  grants(resource: string, roles: readonly string[], member: string): boolean {
    const { bindings = [] } = this.get(resource);
    return bindings.some(({ role = "", members = [] }) => roles.includes(role) && members.includes(member));
  }

  /** Forgets the policy of a resource that is deleted. */
  delete(resource: string): void {
    this.#policies.delete(resource);
  }
}

function assertBinding({ role = "", members = [] }: Binding): void {
  if (!ROLE.test(role)) throw invalid(`Role ${role} is not supported for this resource.`);
  const odd = members.find((member) => !MEMBER.test(member));
  if (odd !== undefined)
    throw invalid(`The member ${odd} is of an unknown type. Please set a valid type prefix for the member.`);
}
