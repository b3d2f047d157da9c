import { createPublicKey, createVerify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createIdentity } from "../../src/engine/identity.ts";

const EMAIL = "local@project.iam.gserviceaccount.com";
const AUDIENCE = "http://127.0.0.1:8080/tasks/pubsub";
const ISSUED_AT = new Date("2026-03-01T12:00:00.750Z");
const IAT = Date.parse("2026-03-01T12:00:00Z") / 1000;

const identity = await createIdentity({ email: EMAIL });

function later(seconds: number): Date {
  return new Date(ISSUED_AT.getTime() + seconds * 1000);
}

function decode(part: string | undefined): unknown {
  return JSON.parse(Buffer.from(part ?? "", "base64url").toString());
}

describe("a token of a local identity", () => {
  it("carries the header and the claims of a push token", () => {
    const [header, claims] = identity.token({ audience: AUDIENCE, issuedAt: ISSUED_AT }).split(".");
    expect(decode(header)).toEqual({ alg: "RS256", kid: identity.keyId, typ: "JWT" });
    expect(decode(claims)).toEqual({
      aud: AUDIENCE,
      azp: expect.stringMatching(/^\d{21}$/),
      email: EMAIL,
      email_verified: true,
      exp: IAT + 3600,
      iat: IAT,
      iss: "https://accounts.google.com",
      sub: expect.stringMatching(/^\d{21}$/),
    });
  });

  it("verifies with the published certificate and with the published JWK of its key id", async () => {
    const token = identity.token({ audience: AUDIENCE, issuedAt: ISSUED_AT });
    const at = token.lastIndexOf(".");
    const pem = (await identity.certificates())[identity.keyId] ?? "";
    const jwk = identity.jwks().keys.find(({ kid }) => kid === identity.keyId) ?? {};
    expect(jwk).toMatchObject({ kty: "RSA", alg: "RS256", use: "sig" });
    expect(jwk).not.toHaveProperty("d");
    for (const key of [createPublicKey(pem), createPublicKey({ key: jwk, format: "jwk" })]) {
      const verifier = createVerify("RSA-SHA256").update(token.slice(0, at));
      expect(verifier.verify(key, token.slice(at + 1), "base64url")).toBe(true);
    }
  });

  it("names the issuer and the lifetime that were asked for", async () => {
    const other = await createIdentity({ email: EMAIL, issuer: "http://127.0.0.1:9000" });
    const [, claims] = other.token({ audience: AUDIENCE, issuedAt: ISSUED_AT, lifetime: 60 }).split(".");
    expect(decode(claims)).toMatchObject({ iss: "http://127.0.0.1:9000", iat: IAT, exp: IAT + 60 });
  });

  it("can be another service account's, signed with the same key", () => {
    const other = identity.as("other@project.iam.gserviceaccount.com");
    const [header, claims] = other.token({ audience: AUDIENCE, issuedAt: ISSUED_AT }).split(".");
    const own = identity.token({ audience: AUDIENCE, issuedAt: ISSUED_AT }).split(".");
    expect(decode(header)).toMatchObject({ kid: identity.keyId });
    expect(decode(claims)).toMatchObject({ email: "other@project.iam.gserviceaccount.com", aud: AUDIENCE });
    expect(decode(claims)).not.toMatchObject({ sub: (decode(own[1]) as { sub: string }).sub });
    expect(identity.as("other@project.iam.gserviceaccount.com")).toBe(other);
    expect(other.as(EMAIL)).toBe(identity);
  });

  const reuse: readonly [rule: string, seconds: number, same: boolean][] = [
    ["is handed out again at once", 0, true],
    ["is handed out again while half of its life is left", 1800, true],
    ["is replaced when less than half of its life is left", 1801, false],
    ["is replaced when the clock was set back, since it would not be valid yet", -1, false],
  ];

  it.each(reuse)("%s", async (_rule, seconds, same) => {
    const own = await createIdentity({ email: EMAIL });
    const token = own.token({ audience: AUDIENCE, issuedAt: ISSUED_AT });
    expect(own.token({ audience: AUDIENCE, issuedAt: later(seconds) }) === token).toBe(same);
  });

  it("is one of its own for every audience and lifetime", () => {
    const token = identity.token({ audience: AUDIENCE, issuedAt: ISSUED_AT });
    expect(identity.token({ audience: "http://127.0.0.1:8080/other", issuedAt: ISSUED_AT })).not.toBe(token);
    expect(identity.token({ audience: AUDIENCE, issuedAt: ISSUED_AT })).toBe(token);
    expect(identity.token({ audience: AUDIENCE, issuedAt: ISSUED_AT, lifetime: 60 })).not.toBe(token);
  });
});

describe("two identities", () => {
  it("of one e-mail share its account id, and no key", async () => {
    const other = await createIdentity({ email: EMAIL });
    const subject = (token: string): unknown => decode(token.split(".")[1]);
    expect(subject(other.token({ audience: AUDIENCE, issuedAt: ISSUED_AT }))).toEqual(
      subject(identity.token({ audience: AUDIENCE, issuedAt: ISSUED_AT })),
    );
    expect(other.keyId).not.toBe(identity.keyId);
    expect(await other.certificates()).not.toEqual(await identity.certificates());
  });
});
