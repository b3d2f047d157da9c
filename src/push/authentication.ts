import type { Authenticator, AuthFactory, AuthScope, Verdict } from "../core/auth.ts";
import type { PushTrust } from "../core/backend.ts";
import { Problems } from "../core/problems.ts";
import type { Runtime } from "../core/runtime.ts";
import { noAuth } from "./no-auth.ts";
import { oidc } from "./oidc.ts";
import { sharedSecret } from "./shared-secret.ts";

/** What the environment asks for where nothing was said in code; production without any of it fails closed. */
function fromEnvironment({ config }: Runtime, scope: AuthScope): AuthFactory | undefined {
  if (config.pushSecrets.length > 0) return sharedSecret(config.pushSecrets);
  if (!config.production && config.serviceAccounts.length === 0) return undefined;
  assertComplete(scope);
  return oidc();
}

/** All that is missing at once, by the names of its variables. */
function assertComplete({ production, audiences, serviceAccounts }: AuthScope): void {
  const problems = new Problems();
  if (audiences.length === 0) {
    problems.add(
      "CLOUD_RUN_SERVICE_URL: expected the service's URL, or TASKS_AUDIENCE, got none; push tokens are addressed to it",
    );
  }
  if (production && serviceAccounts.length === 0) {
    problems.add(
      "TASKS_SERVICE_ACCOUNT: expected the e-mail of the account that pushes, got none; any Google account can have a token made out to our URL",
    );
  }
  problems.throwAny();
}

/** Accepts what the local engine of this process signs, and else what was configured. */
function trusting(trust: PushTrust, configured: Authenticator | undefined, scope: AuthScope): Authenticator {
  const local = oidc({ audience: trust.audience, serviceAccounts: [trust.email], keys: trust })(scope);
  const either = async (header: (name: string) => string | undefined, first: Promise<Verdict>): Promise<Verdict> => {
    const verdict = await first;
    return verdict.ok || configured === undefined ? verdict : configured.authenticate(header);
  };
  return {
    kind: "oidc",
    authenticate(header) {
      const verdict = local.authenticate(header);
      if (verdict instanceof Promise) return either(header, verdict);
      return verdict.ok || configured === undefined ? verdict : configured.authenticate(header);
    },
  };
}

/**
 * The authenticator of a push handler: what its options name, else those of `createTasks`, else what the environment asks
 * for. Outside production the tokens of a local engine in this process are accepted as well; where the environment names an
 * emulator, its keys take the place of Google's.
 *
 * @throws TasksError `INVALID_CONFIG`: it fails closed.
 */
export function authenticatorOf(runtime: Runtime, chosen: AuthFactory | undefined): Authenticator {
  const { config, logger } = runtime;
  const trust = config.production ? undefined : runtime.backend.pushTrust;
  const scope: AuthScope = {
    production: config.production,
    audiences: trust === undefined ? config.audiences : [...config.audiences, trust.audience],
    serviceAccounts: config.serviceAccounts,
    // Tokens are dated by their signer, so they are held against the machine's time whatever clock the client runs on.
    now: Date.now,
    logger,
  };
  const configured = chosen ?? runtime.auth ?? fromEnvironment(runtime, scope);
  if (trust !== undefined && config.emulators.keys !== undefined)
    return (configured ?? oidc())({ ...scope, keys: trust });
  if (trust === undefined) return (configured ?? noAuth())(scope);
  return trusting(trust, configured?.(scope), scope);
}
