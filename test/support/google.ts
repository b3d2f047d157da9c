import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";
import type { Authenticator, AuthScope, Verdict } from "../../src/core/auth.ts";
import type { Logger } from "../../src/core/logger.ts";
import { createSigner, type Signer } from "./signer.ts";

export const AUDIENCE = "https://service.example/tasks/pubsub";
export const EMAIL = "push@project.iam.gserviceaccount.com";
/** When every test begins, in milliseconds since the epoch. */
export const START: number = Date.parse("2026-03-01T12:00:00Z");

/** The verdict on a good token of the push service account. */
export const accepted: Verdict = { ok: true, principal: EMAIL };

/** The key that Google signs with. */
export const google: Signer = createSigner("google-key-1");

/** Google's certificate endpoint: what it answers, and how often it was asked in this test. */
export const endpoint: { fetches: number; answer: () => Response } = { fetches: 0, answer: () => served(google) };

/** An answer of the certificate endpoint, good for an hour. */
export function served(...signers: readonly Signer[]): Response {
  const certificates = Object.fromEntries(signers.map(({ keyId, certificate }) => [keyId, certificate]));
  return HttpResponse.json(certificates, { headers: { "cache-control": "public, max-age=3600" } });
}

/** Lines that were logged in this test: level, message, fields. */
export const logged: string[] = [];

/** Serves the endpoint to the tests of a file, and sets the machine's clock to {@link START} for each of them. */
export function serveGoogle(): void {
  const certificates = http.get("https://www.googleapis.com/oauth2/v1/certs", () => {
    endpoint.fetches += 1;
    return endpoint.answer();
  });
  const server = setupServer(certificates);
  beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
  afterAll(() => server.close());
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: START });
    endpoint.fetches = 0;
    endpoint.answer = () => served(google);
    logged.length = 0;
  });
  afterEach(() => vi.useRealTimers());
}

/** Moves the clock, the machine's and so the scope's. */
export function advance(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000);
}

/** Seconds since the epoch, counted from {@link START}. */
export function inSeconds(seconds: number): number {
  return START / 1000 + seconds;
}

const record =
  (level: string) =>
  (message: string, fields: Record<string, unknown> = {}): void => {
    logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
const logger: Logger = {
  debug: record("debug"),
  info: record("info"),
  warn: record("warn"),
  error: record("error"),
};

/** A scope of production that names the audience and the service account. */
export function scope(overrides: Partial<AuthScope> = {}): AuthScope {
  return {
    production: true,
    audiences: [AUDIENCE],
    serviceAccounts: [EMAIL],
    now: () => Date.now(),
    logger,
    ...overrides,
  };
}

/** The claims of a good token, issued now. */
export function claims(overrides: object = {}): Record<string, unknown> {
  const iat = Math.floor(Date.now() / 1000);
  return {
    aud: AUDIENCE,
    azp: "113774264463038321964",
    email: EMAIL,
    email_verified: true,
    exp: iat + 3600,
    iat,
    iss: "https://accounts.google.com",
    sub: "113774264463038321964",
    ...overrides,
  };
}

/** Asks an authenticator about a request with this `Authorization` header. */
export function present(authenticator: Authenticator, authorization: string | undefined): Verdict | Promise<Verdict> {
  return authenticator.authenticate((name) => (name === "authorization" ? authorization : undefined));
}

/** Asks an authenticator about a request with this bearer token. */
export function presentToken(authenticator: Authenticator, token: string): Verdict | Promise<Verdict> {
  return present(authenticator, `Bearer ${token}`);
}
