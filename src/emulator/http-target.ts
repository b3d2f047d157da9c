import { validateHeaderName, validateHeaderValue } from "node:http";
import type { Identity } from "../engine/identity.ts";
import { invalid } from "./status.ts";

/** Longest URL of a target, in characters. */
const LONGEST_URL = 2083;
/** Most bytes of all headers of a target. */
const MOST_HEADER_BYTES = 80 * 1024;
const METHODS_WITH_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);
/** Names of host that no public certificate is given for: a local service may be called without TLS there. */
const LOCAL_DOMAIN = /(^|\.)(localhost|local|internal|test|invalid|example|lan)$|^[^.]+$|^\[.*\]$|^[\d.]+$/;

/** The service account that a target's token is made for. */
export interface TargetToken {
  readonly serviceAccountEmail?: string;
  /** Of an OIDC token. Default: the URL. */
  readonly audience?: string;
  /** Of an OAuth token. */
  readonly scope?: string;
}

/** What Cloud Tasks and Cloud Scheduler have in common of an HTTP target; they differ in the name of its URL. */
export interface HttpTarget {
  /** Default POST. */
  readonly httpMethod?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly oauthToken?: TargetToken;
  readonly oidcToken?: TargetToken;
}

/**
 * Checks a target as the services do.
 *
 * @param subject how the service calls the target in its texts.
 * @param urlSubject how the service calls it in the text about the URL's scheme.
 * @throws RpcError INVALID_ARGUMENT.
 */
export function assertHttpTarget(target: HttpTarget, url: string, subject: string, urlSubject: string): void {
  const method = methodOf(target);
  if (url === "") throw invalid(`${subject} is required.`);
  if (!/^https?:\/\//i.test(url)) throw invalid(`${urlSubject} must start with 'http://' or 'https://'.`);
  if (!URL.canParse(url)) throw invalid(`${subject} is not a valid URL.`);
  if (new URL(url).href.length > LONGEST_URL) throw invalid(`${subject} must be less than ${LONGEST_URL} characters.`);
  const holder = subject.split(".")[0];
  const { oidcToken, oauthToken, body, headers = {} } = target;
  if ((oidcToken ?? oauthToken) !== undefined && url.startsWith("http:") && !LOCAL_DOMAIN.test(new URL(url).hostname))
    throw invalid(`${subject} must start with 'https://' for request with ${holder}.authorization_header`);
  for (const [kind, token] of Object.entries({ OidcToken: oidcToken, OAuthToken: oauthToken }))
    if (token !== undefined && !(token.serviceAccountEmail ?? "").includes("@"))
      throw invalid(`${kind}.service_account_email must be a valid email address.`);
  if (body !== undefined && body.length > 0 && !METHODS_WITH_BODY.has(method))
    throw invalid(`${holder}.body is only allowed for the methods POST, PUT and PATCH.`);
  assertHeaders(headers, holder ?? "");
}

function assertHeaders(headers: Readonly<Record<string, string>>, holder: string): void {
  let size = 0;
  for (const [name, value] of Object.entries(headers)) {
    size += Buffer.byteLength(name) + Buffer.byteLength(value);
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw invalid(`${holder}.headers contains an invalid header: ${name}.`);
    }
  }
  if (size >= MOST_HEADER_BYTES) throw invalid(`${holder}.headers must be less than 80KB.`);
}

/** The method of a target. */
export function methodOf({ httpMethod }: HttpTarget): string {
  return httpMethod === undefined || httpMethod === "HTTP_METHOD_UNSPECIFIED" ? "POST" : httpMethod;
}

/** Headers that the services compute, or that belong to a connection: those of a user are left out. */
const IGNORED =
  /^(host|content-length|user-agent|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|proxy-.*|x-google-.*|x-appengine-.*)$/i;

/** The user's headers as they are sent, without those that the service sets itself. */
export function userHeaders(target: HttpTarget, own: Readonly<Record<string, string>>): Record<string, string> {
  const names = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  const kept = Object.entries(target.headers ?? {}).filter(
    ([name]) => !IGNORED.test(name) && !names.has(name.toLowerCase()),
  );
  return { ...Object.fromEntries(kept), ...own };
}

/**
 * The `Authorization` header of a target, if it asks for one. An OIDC token is signed by the emulator's key and lives in the
 * machine's time, which its verifier compares with; an OAuth token is opaque.
 */
export function authorizationOf(target: HttpTarget, url: string, identity: Identity): Record<string, string> {
  const { oidcToken, oauthToken } = target;
  if (oidcToken !== undefined) {
    const account = identity.as(oidcToken.serviceAccountEmail ?? "");
    const audience = (oidcToken.audience ?? "") === "" ? url : (oidcToken.audience ?? url);
    return { Authorization: `Bearer ${account.token({ audience, issuedAt: new Date() })}` };
  }
  if (oauthToken === undefined) return {};
  return {
    Authorization: `Bearer emulated.${Buffer.from(oauthToken.serviceAccountEmail ?? "").toString("base64url")}`,
  };
}
