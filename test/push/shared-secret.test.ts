import { describe, expect, it } from "vitest";
import type { Authenticator, AuthScope, Verdict } from "../../src/core/auth.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { noAuth } from "../../src/push/no-auth.ts";
import { type SharedSecretOptions, sharedSecret } from "../../src/push/shared-secret.ts";
import { refusalOf } from "../support/refusal.ts";

const OLD = "an-old-secret-of-some-length";
const NEW = "a-new-secret-of-other-length!";

function scope(production: boolean): AuthScope {
  return { production, audiences: [], serviceAccounts: [], now: () => 0, logger: silentLogger };
}

function ask(authenticator: Authenticator, headers: Readonly<Record<string, string>>): Verdict | Promise<Verdict> {
  return authenticator.authenticate((name) => headers[name]);
}

describe("a shared secret", () => {
  const own: SharedSecretOptions = { header: "X-Internal-Api-Key" };
  const first: Verdict = { ok: true, principal: "shared-secret-1" };
  const second: Verdict = { ok: true, principal: "shared-secret-2" };
  const denied = (reason: RegExp): unknown => ({ ok: false, reason: expect.stringMatching(reason) });
  const wrongBearer = denied(/^expected one of 2 shared secrets in header authorization, got another value$/);
  const wrongOwn = denied(/^expected one of 2 shared secrets in header x-internal-api-key, got another value$/);
  const wrongForm = denied(/^expected header authorization of the form "Bearer <secret>", got another form$/);

  const cases: readonly [rule: string, options: SharedSecretOptions, headers: Record<string, string>, want: unknown][] =
    [
      ["is accepted as a bearer token", {}, { authorization: `Bearer ${OLD}` }, first],
      ["is accepted in either case of the scheme", {}, { authorization: `bearer ${OLD}` }, first],
      ["is accepted as any of several, so that it can be rotated", {}, { authorization: `Bearer ${NEW}` }, second],
      ["is accepted bare in a header of one's own", own, { "x-internal-api-key": NEW }, second],
      [
        "may name the standard header in any case",
        { header: "Authorization" },
        { authorization: `Bearer ${OLD}` },
        first,
      ],
      ["is denied when it differs", {}, { authorization: "Bearer something-else" }, wrongBearer],
      [
        "is denied when it is a beginning of the right one",
        {},
        { authorization: `Bearer ${OLD.slice(0, -1)}` },
        wrongBearer,
      ],
      ["is denied when it begins with the right one", {}, { authorization: `Bearer ${OLD}x` }, wrongBearer],
      ["is denied in another case", {}, { authorization: `Bearer ${OLD.toUpperCase()}` }, wrongBearer],
      ["is denied when it is very long", {}, { authorization: `Bearer ${"x".repeat(100_000)}` }, wrongBearer],
      ["is denied without its scheme", {}, { authorization: OLD }, wrongForm],
      ["is denied under another scheme", {}, { authorization: `Basic ${OLD}` }, wrongForm],
      ["is denied twice in one header", {}, { authorization: `Bearer ${OLD} ${OLD}` }, wrongForm],
      ["is denied when nothing follows the scheme", {}, { authorization: "Bearer " }, wrongForm],
      ["is denied when missing", {}, {}, denied(/^expected a shared secret in header authorization, got none$/)],
      ["is denied when empty", own, { "x-internal-api-key": "" }, denied(/header x-internal-api-key, got none$/)],
      ["is denied with a scheme in a header of one's own", own, { "x-internal-api-key": `Bearer ${NEW}` }, wrongOwn],
      ["is denied in another header than its own", own, { authorization: `Bearer ${NEW}` }, denied(/, got none$/)],
    ];

  it.each(cases)("%s", (_rule, options, headers, want) => {
    const verdict = ask(sharedSecret([OLD, NEW], options)(scope(true)), headers);
    expect(verdict).toEqual(want);
    for (const secret of [OLD, NEW, ...Object.values(headers)]) {
      if (secret.length > 10) expect(JSON.stringify(verdict)).not.toContain(secret);
    }
  });

  it("may be given as one text", () => {
    expect(ask(sharedSecret(OLD)(scope(true)), { authorization: `Bearer ${OLD}` })).toEqual(first);
  });

  it("may be short outside production", () => {
    expect(ask(sharedSecret("dev")(scope(false)), { authorization: "Bearer dev" })).toEqual(first);
  });

  const wrong: readonly [rule: string, secrets: string | string[], production: boolean, text: RegExp][] = [
    ["none", [], false, /^sharedSecret: expected at least one secret, got none; /],
    ["an empty one", "", false, /^sharedSecret: expected secret 1 of 1 to be a text, got an empty one; /],
    ["an empty one among others", [OLD, ""], false, /^sharedSecret: expected secret 2 of 2 to be a text/],
    ["a line break at its end", `${OLD}\n`, false, /visible ASCII without spaces, got another character; trim it/],
    ["a space", "two words", false, /visible ASCII without spaces/],
    ["an accent", "sécret", false, /visible ASCII without spaces/],
    ["15 characters in production", "x".repeat(15), true, /to have 16 characters or more in production, got 15; /],
    ["a short one among others in production", [OLD, "short"], true, /secret 2 of 2 to have 16 characters or more/],
  ];

  it.each(wrong)("is refused when the handler is built: %s", (_rule, secrets, production, text) => {
    const factory = sharedSecret(secrets);
    const message = refusalOf(() => factory(scope(production)), "INVALID_CONFIG");
    expect(message).toMatch(text);
    expect(message).not.toContain(OLD);
  });

  const misspelt: SharedSecretOptions & { headers: string } = { headers: "x-key" };
  const wrongOptions: readonly [rule: string, options: SharedSecretOptions, text: RegExp][] = [
    ["a misspelt option", misspelt, /^sharedSecret: unknown option headers, did you mean header\?$/],
    ["a header name with a space", { header: "x key" }, /^sharedSecret header: expected a header name, got "x key"/],
    ["an empty header name", { header: "" }, /^sharedSecret header: expected a header name, got ""/],
  ];

  it.each(wrongOptions)("is refused where it is written: %s", (_rule, options, text) => {
    expect(refusalOf(() => sharedSecret(OLD, options), "INVALID_OPTION")).toMatch(text);
  });

  it("takes 16 characters in production", () => {
    const secret = "x".repeat(16);
    expect(ask(sharedSecret(secret)(scope(true)), { authorization: `Bearer ${secret}` })).toEqual(first);
  });
});

describe("no authentication", () => {
  it("lets everybody in outside production", () => {
    expect(ask(noAuth()(scope(false)), {})).toEqual({ ok: true, principal: "anonymous" });
  });

  it("is refused in production when the handler is built", () => {
    const message = refusalOf(() => noAuth()(scope(true)), "INVALID_CONFIG");
    expect(message).toMatch(/^noAuth: expected authentication in production/);
  });
});

describe("the kind of an authenticator", () => {
  it("tells how callers prove themselves", () => {
    expect(sharedSecret(OLD)(scope(true)).kind).toBe("shared-secret");
    expect(noAuth()(scope(false)).kind).toBe("none");
  });
});
