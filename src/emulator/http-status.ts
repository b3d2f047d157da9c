import type { HttpAnswer } from "./dispatch.ts";
import { CODES, type Code, codeName } from "./status.ts";

/** A `google.rpc.Status`. */
export interface RpcStatus {
  readonly code: Code;
  readonly message: string;
}

/** The codes of statuses of HTTP that have one of their own, as the comments of `google/rpc/code.proto` map them. */
const BY_STATUS: ReadonlyMap<number, Code> = new Map<number, Code>([
  [400, CODES.INVALID_ARGUMENT],
  [401, CODES.UNAUTHENTICATED],
  [403, CODES.PERMISSION_DENIED],
  [404, CODES.NOT_FOUND],
  [409, CODES.ABORTED],
  [429, CODES.RESOURCE_EXHAUSTED],
  [499, CODES.CANCELLED],
  [501, CODES.UNIMPLEMENTED],
  [503, CODES.UNAVAILABLE],
  [504, CODES.DEADLINE_EXCEEDED],
]);

/** What an attempt came to, in the words of Cloud Tasks and Cloud Scheduler. */
export function statusOfAnswer(answer: HttpAnswer): RpcStatus {
  if (answer.type === "late") return worded(CODES.DEADLINE_EXCEEDED, 504);
  if (answer.type === "broken") return { code: CODES.UNAVAILABLE, message: `UNAVAILABLE(14): ${answer.error.message}` };
  return worded(codeOf(answer.status), answer.status);
}

/** Whether an attempt has succeeded. */
export function isSuccess(answer: HttpAnswer): boolean {
  return answer.type === "answered" && answer.status >= 200 && answer.status <= 299;
}

function codeOf(status: number): Code {
  if (status >= 200 && status <= 299) return CODES.OK;
  return (
    BY_STATUS.get(status) ??
    (status >= 500 ? CODES.INTERNAL : status >= 400 ? CODES.FAILED_PRECONDITION : CODES.UNKNOWN)
  );
}

function worded(code: Code, status: number): RpcStatus {
  return { code, message: code === CODES.OK ? "" : `${codeName(code)}(${code}): HTTP status code ${status}` };
}
