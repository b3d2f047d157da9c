import { type Refusal, refused } from "../core/auth.ts";

/** The claims that are looked at, unverified in type and origin until proven otherwise. */
export interface TokenClaims {
  readonly aud?: unknown;
  readonly iss?: unknown;
  readonly exp?: unknown;
  readonly iat?: unknown;
  readonly sub?: unknown;
  readonly email?: unknown;
  readonly email_verified?: unknown;
}

/** A token taken apart, its signature not yet checked. */
export interface DecodedToken {
  readonly ok: true;
  readonly keyId: string;
  readonly claims: TokenClaims;
}

/** What the claims are held against. */
export interface TokenExpectation {
  readonly audiences: readonly string[];
  readonly issuers: readonly string[];
  /** Seconds that the two clocks may differ, in either direction. */
  readonly clockSkew: number;
}

/** A token that outlives this many seconds is none of Google's: theirs last an hour. */
const LONGEST_LIFE = 86_400;

const COMPACT_JWS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)$/;

/**
 * What Cloud Run puts in place of the signature of a token that it has checked itself,
 * cloud.google.com/run/docs/troubleshooting#signature-removed.
 */
const SIGNATURE_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE";

/** Takes a compact JWS apart (RFC 7515) and refuses every algorithm but RS256. Says nothing about its signature. */
export function decodeToken(token: string): DecodedToken | Refusal {
  const [, head, body, signature] = COMPACT_JWS.exec(token) ?? [];
  if (head === undefined || body === undefined) {
    return refused("expected a token of three base64url parts, got another form");
  }
  const header = decodePart(head);
  if (header === undefined) return refused("expected a token header in JSON, got another form");
  if (header.alg !== "RS256") return refused(`expected algorithm "RS256", got ${quote(header.alg)}`);
  if (signature === "") return refused("expected a signed token, got one without a signature");
  if (signature === SIGNATURE_REMOVED) {
    return refused("expected a signed token, got one whose signature was removed by Google's front end");
  }
  const keyId = header.kid;
  if (typeof keyId !== "string") return refused(`expected a key id in the token header, got ${quote(keyId)}`);
  const claims = decodePart(body);
  if (claims === undefined) return refused("expected token claims in a JSON object, got another form");
  return { ok: true, keyId, claims };
}

function decodePart(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Why a token is not for us or not for now (`now` in seconds since the epoch), if it is not. */
export function wrongClaims(claims: TokenClaims, expected: TokenExpectation, now: number): string | undefined {
  const { aud, iss } = claims;
  if (!isOneOf(expected.issuers, iss)) return `expected issuer ${list(expected.issuers)}, got ${quote(iss)}`;
  if (!isOneOf(expected.audiences, aud)) return `expected audience ${list(expected.audiences)}, got ${quote(aud)}`;
  return wrongTime(claims, expected.clockSkew, now);
}

/** Why a token is not valid at `now` (seconds since the epoch), if it is not. Valid to the end of `exp` + skew. */
export function wrongTime({ exp, iat }: TokenClaims, clockSkew: number, now: number): string | undefined {
  if (typeof exp !== "number" || typeof iat !== "number") {
    return `expected numeric iat and exp, got ${quote(iat)} and ${quote(exp)}`;
  }
  const time = `${Math.floor(now)} (clock skew ${clockSkew} s)`;
  if (now > exp + clockSkew) return `expected a token that is valid at ${time}, got one that expired at ${exp}`;
  if (now < iat - clockSkew) return `expected a token that is valid at ${time}, got one issued at ${iat}`;
  if (exp >= now + LONGEST_LIFE) return `expected expiry within ${LONGEST_LIFE} s of ${time}, got ${exp}`;
  return undefined;
}

/** Why a caller is not on the list of lower-case e-mails, if it is not. Give it verified claims only. */
export function wrongCaller({ email, email_verified }: TokenClaims, allowed: ReadonlySet<string>): string | undefined {
  if (typeof email !== "string" || !allowed.has(email.toLowerCase())) {
    return `expected service account ${list([...allowed])}, got ${quote(email)}`;
  }
  if (email_verified !== true) return `expected email_verified true, got ${quote(email_verified)}`;
  return undefined;
}

function isOneOf(expected: readonly string[], value: unknown): boolean {
  return typeof value === "string" && expected.includes(value);
}

function list(values: readonly string[]): string {
  return values.map(quote).join(" or ");
}

/** A foreign value on one line of a log: escaped, and cut where it gets long. */
export function quote(value: unknown): string {
  if (value === undefined) return "none";
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
