import { HttpResponse } from "msw";
import { describe, expect, it } from "vitest";
import { createIdentity } from "../../src/engine/identity.ts";
import { type OidcOptions, oidc } from "../../src/push/oidc.ts";
import {
  AUDIENCE,
  accepted,
  advance,
  claims,
  EMAIL,
  endpoint,
  google,
  inSeconds,
  present,
  presentToken,
  START,
  scope,
  served,
  serveGoogle,
} from "../support/google.ts";
import { createSigner, unsigned } from "../support/signer.ts";

serveGoogle();

const nextKey = createSigner("google-key-2");
const stranger = createSigner(google.keyId);

describe("a token of the push service account", () => {
  const cases: readonly [rule: string, token: () => string, options?: OidcOptions][] = [
    ["is accepted as Google signs it", () => google.token(claims())],
    ["is accepted from the issuer without a scheme", () => google.token(claims({ iss: "accounts.google.com" }))],
    [
      "is accepted for any of several audiences",
      () => google.token(claims({ aud: "https://b.example" })),
      { audience: ["https://a.example", "https://b.example"] },
    ],
    [
      "is accepted whatever the case of the listed e-mail",
      () => google.token(claims()),
      { serviceAccounts: [EMAIL.toUpperCase()] },
    ],
    ["is accepted when it is an hour old", () => google.token(claims({ iat: inSeconds(-3600), exp: inSeconds(0) }))],
    [
      "is accepted within the clock skew after its expiry",
      () => google.token(claims({ iat: inSeconds(-3900), exp: inSeconds(-300) })),
    ],
    [
      "is accepted within the clock skew before its issue",
      () => google.token(claims({ iat: inSeconds(300), exp: inSeconds(3900) })),
    ],
  ];

  it.each(cases)("%s", async (_rule, token, options) => {
    expect(await presentToken(oidc(options)(scope()), token())).toEqual(accepted);
  });

  it("is accepted whatever the case of its own e-mail", async () => {
    const email = EMAIL.toUpperCase();
    expect(await presentToken(oidc()(scope()), google.token(claims({ email })))).toEqual({
      ok: true,
      principal: email,
    });
  });

  it("is accepted whatever the case of the scheme", async () => {
    expect(await present(oidc()(scope()), `bEARER ${google.token(claims())}`)).toEqual(accepted);
  });
});

describe("a verified token", () => {
  it("is accepted again at once, without a promise", async () => {
    const authenticator = oidc()(scope());
    const token = google.token(claims());
    expect(presentToken(authenticator, token)).toBeInstanceOf(Promise);
    await presentToken(authenticator, token);
    expect(presentToken(authenticator, token)).toEqual(accepted);
  });

  it.each([0, 60, 300])(
    "fails after its expiry plus a clock skew of %i s, as it would have anew",
    async (clockSkew) => {
      const authenticator = oidc({ clockSkew })(scope());
      const token = google.token(claims());
      await presentToken(authenticator, token);
      advance(3600 + clockSkew);
      expect(presentToken(authenticator, token)).toEqual(accepted);
      expect(await presentToken(oidc({ clockSkew })(scope()), token)).toEqual(accepted);
      advance(1);
      const late = { ok: false, reason: expect.stringContaining("got one that expired at") };
      expect(await presentToken(authenticator, token)).toEqual(late);
      expect(await presentToken(oidc({ clockSkew })(scope()), token)).toEqual(late);
    },
  );

  const variants: readonly [what: string, variant: (token: string) => string][] = [
    ["another signature under its claims", () => stranger.token(claims())],
    [
      "its signature under other claims",
      (token) => `${unsigned({ alg: "RS256", kid: google.keyId }, claims({ jti: 1 }))}.${token.split(".").at(-1)}`,
    ],
    ["its text cut short at the front", (token) => token.slice(1)],
  ];

  it.each(variants)("is known by its whole text: %s is denied", async (_what, variant) => {
    const authenticator = oidc()(scope());
    const token = google.token(claims());
    expect(await presentToken(authenticator, token)).toEqual(accepted);
    expect(await presentToken(authenticator, variant(token))).toMatchObject({ ok: false });
    expect(presentToken(authenticator, token)).toEqual(accepted);
  });

  it("is forgotten as the oldest of more than cacheSize", async () => {
    const authenticator = oidc({ cacheSize: 2 })(scope());
    const [first = "", second = "", third = ""] = [1, 2, 3].map((jti) => google.token(claims({ jti })));
    for (const token of [first, second, third]) await presentToken(authenticator, token);
    expect(presentToken(authenticator, second)).toEqual(accepted);
    expect(presentToken(authenticator, third)).toEqual(accepted);
    expect(await presentToken(authenticator, first)).toEqual(accepted);
    expect(presentToken(authenticator, second)).toBeInstanceOf(Promise);
  });

  it("is verified once when it arrives many times at once", async () => {
    const authenticator = oidc()(scope());
    const token = google.token(claims());
    const answers = [1, 2, 3].map(() => presentToken(authenticator, token));
    expect(new Set(answers).size).toBe(1);
    expect(await Promise.all(answers)).toEqual([accepted, accepted, accepted]);
  });
});

