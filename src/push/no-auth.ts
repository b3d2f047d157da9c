import type { AuthFactory, Verdict } from "../core/auth.ts";
import { TasksError } from "../core/errors.ts";

const anyone: Verdict = { ok: true, principal: "anonymous" };

/**
 * Lets every caller in. For development behind a private address only.
 *
 * @throws TasksError `INVALID_CONFIG` in production, when the handler is built.
 */
export function noAuth(): AuthFactory {
  return ({ production }) => {
    if (production) {
      throw new TasksError(
        "INVALID_CONFIG",
        "noAuth: expected authentication in production, got none; use oidc() or sharedSecret()",
      );
    }
    return { kind: "none", authenticate: () => anyone };
  };
}
