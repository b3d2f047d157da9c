import type { AuthScope } from "../core/auth.ts";
import { TasksError } from "../core/errors.ts";
import { didYouMean } from "../core/suggest.ts";
import type { TokenExpectation } from "./oidc-token.ts";

/** Public keys of a signer other than Google: a local engine's or a test's own identity. Refused in production. */
export interface OidcKeySource {
  /** Public keys (SPKI PEM) or certificates (X.509 PEM) by key id. Asked once for every new token. */
  certificates(): Promise<Readonly<Record<string, string>>>;
}

/** Options of `oidc()`. */
export interface OidcOptions {
  /**
   * The `aud` claims to accept, compared exactly. Pub/Sub and Cloud Tasks send the target URL unless told otherwise.
   * Default: the URLs that the environment names. At least one is needed.
   */
  readonly audience?: string | readonly string[];
  /**
   * E-mails of the service accounts to accept; case does not count. Default: those that the environment names. Needed in
   * production; elsewhere an empty list accepts every account and says so once.
   */
  readonly serviceAccounts?: readonly string[];
  /** The `iss` claims to accept. Default both of Google's: `https://accounts.google.com` and `accounts.google.com`. */
  readonly issuers?: readonly string[];
  /** Seconds that the signer's clock and ours may differ, 0–300 (google-auth-library's own limit). Default 300. */
  readonly clockSkew?: number;
  /**
   * Signing keys other than Google's, outside production. Default: those of the emulator that the environment names, else
   * Google's, fetched over HTTPS and cached.
   */
  readonly keys?: OidcKeySource;
  /** How many verified tokens are remembered, 1–100,000; beyond that the oldest is forgotten. Default 1000. */
  readonly cacheSize?: number;
}

/** Options and scope, settled and found good. */
export interface OidcSettings extends TokenExpectation {
  /** In lower case; empty accepts every account. */
  readonly serviceAccounts: ReadonlySet<string>;
  readonly keys: OidcKeySource | undefined;
  readonly cacheSize: number;
}

const GOOGLE_ISSUERS = ["https://accounts.google.com", "accounts.google.com"];
const MAX_CLOCK_SKEW = 300;
const MAX_CACHE_SIZE = 100_000;
const OPTION_NAMES = ["audience", "serviceAccounts", "issuers", "clockSkew", "keys", "cacheSize"];

/** @throws TasksError `INVALID_OPTION` for what no environment can make right. */
export function assertOptions(options: OidcOptions): void {
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.includes(name)) {
      throw new TasksError("INVALID_OPTION", `oidc: unknown option ${name}${didYouMean(name, OPTION_NAMES)}`);
    }
  }
  assertInteger("clockSkew", options.clockSkew ?? MAX_CLOCK_SKEW, 0, MAX_CLOCK_SKEW);
  assertInteger("cacheSize", options.cacheSize ?? 1, 1, MAX_CACHE_SIZE);
}

function assertInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new TasksError(
    "INVALID_OPTION",
    `oidc ${name}: expected a whole number from ${min} to ${max}, got ${value}; change it or leave it out`,
  );
}

/**
 * Settles the options against their scope, failing closed.
 *
 * @throws TasksError `INVALID_CONFIG` for settings that are incomplete or too weak for production.
 */
export function settle(options: OidcOptions, scope: AuthScope): OidcSettings {
  const audiences = texts("audience", options.audience ?? scope.audiences);
  const serviceAccounts = texts("serviceAccounts", options.serviceAccounts ?? scope.serviceAccounts);
  const issuers = texts("issuers", options.issuers ?? GOOGLE_ISSUERS);
  if (audiences.length === 0) {
    throw invalid("audience", "at least one audience", "none", "pass the URL that is pushed to");
  }
  if (issuers.length === 0) throw invalid("issuers", "at least one issuer", "none", "leave it out for Google's");
  for (const email of serviceAccounts) {
    if (!/^[^\s@*]+@[^\s@*]+$/.test(email)) {
      throw invalid("serviceAccounts", "exact e-mails", JSON.stringify(email), "write each account out");
    }
  }
  const keys = options.keys ?? scope.keys;
  if (scope.production) assertProduction(serviceAccounts, keys);
  else if (serviceAccounts.length === 0) {
    scope.logger.warn("oidc: no service accounts are listed, so that every account with our audience is let in");
  }
  return {
    audiences,
    issuers,
    serviceAccounts: new Set(serviceAccounts.map((email) => email.toLowerCase())),
    clockSkew: options.clockSkew ?? MAX_CLOCK_SKEW,
    keys,
    cacheSize: options.cacheSize ?? 1000,
  };
}

function assertProduction(serviceAccounts: readonly string[], keys: OidcKeySource | undefined): void {
  if (serviceAccounts.length === 0) {
    throw invalid(
      "serviceAccounts",
      "the e-mail of a push service account in production",
      "none",
      "list it: any Google account can have a token made out to our URL",
    );
  }
  if (keys !== undefined) {
    throw invalid("keys", "Google's own signing keys in production", "another key source", "leave it out");
  }
}

/** A list of texts without duplicates; an empty text is a variable that is not set, and no reason to accept less strictly. */
function texts(option: string, values: string | readonly string[]): readonly string[] {
  const list: readonly unknown[] = typeof values === "string" ? [values] : values;
  for (const value of list) {
    if (typeof value !== "string" || value === "") {
      throw invalid(option, "no empty entry", JSON.stringify(list), "set the variable that it is read from");
    }
  }
  return [...new Set(list as readonly string[])];
}

function invalid(option: string, expected: string, got: string, remedy: string): TasksError {
  return new TasksError("INVALID_CONFIG", `oidc ${option}: expected ${expected}, got ${got}; ${remedy}`);
}
