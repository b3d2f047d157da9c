import { describe, expect, it } from "vitest";
import { isSettled, type Outcome } from "../../src/core/outcome.ts";
import { responseOf } from "../../src/push/status.ts";

const error = new Error("secret");

describe("the answer to an outcome", () => {
  const table: readonly [outcome: Outcome, status: number, headers?: object][] = [
    [{ type: "done", result: "secret" }, 200],
    [{ type: "skipped", reason: "switched-off" }, 200],
    [{ type: "skipped", reason: "overlap" }, 200],
    [{ type: "discarded", reason: "discarded", error }, 200],
    [{ type: "discarded", reason: "exhausted", error }, 200],
    [{ type: "discarded", reason: "switched-off", error: undefined }, 200],
    [{ type: "rejected", reason: "malformed", error }, 400],
    [{ type: "rejected", reason: "unknown-task", error: undefined }, 400],
    [{ type: "rejected", reason: "invalid-payload", error }, 400],
    [{ type: "denied", detail: "secret" }, 403],
    [{ type: "refused", status: 405 }, 405, { allow: "POST" }],
    [{ type: "refused", status: 413 }, 413],
    [{ type: "busy", reason: "not-ready", retryAfter: 10 }, 429, { "retry-after": "10" }],
    [{ type: "busy", reason: "task-busy", retryAfter: 0 }, 429, { "retry-after": "0" }],
    [{ type: "busy", reason: "task-busy", retryAfter: 2.1 }, 429, { "retry-after": "3" }],
    [{ type: "failed", error, retryAfter: undefined }, 500],
    [{ type: "failed", error, retryAfter: 90 }, 500, { "retry-after": "90" }],
  ];

  it.each(table)("%j is %i with the headers %j and no body", (outcome, status, headers = {}) => {
    expect(responseOf(outcome)).toEqual({ status, headers });
  });

  it.each(table)("%j is an acknowledgement only if the message is settled", (outcome) => {
    expect(responseOf(outcome).status === 200).toBe(isSettled(outcome));
  });
});
