/**
 * Codes of `google.rpc.Code` by name. A call answers with one of them, over gRPC as its status and over REST as the status
 * that belongs to it. https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
 */
export const CODES = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** Name of a code, e.g. `NOT_FOUND`. */
export type CodeName = keyof typeof CODES;

/** A number of `google.rpc.Code`. */
export type Code = (typeof CODES)[CodeName];

/** The HTTP status of each code, as the comments of `google/rpc/code.proto` map them. */
const HTTP_STATUS: Readonly<Record<CodeName, number>> = {
  OK: 200,
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
};

/** What a call fails with. Anything else that a method throws becomes INTERNAL. */
export class RpcError extends Error {
  override readonly name: "RpcError" = "RpcError";
  /** A number of `google.rpc.Code`. */
  readonly code: Code;
  /** Messages for `google.rpc.Status.details`, each with its `@type`; shown over REST. */
  readonly details: readonly object[];

  constructor(code: Code, message: string, details: readonly object[] = []) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** Name of a code. */
export function codeName(code: Code): CodeName {
  return NAMES.get(code) ?? "UNKNOWN";
}

const NAMES: ReadonlyMap<number, CodeName> = new Map(
  Object.entries(CODES).map(([name, code]) => [code, name as CodeName]),
);

/** The HTTP status that a call over REST answers with. */
export function httpStatusOf(code: Code): number {
  return HTTP_STATUS[codeName(code)];
}

/** INVALID_ARGUMENT with a text. */
export function invalid(message: string): RpcError {
  return new RpcError(CODES.INVALID_ARGUMENT, message);
}

/** NOT_FOUND with a text. */
export function notFound(message: string): RpcError {
  return new RpcError(CODES.NOT_FOUND, message);
}

/** ALREADY_EXISTS with a text. */
export function alreadyExists(message: string): RpcError {
  return new RpcError(CODES.ALREADY_EXISTS, message);
}
