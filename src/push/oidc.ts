import type { Certificates, OAuth2Client } from "google-auth-library";
import {
  type Authenticator,
  type AuthFactory,
  type AuthScope,
  bearerToken,
  refused,
  unavailable,
  type Verdict,
} from "../core/auth.ts";
import { assertOptions, type OidcOptions, type OidcSettings, settle } from "./oidc-options.ts";
import {
  type DecodedToken,
  decodeToken,
  quote,
  type TokenClaims,
  wrongCaller,
  wrongClaims,
  wrongTime,
} from "./oidc-token.ts";

export type { OidcKeySource, OidcOptions } from "./oidc-options.ts";

/** Google's tokens are about 1 KB; what is longer than this many characters is refused without being looked at. */
const LONGEST_TOKEN = 8192;

/** Characters of base64url that hold 256 bits. */
const SIGNATURE_END = 43;

/** Milliseconds for one request of the certificates; the library tries up to four times. */
const FETCH_TIMEOUT = 3000;

/** Milliseconds between two fetches on account of a key id that is not known, which anybody can make up. */
const REFETCH_INTERVAL = 60_000;

/**
 * Callers prove themselves by a token that Google signed for them: Pub/Sub push, Cloud Tasks, Cloud Scheduler and any
 * service account (cloud.google.com/pubsub/docs/authenticate-push-subscriptions). Checked are the signature (RS256 only,
 * by google-auth-library, which is loaded with the first token), audience, issuer, the time from `iat` to `exp`, and
 * that a verified `email` is one of `serviceAccounts`. The audience alone proves nothing: any Google account can have
 * a token made out to any URL.
 *
 * A verified token is remembered by its whole text and accepted without further work for as long as it would be accepted
 * anew, that is until `exp` plus `clockSkew`. A refused token is not remembered.
 *
 * Times are held against the scope's clock and, by google-auth-library, once more against the machine's own.
 *
 * @throws TasksError `INVALID_CONFIG` when the handler is built: no audience; in production no service account, or `keys`.
 * `INVALID_OPTION` at once for an unknown option or one out of range.
 */
export function oidc(options: OidcOptions = {}): AuthFactory {
  assertOptions(options);
  return (scope) => authenticator(settle(options, scope), scope);
}

interface KeySource {
  /** The public keys by id; `keyId` is the one in demand. */
  certificates(keyId: string): Promise<Certificates>;
}

function authenticator(settings: OidcSettings, { now }: AuthScope): Authenticator {
  const verify = verifier(settings, now);
  const verified = tokenCache(settings.cacheSize, now);
  const pending = new Map<string, Promise<Verdict>>();

  const examine = (authorization: string): Verdict | Promise<Verdict> => {
    const running = pending.get(authorization);
    if (running !== undefined) return running;
    if (authorization.length > LONGEST_TOKEN + "Bearer ".length) {
      return refused(`expected a token of at most ${LONGEST_TOKEN} characters, got ${authorization.length}`);
    }
    const token = bearerToken(authorization);
    if (token === undefined) return refused('expected "Bearer <token>" in header authorization, got another form');
    const decoded = decodeToken(token);
    if (!decoded.ok) return decoded;
    const wrong = wrongClaims(decoded.claims, settings, now() / 1000);
    if (wrong !== undefined) return refused(wrong);

    const verdict = verify(token, decoded).then((settled) => {
      pending.delete(authorization);
      const until = (Number(decoded.claims.exp) + settings.clockSkew) * 1000;
      if (settled.ok) verified.set(authorization, settled, until);
      return settled;
    });
    pending.set(authorization, verdict);
    return verdict;
  };

  return {
    kind: "oidc",
    authenticate(header) {
      const authorization = header("authorization");
      if (authorization === undefined) return refused("expected a bearer token in header authorization, got none");
      return verified.get(authorization) ?? examine(authorization);
    },
  };
}

interface TokenCache {
  get(authorization: string): Verdict | undefined;
  /** `until` in milliseconds since the epoch, inclusive. */
  set(authorization: string, verdict: Verdict, until: number): void;
}

/**
 * Verdicts by the whole header value, compared in full but found by its end: hashing all of a token takes V8 a
 * microsecond, several times as long as the rest. Whoever does not know the end, 256 bits of signature, never gets to
 * the comparison, so that its duration tells nothing.
 */
