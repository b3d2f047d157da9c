import type { HeaderLookup } from "../core/auth.ts";
import type { BodyContent } from "./body.ts";

/** A push request, with the framework stripped. */
export interface PushRequest {
  readonly method: string;
  /** A header's value by its lower-case name. */
  readonly header: HeaderLookup;
  /**
   * Reads the body; called at most once, and only after the caller has proved who they are.
   *
   * @param limit longest body to read, in bytes.
   * @throws BodyTooLarge beyond the limit.
   */
  body(limit: number): BodyContent | Promise<BodyContent>;
}

/** What to answer. The body is always empty: nothing about an error, a token or a task's name leaves the service. */
export interface PushResponse {
  readonly status: 200 | 400 | 403 | 405 | 409 | 413 | 429 | 500;
  readonly headers: Readonly<Record<string, string>>;
}
