import { createHmac, createSign, generateKeyPairSync, type KeyObject } from "node:crypto";

/** A key pair that signs tokens of any shape, and its public key as Google's endpoint serves it: an X.509 certificate. */
export interface Signer {
  readonly keyId: string;
  readonly certificate: string;
  /** A token with these claims; `header` is merged over `{ alg: "RS256", kid, typ: "JWT" }`. Always signed with RSA. */
  token(claims: object, header?: object): string;
}

export function createSigner(keyId: string): Signer {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return {
    keyId,
    certificate: selfSigned(privateKey, publicKey),
    token(claims, header) {
      const signed = unsigned({ alg: "RS256", kid: keyId, typ: "JWT", ...header }, claims);
      return `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey, "base64url")}`;
    },
  };
}

/** The first two parts of a token. */
export function unsigned(header: unknown, claims: unknown): string {
  return `${part(header)}.${part(claims)}`;
}

/** A token signed with a shared secret. */
export function hmacToken(keyId: string, claims: object, secret: string): string {
  const signed = unsigned({ alg: "HS256", kid: keyId, typ: "JWT" }, claims);
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function part(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

const SHA256_WITH_RSA = Buffer.from("300d06092a864886f70d01010b0500", "hex");
const COMMON_NAME = Buffer.from("0603550403", "hex");

/** A minimal X.509 v3 certificate (RFC 5280), since node:crypto reads them but writes none. */
function selfSigned(privateKey: KeyObject, publicKey: KeyObject): string {
  const name = der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0c, Buffer.from("federated-signon")))));
  const validity = der(0x30, der(0x17, Buffer.from("240101000000Z")), der(0x17, Buffer.from("440101000000Z")));
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    SHA256_WITH_RSA,
    name,
    validity,
    name,
    publicKey.export({ type: "spki", format: "der" }),
  );
  const signature = createSign("RSA-SHA256").update(body).sign(privateKey);
  const certificate = der(0x30, body, SHA256_WITH_RSA, der(0x03, Buffer.from([0]), signature));
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}
