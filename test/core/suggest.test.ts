import { describe, expect, it } from "vitest";
import { didYouMean, nearest } from "../../src/core/suggest.ts";

const OPTIONS = ["path", "payload", "ackDeadline", "minRetryDelay", "maxRetryDelay", "maxAttempts"];

describe("the nearest known word", () => {
  const cases: readonly [word: string, meant: string | undefined][] = [
    ["ackDeadine", "ackDeadline"],
    ["ackDeadlinee", "ackDeadline"],
    ["ackDaedline", "ackDeadline"],
    ["ACKDEADLINE", "ackDeadline"],
    ["pth", "path"],
    ["paths", "path"],
    ["maxRetryDelays", "maxRetryDelay"],
    ["ackDeadli", "ackDeadline"],
    ["ackDeadl", undefined],
    ["maxTry", undefined],
    ["timeout", undefined],
    ["", undefined],
    ["x".repeat(200), undefined],
  ];

  it.each(cases)("to %j is %j", (word, meant) => {
    expect(nearest(word, OPTIONS)).toBe(meant);
  });

  it("is the first of several that are equally near", () => {
    expect(nearest("mixRetryDelay", OPTIONS)).toBe("minRetryDelay");
  });

  it("is none among none", () => {
    expect(nearest("path", [])).toBeUndefined();
  });
});

describe("did you mean", () => {
  it("asks for a near word, and says nothing otherwise", () => {
    expect(didYouMean("pth", OPTIONS)).toBe(", did you mean path?");
    expect(didYouMean("timeout", OPTIONS)).toBe("");
  });
});