describe("Google's certificates", () => {
  it("are fetched once for several tokens, at once or one after the other", async () => {
    const authenticator = oidc()(scope());
    const tokens = [1, 2, 3].map((jti) => google.token(claims({ jti })));
    await Promise.all(tokens.map((token) => presentToken(authenticator, token)));
    await presentToken(authenticator, google.token(claims({ jti: 4 })));
    expect(endpoint.fetches).toBe(1);
  });

  it("are fetched anew when their max-age has passed", async () => {
    const authenticator = oidc()(scope());
    await presentToken(authenticator, google.token(claims()));
    advance(3601);
    expect(await presentToken(authenticator, google.token(claims()))).toEqual(accepted);
    expect(endpoint.fetches).toBe(2);
  });

  it("are fetched anew for a key id that is newer than they are", async () => {
    const authenticator = oidc()(scope());
    await presentToken(authenticator, google.token(claims()));
    endpoint.answer = () => served(google, nextKey);
    advance(61);
    const tokens = [1, 2].map((jti) => nextKey.token(claims({ jti })));
    expect(await Promise.all(tokens.map((token) => presentToken(authenticator, token)))).toEqual([accepted, accepted]);
    expect(endpoint.fetches).toBe(2);
  });

  it("are fetched at most once a minute for key ids that nobody knows", async () => {
    const authenticator = oidc()(scope());
    await presentToken(authenticator, google.token(claims()));
    for (const seconds of [61, 1, 1, 61]) {
      advance(seconds);
      await presentToken(authenticator, google.token(claims(), { kid: `made-up-${seconds}` }));
    }
    expect(endpoint.fetches).toBe(3);
  });

  it("stay in use while fetching newer ones fails, which is not tried again within a minute", async () => {
    const authenticator = oidc()(scope());
    await presentToken(authenticator, google.token(claims()));
    endpoint.answer = () => new HttpResponse(null, { status: 404 });
    advance(61);
    expect(await presentToken(authenticator, nextKey.token(claims()))).toMatchObject({ ok: false, unavailable: true });
    expect(await presentToken(authenticator, google.token(claims()))).toEqual(accepted);
    expect(await presentToken(authenticator, nextKey.token(claims({ jti: 2 })))).toMatchObject({ ok: false });
    expect(endpoint.fetches).toBe(2);
  });

  const outages: readonly [what: string, answer: () => Response, reason: RegExp][] = [
    ["are refused by the endpoint", () => new HttpResponse("gone", { status: 404 }), /, got status 404$/],
    ["are not reached", () => HttpResponse.error(), /^expected signing certificates, got "Failed to retrieve/],
    ["come as a page of HTML", () => HttpResponse.html("<p>sign in</p>"), /expected certificates in a JSON object/],
  ];

  it.each(outages)("make a token's verdict unavailable, not a denial, while they %s", async (_what, answer, reason) => {
    const authenticator = oidc()(scope());
    const token = google.token(claims());
    endpoint.answer = answer;
    const verdict = await presentToken(authenticator, token);
    expect(verdict).toEqual({ ok: false, unavailable: true, reason: expect.stringMatching(reason) });
    for (const part of token.split(".")) expect(JSON.stringify(verdict)).not.toContain(part);
    endpoint.answer = () => served(google);
    expect(await presentToken(authenticator, token)).toEqual(accepted);
  });
});

describe("keys of one's own", () => {
  it("are verified on the same path, and Google is not asked", async () => {
    const identity = await createIdentity({ email: EMAIL });
    const authenticator = oidc({ keys: identity })(scope({ production: false }));
    const token = identity.token({ audience: AUDIENCE, issuedAt: new Date() });
    expect(await presentToken(authenticator, token)).toEqual(accepted);
    expect(await presentToken(authenticator, google.token(claims()))).toMatchObject({ ok: false });
    expect(endpoint.fetches).toBe(0);
  });

  it("make the verdict unavailable while they cannot be had", async () => {
    const keys = { certificates: () => Promise.reject(new Error("not started")) };
    const authenticator = oidc({ keys })(scope({ production: false }));
    expect(await presentToken(authenticator, google.token(claims()))).toEqual({
      ok: false,
      unavailable: true,
      reason: 'expected signing certificates, got "not started"',
    });
  });

  it("do not loosen the time: a token is held against the machine's clock as well as the scope's", async () => {
    const identity = await createIdentity({ email: EMAIL });
    const virtual = START + 7_200_000;
    const authenticator = oidc({ keys: identity })(scope({ production: false, now: () => virtual }));
    const token = identity.token({ audience: AUDIENCE, issuedAt: new Date(virtual) });
    expect(await presentToken(authenticator, token)).toEqual({
      ok: false,
      reason: expect.stringMatching(/^expected a token that is valid at 1772366400 .*, got one issued at 1772373600$/),
    });
  });
});