function tokenCache(size: number, now: () => number): TokenCache {
  const entries = new Map<
    string,
    { readonly authorization: string; readonly verdict: Verdict; readonly until: number }
  >();
  return {
    get(authorization) {
      const key = authorization.slice(-SIGNATURE_END);
      const entry = entries.get(key);
      if (entry === undefined || entry.authorization !== authorization) return undefined;
      if (now() <= entry.until) return entry.verdict;
      entries.delete(key);
      return undefined;
    },
    set(authorization, verdict, until) {
      entries.set(authorization.slice(-SIGNATURE_END), { authorization, verdict, until });
      const [oldest] = entries.keys();
      if (entries.size > size && oldest !== undefined) entries.delete(oldest);
    },
  };
}

/** Checks a decoded token's signature, then who its caller is. Never rejects. */
function verifier(
  settings: OidcSettings,
  now: () => number,
): (token: string, decoded: DecodedToken) => Promise<Verdict> {
  const keys = settings.keys ?? googleKeys(now);

  return async (token, decoded) => {
    let library: OAuth2Client;
    let certificates: Certificates;
    try {
      library = await newClient();
      certificates = await keys.certificates(decoded.keyId);
      if (!Object.hasOwn(certificates, decoded.keyId)) {
        return refused(`expected a signature by a current key, got key id ${quote(decoded.keyId)}`);
      }
    } catch (error) {
      return unavailable(`expected signing certificates, got ${failure(error)}`);
    }
    try {
      const { audiences, issuers } = settings;
      const ticket = await library.verifySignedJwtWithCertsAsync(token, certificates, [...audiences], [...issuers]);
      return callerVerdict(ticket.getPayload() ?? {}, settings);
    } catch {
      // The library's error may quote the whole token: it goes nowhere.
      const untimely = wrongTime(decoded.claims, settings.clockSkew, Date.now() / 1000);
      return refused(untimely ?? `expected a signature by key id ${quote(decoded.keyId)}, got one that does not match`);
    }
  };
}

/** The status of a failed fetch, since its message is whatever the other side answered, else the message. */
function failure(error: unknown): string {
  if (!(error instanceof Error)) return "an error";
  return "status" in error && typeof error.status === "number" ? `status ${error.status}` : quote(error.message);
}

function callerVerdict(claims: TokenClaims, { serviceAccounts }: OidcSettings): Verdict {
  const wrong = serviceAccounts.size > 0 ? wrongCaller(claims, serviceAccounts) : undefined;
  if (wrong !== undefined) return refused(wrong);
  return { ok: true, principal: String((claims.email_verified === true ? claims.email : undefined) ?? claims.sub) };
}

async function newClient(): Promise<OAuth2Client> {
  const { OAuth2Client } = await import("google-auth-library");
  return new OAuth2Client({ transporterOptions: { timeout: FETCH_TIMEOUT } });
}

/**
 * Google's certificates, kept by the library's client for as long as their `cache-control` says. A key id that is not
 * among them may be newer than they are: then a second client fetches them anew, and takes over once it has succeeded.
 */
function googleKeys(now: () => number): KeySource {
  let client: OAuth2Client | undefined;
  let fetchedAt = 0;

  const load = async (source: OAuth2Client): Promise<Certificates> => {
    const { certs, res } = await source.getFederatedSignonCertsAsync();
    if (typeof certs !== "object" || certs === null) throw new Error("expected certificates in a JSON object");
    if (res) fetchedAt = now();
    client = source;
    return certs;
  };
  const current = singleFlight(async () => load(client ?? (await newClient())));
  const anew = singleFlight(async () => {
    try {
      return await load(await newClient());
    } finally {
      fetchedAt = now();
    }
  });

  return {
    async certificates(keyId) {
      const certificates = await current();
      const settled = Object.hasOwn(certificates, keyId) || now() - fetchedAt < REFETCH_INTERVAL;
      return settled ? certificates : anew();
    },
  };
}

/** One run at a time: who calls during a run gets its result. */
function singleFlight<T>(task: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= task().finally(() => {
      running = undefined;
    });
    return running;
  };
}
