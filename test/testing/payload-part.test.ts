import { describe, expect, it } from "vitest";
import { differences, showPart } from "../../src/testing/payload-part.ts";

const payload = {
  to: "ada",
  n: 1,
  none: null,
  at: "2026-01-01T00:00:00.000Z",
  tags: ["a", "b"],
  deep: { x: { y: 1 } },
};

describe("a part of a payload", () => {
  it.each([
    [{}],
    [{ to: "ada", n: 1, none: null }],
    [{ at: new Date("2026-01-01") }],
    [{ at: /^2026/ }],
    [{ tags: ["a", "b"] }],
    [{ tags: ["a", expect.any(String)] }],
    [{ tags: expect.arrayContaining(["b"]) }],
    [{ deep: { x: {} } }],
    [{ deep: expect.objectContaining({ x: { y: 1 } }) }],
    [{ missing: undefined }],
    [{ toString: undefined }],
  ])("is %o", (part) => {
    expect(differences(part, payload)).toEqual([]);
  });

  it.each([
    [{ to: "bob" }, ["to: expected 'bob', got 'ada'"]],
    [{ to: "bob", n: 2 }, ["to: expected 'bob', got 'ada'", "n: expected 2, got 1"]],
    [{ at: new Date("2027-01-01") }, ["at: expected '2027-01-01T00:00:00.000Z', got '2026-01-01T00:00:00.000Z'"]],
    [{ at: /^2027/ }, ["at: expected /^2027/, got '2026-01-01T00:00:00.000Z'"]],
    [{ n: /1/ }, ["n: expected /1/, got 1"]],
    [{ tags: ["a"] }, ["tags: expected a list of 1, got [ 'a', 'b' ]"]],
    [{ tags: ["a", "c"] }, ["tags[1]: expected 'c', got 'b'"]],
    [{ tags: { 0: "a" } }, ["tags: expected { '0': 'a' }, got [ 'a', 'b' ]"]],
    [{ to: ["ada"] }, ["to: expected [ 'ada' ], got 'ada'"]],
    [{ deep: { x: { y: 2 } } }, ["deep.x.y: expected 2, got 1"]],
    [{ n: expect.any(String) }, ["n: expected Any<String>, got 1"]],
    [{ to: undefined }, ["to: expected undefined, got 'ada'"]],
    [{ none: undefined }, ["none: expected undefined, got null"]],
    [[], ["expected [], got { to: 'ada' }"]],
  ])("is not %o", (part, lines) => {
    expect(differences(part, Array.isArray(part) ? { to: "ada" } : payload)).toEqual(lines);
  });

  it("is found as often as it is looked for, also by a pattern that counts", () => {
    const part = { to: /ad/g };
    expect([differences(part, payload), differences(part, payload)]).toEqual([[], []]);
  });

  it("is shown as it was written", () => {
    expect(showPart({ to: /x/, n: expect.any(Number), list: [expect.anything()] })).toBe(
      "{ to: /x/, n: Any<Number>, list: [ Anything ] }",
    );
  });
});
