import { type AuthFactory, bearerToken, type HeaderLookup, refused, type Verdict } from "../core/auth.ts";
import { TasksError } from "../core/errors.ts";
import { didYouMean } from "../core/suggest.ts";

const MIN_SECRET_LENGTH = 16;

/** Loaded with the first secret, and synchronously as authenticators are built: it costs every other service's start. */
type Crypto = typeof import("node:crypto");

/** Options of {@link sharedSecret}. */
export interface SharedSecretOptions {
  /**
   * The header that carries the bare secret, e.g. `x-internal-api-key`; case does not count. Default: `authorization`,
   * with the secret as a bearer token.
   */
  readonly header?: string;
}

/**
 * Callers prove themselves by a secret that they share with this service. For Cloud Tasks, Cloud Scheduler and services
 * of one's own: Pub/Sub push cannot send one. Prefer `oidc()`, whose tokens expire.
 *
 * Several secrets are all accepted, for rotation: add the new one, move the callers, remove the old one. The verdict's
 * principal says which one matched (`shared-secret-1` is the first). Secrets are visible ASCII without spaces, since
 * a header carries nothing else unharmed. Each presented secret is compared with every accepted one in constant time,
 * whatever its length.
 *
 * @throws TasksError `INVALID_CONFIG` when the handler is built: no secret, an empty one, one that no header can carry,
 * or in production one of fewer than 16 characters. `INVALID_OPTION` at once for a wrong option.
 */
export function sharedSecret(secrets: string | readonly string[], options: SharedSecretOptions = {}): AuthFactory {
  const header = assertHeader(options);
  return ({ production }) => {
    const crypto = process.getBuiltinModule("node:crypto");
    const digest = (secret: string) => crypto.hash("sha256", secret, "buffer");
    const accepted = assertSecrets(typeof secrets === "string" ? [secrets] : secrets, production).map(digest);
    const principals: readonly Verdict[] = accepted.map((_, index) => ({
      ok: true,
      principal: `shared-secret-${index + 1}`,
    }));
    const wrong = refused(`expected one of ${accepted.length} shared secrets in header ${header}, got another value`);

    return {
      kind: "shared-secret",
      authenticate(lookup) {
        const presented = present(header, lookup);
        if (typeof presented !== "string") return presented;
        const index = matching(crypto, accepted, digest(presented));
        return principals[index] ?? wrong;
      },
    };
  };
}

/** Index of the matching digest or -1. Looks at all of them, so that the time taken does not tell which one matched. */
function matching({ timingSafeEqual }: Crypto, accepted: readonly Buffer[], presented: Buffer): number {
  let match = -1;
  accepted.forEach((secret, index) => {
    if (timingSafeEqual(secret, presented)) match = index;
  });
  return match;
}

function present(header: string, lookup: HeaderLookup): string | Verdict {
  const value = lookup(header);
  if (value === undefined || value === "") return refused(`expected a shared secret in header ${header}, got none`);
  if (header !== "authorization") return value;
  return bearerToken(value) ?? refused('expected header authorization of the form "Bearer <secret>", got another form');
}

function assertHeader(options: SharedSecretOptions): string {
  for (const name of Object.keys(options)) {
    if (name !== "header") {
      throw new TasksError("INVALID_OPTION", `sharedSecret: unknown option ${name}${didYouMean(name, ["header"])}`);
    }
  }
  const header = options.header ?? "authorization";
  // A field name is a token, RFC 9110 section 5.6.2.
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(header)) {
    throw new TasksError(
      "INVALID_OPTION",
      `sharedSecret header: expected a header name, got ${JSON.stringify(header)}; use letters, digits and hyphens`,
    );
  }
  return header.toLowerCase();
}

function assertSecrets(secrets: readonly string[], production: boolean): readonly string[] {
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw invalid("at least one secret", "none", "set the variable that it is read from");
  }
  secrets.forEach((secret: unknown, index) => {
    const position = `secret ${index + 1} of ${secrets.length}`;
    if (typeof secret !== "string" || secret === "") {
      throw invalid(`${position} to be a text`, "an empty one", "set the variable that it is read from");
    }
    if (!/^[!-~]+$/.test(secret)) {
      throw invalid(
        `${position} in visible ASCII without spaces`,
        "another character",
        "trim it: a file often ends in a line break",
      );
    }
    if (production && secret.length < MIN_SECRET_LENGTH) {
      throw invalid(
        `${position} to have ${MIN_SECRET_LENGTH} characters or more in production`,
        `${secret.length}`,
        "use a random one",
      );
    }
  });
  return secrets;
}

function invalid(expected: string, got: string, remedy: string): TasksError {
  return new TasksError("INVALID_CONFIG", `sharedSecret: expected ${expected}, got ${got}; ${remedy}`);
}
