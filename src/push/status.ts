import type { Outcome } from "../core/outcome.ts";
import type { PushResponse } from "./request.ts";

const NO_HEADERS: PushResponse["headers"] = Object.freeze({});

function plain(status: PushResponse["status"]): PushResponse {
  return Object.freeze({ status, headers: NO_HEADERS });
}

const OK = plain(200);
const BAD_REQUEST = plain(400);
const FORBIDDEN = plain(403);
const METHOD_NOT_ALLOWED: PushResponse = Object.freeze({ status: 405, headers: Object.freeze({ allow: "POST" }) });
const TOO_LARGE = plain(413);
const FAILED = plain(500);

/**
 * The HTTP answer to an outcome. Pub/Sub acknowledges only 102, 200, 201, 202 and 204, and delivers again after every other
 * status, 400 and 403 included (cloud.google.com/pubsub/docs/push#receive_push); Cloud Tasks takes any 2xx.
 */
export function responseOf(outcome: Outcome): PushResponse {
  switch (outcome.type) {
    case "done":
    case "skipped":
    case "discarded":
      return OK;
    case "rejected":
      return BAD_REQUEST;
    case "denied":
      return FORBIDDEN;
    case "busy":
      return { status: 429, headers: { "retry-after": String(Math.ceil(outcome.retryAfter)) } };
    case "failed":
      return outcome.retryAfter === undefined
        ? FAILED
        : { status: 500, headers: { "retry-after": String(Math.ceil(outcome.retryAfter)) } };
    case "refused":
      return outcome.status === 405 ? METHOD_NOT_ALLOWED : TOO_LARGE;
  }
}
