import type { KeyObject } from "node:crypto";

/** Loaded with the first identity: node:crypto and all that hangs on it cost a few milliseconds of every start. */
type Crypto = typeof import("node:crypto");

/** Options of {@link createIdentity}. */
export interface IdentityOptions {
  /** E-mail of the service account to sign as. */
  readonly email: string;
  /** The `iss` claim. Default `https://accounts.google.com`, as Google signs. */
  readonly issuer?: string;
}

/** Options of {@link Identity.token}. */
export interface TokenOptions {
  /** The `aud` claim; Pub/Sub's default is the URL that is pushed to. */
  readonly audience: string;
  /** The time of signing. A token is valid from here on. */
  readonly issuedAt: Date;
  /** Seconds from issue to expiry. Default 3600, as Google signs. */
  readonly lifetime?: number;
}

/** A public key as a JWKS document holds it (RFC 7517). */
export interface PublicJwk {
  readonly kty?: string;
  /** Modulus and exponent, in base64url. */
  readonly n?: string;
  readonly e?: string;
  readonly kid: string;
  readonly alg: "RS256";
  readonly use: "sig";
}

/** A service account of the local engine: it signs tokens as Google signs those of a push subscription. */
export interface Identity {
  readonly email: string;
  readonly issuer: string;
  /** Id of the one signing key, the `kid` of the tokens' headers. */
  readonly keyId: string;
  /** The identity of another service account, with the same key; one and the same for an e-mail. */
  as(email: string): Identity;
  /**
   * An OIDC token. The last one of an audience is handed out again while at least half of its life is left at
   * `issuedAt`, as one of Google's tokens serves many pushes.
   */
  token(options: TokenOptions): string;
  /** Public keys as SPKI PEM by key id: the shape of `https://www.googleapis.com/oauth2/v1/certs`. */
  certificates(): Promise<Record<string, string>>;
  /** Public keys as a JWKS document: the shape of `https://www.googleapis.com/oauth2/v3/certs`. */
  jwks(): { readonly keys: readonly PublicJwk[] };
}

interface Minted {
  readonly token: string;
  readonly iat: number;
  readonly lifetime: number;
}

const DEFAULT_LIFETIME = 3600;

/**
 * Makes an identity with a fresh RSA key of 2048 bits (tens to hundreds of milliseconds, off the main thread). The
 * private key never leaves the process; tokens are refused by everything that does not trust this very identity.
 */
export async function createIdentity(options: IdentityOptions): Promise<Identity> {
  const { email, issuer = "https://accounts.google.com" } = options;
  const crypto = await import("node:crypto");
  const { privateKey, publicKey } = await keyPair(crypto);
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  const keyId = crypto.hash("sha256", pem).slice(0, 40);
  const identities = new Map<string, Identity>();
  const keys: KeySet = {
    certificates: async () => ({ [keyId]: pem }),
    jwks: () => ({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: keyId, alg: "RS256", use: "sig" }] }),
  };
  const as = (account: string): Identity => {
    const known = identities.get(account);
    if (known !== undefined) return known;
    const signer = { crypto, privateKey, keyId, issuer, email: account };
    const identity = { email: account, issuer, keyId, as, token: tokensOf(signer), ...keys };
    identities.set(account, identity);
    return identity;
  };
  return as(email);
}

/** The public half of an identity. */
type KeySet = Pick<Identity, "certificates" | "jwks">;

interface Signer {
  readonly crypto: Crypto;
  readonly privateKey: KeyObject;
  readonly keyId: string;
  readonly issuer: string;
  readonly email: string;
}

/** Hands out tokens of one service account. */
function tokensOf({ crypto, privateKey, keyId, issuer, email }: Signer): Identity["token"] {
  const accountId = numericId(crypto, email);
  const minted = new Map<string, Minted>();

  const mint = (audience: string, iat: number, lifetime: number): string => {
    // The claims of a push token, cloud.google.com/pubsub/docs/authenticate-push-subscriptions.
    const claims = {
      aud: audience,
      azp: accountId,
      email,
      email_verified: true,
      exp: iat + lifetime,
      iat,
      iss: issuer,
      sub: accountId,
    };
    return sign(crypto, { alg: "RS256", kid: keyId, typ: "JWT" }, claims, privateKey);
  };

  return ({ audience, issuedAt, lifetime = DEFAULT_LIFETIME }) => {
    const iat = Math.floor(issuedAt.getTime() / 1000);
    const last = minted.get(audience);
    if (last !== undefined && last.lifetime === lifetime && isFresh(last, iat)) return last.token;
    const token = mint(audience, iat, lifetime);
    minted.set(audience, { token, iat, lifetime });
    return token;
  };
}

/** Whether half of a token's life is left; a clock that was set back makes it stale, since it would not be valid yet. */
function isFresh({ iat, lifetime }: Minted, now: number): boolean {
  const age = now - iat;
  return age >= 0 && age <= lifetime / 2;
}

function keyPair({ generateKeyPair }: Crypto): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  return new Promise((resolve, reject) => {
    generateKeyPair("rsa", { modulusLength: 2048 }, (error, publicKey, privateKey) => {
      if (error === null) resolve({ publicKey, privateKey });
      else reject(error);
    });
  });
}

function sign({ createSign }: Crypto, header: object, claims: object, key: KeyObject): string {
  const signed = `${base64url(header)}.${base64url(claims)}`;
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(key, "base64url")}`;
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** The unique id of a service account is a number of 21 digits; the same e-mail always has the same. */
function numericId({ hash }: Crypto, email: string): string {
  const digits = BigInt(`0x${hash("sha256", email)}`).toString();
  return `1${digits.slice(0, 20)}`;
}
