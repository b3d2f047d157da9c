import type { PushTrust } from "../core/backend.ts";
import type { Config } from "../core/config.ts";

/** Milliseconds for one request of the keys. */
const TIMEOUT = 5000;

/**
 * The keys of the emulator that signs the tokens of this client's pushes; `undefined` in production, where there are only
 * Google's, and when nobody is named to whom and as whom it pushes.
 */
export function emulatorTrust(config: Config): PushTrust | undefined {
  const { keys } = config.emulators;
  const [audience] = config.audiences;
  const [email] = config.serviceAccounts;
  if (config.production || keys === undefined || audience === undefined || email === undefined) return undefined;
  return {
    audience,
    email,
    async certificates() {
      const response = await fetch(`http://${keys}/oauth2/v1/certs`, { signal: AbortSignal.timeout(TIMEOUT) });
      return (await response.json()) as Record<string, string>;
    },
  };
}
