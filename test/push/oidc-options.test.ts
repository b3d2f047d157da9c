import { describe, expect, it } from "vitest";
import type { AuthScope } from "../../src/core/auth.ts";
import { type OidcOptions, oidc } from "../../src/push/oidc.ts";
import { AUDIENCE, accepted, claims, google, logged, presentToken, scope, serveGoogle } from "../support/google.ts";
import { refusalOf } from "../support/refusal.ts";

serveGoogle();

describe("settings", () => {
  it("given as options win over those of the environment", async () => {
    const other = "other@project.iam.gserviceaccount.com";
    const authenticator = oidc({ audience: "https://other.example", serviceAccounts: [other] })(scope());
    const token = google.token(claims({ aud: "https://other.example", email: other }));
    expect(await presentToken(authenticator, token)).toEqual({ ok: true, principal: other });
    expect(await presentToken(authenticator, google.token(claims()))).toMatchObject({ ok: false });
  });

  it("may name another issuer, and then only that one", async () => {
    const authenticator = oidc({ issuers: ["https://issuer.example"] })(scope());
    const token = google.token(claims({ iss: "https://issuer.example" }));
    expect(await presentToken(authenticator, token)).toEqual(accepted);
    expect(await presentToken(authenticator, google.token(claims()))).toMatchObject({ ok: false });
  });

  it("without service accounts let every account in outside production, and say so once", async () => {
    const authenticator = oidc()(scope({ production: false, serviceAccounts: [] }));
    const known = google.token(claims());
    const nameless = google.token(claims({ email: undefined, email_verified: undefined }));
    expect(await presentToken(authenticator, known)).toEqual(accepted);
    expect(await presentToken(authenticator, nameless)).toEqual({ ok: true, principal: "113774264463038321964" });
    expect(logged).toEqual([expect.stringMatching(/^warn oidc: no service accounts are listed/)]);
  });

  const wrong: readonly [rule: string, options: OidcOptions, scope: Partial<AuthScope>, text: RegExp][] = [
    ["no audience", {}, { audiences: [] }, /^oidc audience: expected at least one audience, got none; /],
    ["no audience, outside production", {}, { audiences: [], production: false }, /at least one audience/],
    ["an empty list of audiences over a full one", { audience: [] }, {}, /at least one audience/],
    ["an empty audience", { audience: "" }, {}, /^oidc audience: expected no empty entry/],
    ["an empty audience of the environment", {}, { audiences: [""] }, /^oidc audience: expected no empty entry/],
    [
      "no service account in production",
      {},
      { serviceAccounts: [] },
      /^oidc serviceAccounts: .*in production, got none/,
    ],
    ["an empty list over a full one, in production", { serviceAccounts: [] }, {}, /in production, got none/],
    ["an empty service account", { serviceAccounts: [""] }, {}, /^oidc serviceAccounts: expected no empty entry/],
    ["a pattern", { serviceAccounts: ["*@project.iam.gserviceaccount.com"] }, {}, /expected exact e-mails, got "\*@/],
    ["a service account's name", { serviceAccounts: ["push"] }, {}, /expected exact e-mails, got "push"/],
    ["no issuer", { issuers: [] }, {}, /^oidc issuers: expected at least one issuer/],
    [
      "keys of one's own in production",
      { keys: { certificates: async () => ({}) } },
      {},
      /^oidc keys: .*in production/,
    ],
  ];

  it.each(wrong)("are refused when the handler is built: %s", (_rule, options, overrides, text) => {
    expect(refusalOf(() => oidc(options)(scope(overrides)), "INVALID_CONFIG")).toMatch(text);
  });

  const misspelt: OidcOptions & { audiance: string } = { audiance: AUDIENCE };
  const wrongOptions: readonly [rule: string, options: OidcOptions, text: RegExp][] = [
    ["a misspelt option", misspelt, /^oidc: unknown option audiance, did you mean audience\?$/],
    ["a skew over the library's own", { clockSkew: 301 }, /^oidc clockSkew: .*0 to 300, got 301/],
    ["a negative skew", { clockSkew: -1 }, /^oidc clockSkew: .*got -1/],
    ["a cache of no size", { cacheSize: 0 }, /^oidc cacheSize: .*got 0/],
  ];

  it.each(wrongOptions)("are refused where they are written: %s", (_rule, options, text) => {
    expect(refusalOf(() => oidc(options), "INVALID_OPTION")).toMatch(text);
  });
});
