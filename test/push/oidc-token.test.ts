import { describe, expect, it } from "vitest";
import { oidc } from "../../src/push/oidc.ts";
import {
  AUDIENCE,
  accepted,
  advance,
  claims,
  endpoint,
  google,
  inSeconds,
  logged,
  present,
  presentToken,
  scope,
  serveGoogle,
} from "../support/google.ts";
import { createSigner, hmacToken, unsigned } from "../support/signer.ts";

serveGoogle();

const stranger = createSigner(google.keyId);

describe("what is no valid token of the push service account is denied, with a reason that says what was expected", () => {
  const bearer =
    (token: () => string): (() => string) =>
    () =>
      `Bearer ${token()}`;
  const signed = (overrides: object, header?: object): (() => string) =>
    bearer(() => google.token(claims(overrides), header));
  const tampered = (): string => {
    const signature = google.token(claims()).split(".").at(-1);
    return `${unsigned({ alg: "RS256", kid: google.keyId, typ: "JWT" }, claims({ extra: 1 }))}.${signature}`;
  };

  const cases: readonly [what: string, authorization: () => string | undefined, reason: RegExp][] = [
    ["no header", () => undefined, /^expected a bearer token in header authorization, got none$/],
    ["an empty header", () => "", /^expected "Bearer <token>" in header authorization/],
    ["a scheme without a token", () => "Bearer ", /^expected "Bearer <token>" in header authorization/],
    ["another scheme", () => "Basic dXNlcjpwYXNzd29yZA==", /^expected "Bearer <token>" in header authorization/],
    ["a token without its scheme", () => google.token(claims()), /^expected "Bearer <token>"/],
    ["two tokens", () => `Bearer ${google.token(claims())} ${google.token(claims())}`, /^expected "Bearer <token>"/],
    ["garbage", () => "Bearer garbage", /^expected a token of three base64url parts/],
    ["bytes that are no base64url", () => "Bearer \u0000ÿ.é.!", /^expected a token of three base64url parts/],
    ["two parts", bearer(() => unsigned({ alg: "RS256" }, claims())), /^expected a token of three base64url parts/],
    ["four parts", bearer(() => `${google.token(claims())}.AAAA`), /^expected a token of three base64url parts/],
    ["a header that is not JSON", bearer(() => `${unsigned("{", claims())}.AAAA`), /^expected a token header in JSON/],
    ["a header that is no object", bearer(() => `${unsigned([1], claims())}.AAAA`), /^expected a token header in JSON/],
    [
      "claims that are not JSON",
      bearer(() => `${unsigned({ alg: "RS256", kid: "google-key-1" }, "{")}.AAAA`),
      /^expected token claims in a JSON object/,
    ],
    [
      "claims that are null",
      bearer(() => `${unsigned({ alg: "RS256", kid: "google-key-1" }, null)}.AAAA`),
      /^expected token claims in a JSON object/,
    ],
    [
      "alg none without a signature",
      bearer(() => `${unsigned({ alg: "none", kid: "google-key-1" }, claims())}.`),
      /^expected algorithm "RS256", got "none"$/,
    ],
    ["alg none with a good signature", signed({}, { alg: "none" }), /^expected algorithm "RS256", got "none"$/],
    ["no alg with a good signature", signed({}, { alg: undefined }), /^expected algorithm "RS256", got none$/],
    ["alg RS512", signed({}, { alg: "RS512" }), /^expected algorithm "RS256", got "RS512"$/],
    ["alg ES256", signed({}, { alg: "ES256" }), /^expected algorithm "RS256", got "ES256"$/],
    [
      "HS256",
      bearer(() => hmacToken("google-key-1", claims(), "a secret of some length")),
      /^expected algorithm "RS256", got "HS256"$/,
    ],
    [
      "HS256 with the public certificate for a secret",
      bearer(() => hmacToken("google-key-1", claims(), google.certificate)),
      /^expected algorithm "RS256", got "HS256"$/,
    ],
    [
      "RS256 without a signature",
      bearer(() => `${unsigned({ alg: "RS256", kid: "google-key-1" }, claims())}.`),
      /^expected a signed token, got one without a signature$/,
    ],
    [
      "a signature that Google's front end removed",
      bearer(() => `${unsigned({ alg: "RS256", kid: "google-key-1" }, claims())}.SIGNATURE_REMOVED_BY_GOOGLE`),
      /^expected a signed token, got one whose signature was removed/,
    ],
    ["no key id", signed({}, { kid: undefined }), /^expected a key id in the token header, got none$/],
    ["a key id of another type", signed({}, { kid: 1 }), /^expected a key id in the token header, got 1$/],
    [
      "an unknown key id",
      signed({}, { kid: "made-up" }),
      /^expected a signature by a current key, got key id "made-up"$/,
    ],
    [
      "a key id that names a property of every object",
      signed({}, { kid: "__proto__" }),
      /^expected a signature by a current key, got key id "__proto__"$/,
    ],
    [
      "a foreign signature under a known key id",
      bearer(() => stranger.token(claims())),
      /^expected a signature by key id "google-key-1", got one that does not match$/,
    ],
    [
      "claims changed after signing",
      bearer(tampered),
      /^expected a signature by key id "google-key-1", got one that does not match$/,
    ],
    [
      "another issuer",
      signed({ iss: "https://issuer.example" }),
      /^expected issuer "https:\/\/accounts.google.com" or "accounts.google.com", got "https:\/\/issuer.example"$/,
    ],
    ["no issuer", signed({ iss: undefined }), /^expected issuer .*, got none$/],
    [
      "another audience",
      signed({ aud: "https://other.example" }),
      /^expected audience "https:\/\/service.example\/tasks\/pubsub", got "https:\/\/other.example"$/,
    ],
    ["an audience in another case", signed({ aud: AUDIENCE.toUpperCase() }), /^expected audience /],
    ["no audience", signed({ aud: undefined }), /^expected audience .*, got none$/],
    ["a list of audiences", signed({ aud: [AUDIENCE] }), /^expected audience .*, got \["https/],
    [
      "an expired token",
      signed({ iat: inSeconds(-3901), exp: inSeconds(-301) }),
      /^expected a token that is valid at \d+ \(clock skew 300 s\), got one that expired at \d+$/,
    ],
    [
      "a token that is not valid yet",
      signed({ iat: inSeconds(301), exp: inSeconds(3901) }),
      /^expected a token that is valid at \d+ \(clock skew 300 s\), got one issued at \d+$/,
    ],
    ["no expiry", signed({ exp: undefined }), /^expected numeric iat and exp, got \d+ and none$/],
    ["no time of issue", signed({ iat: undefined }), /^expected numeric iat and exp, got none and \d+$/],
    ["an expiry that is a text", signed({ exp: "9999999999" }), /^expected numeric iat and exp/],
    ["an expiry more than a day off", signed({ exp: inSeconds(86_401) }), /^expected expiry within 86400 s/],
    [
      "the account of a stranger",
      signed({ email: "stranger@gmail.example" }),
      /^expected service account "push@project.iam.gserviceaccount.com", got "stranger@gmail.example"$/,
    ],
    ["no e-mail", signed({ email: undefined }), /^expected service account .*, got none$/],
    ["an e-mail that is not verified", signed({ email_verified: false }), /^expected email_verified true, got false$/],
    [
      "a verified mark that is a text",
      signed({ email_verified: "true" }),
      /^expected email_verified true, got "true"$/,
    ],
    [
      "an oversized token",
      signed({ padding: "x".repeat(8192) }),
      /^expected a token of at most 8192 characters, got \d+$/,
    ],
    [
      "a claim with line breaks, which stay on one line",
      signed({ aud: "x\nlevel=info forged" }),
      /^expected audience .*, got "x\\nlevel=info forged"$/,
    ],
    ["a long claim, which is cut", signed({ aud: "x".repeat(2000) }), /^.{1,400}$/],
  ];

  it.each(cases)("%s", async (_what, authorization, reason) => {
    const value = authorization();
    const verdict = await present(oidc()(scope()), value);
    expect(verdict).toEqual({ ok: false, reason: expect.stringMatching(reason) });
    const said = JSON.stringify([verdict, logged]);
    const parts = (value ?? "").split(/[ .]/).filter((text) => text.length >= 20 && !text.includes("REMOVED"));
    for (const text of parts) expect(said).not.toContain(text);
  });

  it("is denied again when it comes again: a refusal is not remembered", async () => {
    const authenticator = oidc()(scope());
    const token = google.token(claims({ iat: inSeconds(600), exp: inSeconds(4200) }));
    expect(await presentToken(authenticator, token)).toMatchObject({ ok: false });
    expect(await presentToken(authenticator, token)).toMatchObject({ ok: false });
    advance(600);
    expect(await presentToken(authenticator, token)).toEqual(accepted);
  });

  it("is denied before Google is asked for certificates when its claims already tell", async () => {
    await presentToken(oidc()(scope()), google.token(claims({ aud: "https://other.example" })));
    expect(endpoint.fetches).toBe(0);
  });
});
