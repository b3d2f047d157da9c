import type { Identity } from "../engine/identity.ts";

/**
 * The documents by which tokens that an emulator signs are verified, in the shape of Google's own; `undefined` for a path
 * that is none of theirs.
 *
 * @param origin the URL that the emulator is reached at, without a path.
 */
export async function oidcDocument(path: string, identity: Identity, origin: string): Promise<object | undefined> {
  switch (path) {
    case "/oauth2/v1/certs":
      return await identity.certificates();
    case "/oauth2/v3/certs":
      return identity.jwks();
    case "/.well-known/openid-configuration":
      return {
        issuer: identity.issuer,
        jwks_uri: `${origin}/oauth2/v3/certs`,
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256"],
        claims_supported: ["aud", "azp", "email", "email_verified", "exp", "iat", "iss", "sub"],
      };
    default:
      return undefined;
  }
}
