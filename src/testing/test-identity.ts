import type { AuthFactory } from "../core/auth.ts";
import type { PushTrust } from "../core/backend.ts";
import { createIdentity, type Identity } from "../engine/identity.ts";
import { type OidcKeySource, oidc } from "../push/oidc.ts";

/** Top-level domain that nobody can own (RFC 2606). */
const EMAIL = "push@taskroute-testing.invalid";
const AUDIENCE = "https://taskroute-testing.invalid/tasks/pubsub";

/** The service account that signs the push requests of tests: a key that is made anew in each process and never leaves it. */
export interface TestIdentity extends OidcKeySource, PushTrust {
  /** E-mail that its tokens speak for. */
  readonly email: string;
  /** Audience that its tokens are addressed to, unless said otherwise. */
  readonly audience: string;
  /** Its public key as SPKI PEM by key id: with it `oidc({ keys: testIdentity, … })` lets its tokens in. */
  certificates(): Promise<Record<string, string>>;
  /**
   * Lets its tokens in and no others, by the OIDC verifier as it is: for the `auth` of a client or handler under test. A
   * client of `createTestTasks` needs none.
   *
   * @throws TasksError `INVALID_CONFIG` in production, when the handler is built.
   */
  oidc(): AuthFactory;
}

let ours: Promise<Identity> | undefined;
let foreign: Promise<Identity> | undefined;

/** The signer behind {@link testIdentity}, made when first asked for. */
export function signer(): Promise<Identity> {
  ours ??= createIdentity({ email: EMAIL });
  return ours;
}

/** Somebody who says they are {@link testIdentity}, but has another key. */
export function impostor(): Promise<Identity> {
  foreign ??= createIdentity({ email: EMAIL });
  return foreign;
}

/** See {@link TestIdentity}. */
export const testIdentity: TestIdentity = Object.freeze({
  email: EMAIL,
  audience: AUDIENCE,
  certificates: async () => (await signer()).certificates(),
  oidc: () => oidc({ audience: AUDIENCE, serviceAccounts: [EMAIL], keys: testIdentity }),
});
