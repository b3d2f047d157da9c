import type { Logger } from "./logger.ts";

/** A request header's value by its lower-case name, or `undefined` when the request does not carry it. */
export type HeaderLookup = (name: string) => string | undefined;

/**
 * What an {@link Authenticator} made of a request.
 *
 * `principal` names the caller for logs: a service account's e-mail, or which secret matched. `reason` is one line that
 * says what was expected and what came; it never holds the token, a secret or any part of a signature, and belongs into
 * the log, not into the answer. `unavailable` marks a refusal that is not the caller's fault (the certificates could not
 * be fetched): answer it as a temporary failure, not as a denial.
 */
export type Verdict =
  | { readonly ok: true; readonly principal: string }
  | { readonly ok: false; readonly reason: string; readonly unavailable?: true };

/** A {@link Verdict} that lets nobody in. */
export type Refusal = Extract<Verdict, { ok: false }>;

/** Decides from headers alone who is calling. */
export interface Authenticator {
  /** How callers prove themselves. Pub/Sub push can only do `"oidc"`; `"none"` exists for development alone. */
  readonly kind: "oidc" | "shared-secret" | "none";
  /** Synchronous when the answer is at hand, as it is for nearly every push. Never throws and never rejects. */
  authenticate(header: HeaderLookup): Verdict | Promise<Verdict>;
}

/** What the place where a handler is built knows; an option given to the factory itself wins over it. */
export interface AuthScope {
  /** Whether this is production, where weak settings are refused. */
  readonly production: boolean;
  /** Audiences derived from the environment: the URLs that the services push to. */
  readonly audiences: readonly string[];
  /** E-mails of the service accounts that push, as the environment names them. */
  readonly serviceAccounts: readonly string[];
  /** Public keys by key id of an emulator that signs push tokens in Google's place. Never in production. */
  readonly keys?: { certificates(): Promise<Readonly<Record<string, string>>> } | undefined;
  /** Milliseconds since the epoch. The machine's clock outside tests: callers date their tokens by it. */
  readonly now: () => number;
  /** Told about settings that are weak but allowed; never about single requests. */
  readonly logger: Logger;
}

/**
 * Makes an {@link Authenticator} once its scope is known, so that naming one at module level reads no environment.
 *
 * @throws TasksError `INVALID_CONFIG` when the settings would let in what they should keep out: it fails closed.
 */
export type AuthFactory = (scope: AuthScope) => Authenticator;

/** A refusal that is the caller's fault. */
export function refused(reason: string): Refusal {
  return { ok: false, reason };
}

/** A refusal that is nobody's fault but ours: the caller should come again. */
export function unavailable(reason: string): Refusal {
  return { ok: false, reason, unavailable: true };
}

/** The token of an `Authorization` header of the Bearer scheme (RFC 6750; the scheme's case does not count). */
export function bearerToken(authorization: string): string | undefined {
  if (authorization.slice(0, 7).toLowerCase() !== "bearer ") return undefined;
  const token = authorization.slice(7).trim();
  return token === "" || /\s/.test(token) ? undefined : token;
}
