import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assertPlain, decodeEnvelope } from "../../src/core/envelope.ts";
import { encodePayload } from "../../src/core/payload.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { assertSafeNumbers, isBeyondSafe } from "../../src/core/safe-numbers.ts";
import { refusalOf } from "../support/refusal.ts";

const run = (): void => {};
const route = new TaskRoute({ path: "x.any", run });
const envelope = (kwargs: string, more = ""): unknown =>
  JSON.parse(`{"task_id":"1","task_name":"any","kwargs":${kwargs}${more}}`);

/** Numbers as JSON writes them, and whether they lie beyond ±(2^53 − 1). */
const numbers: readonly [json: string, beyond: boolean][] = [
  ["9007199254740991", false],
  ["-9007199254740991", false],
  ["9007199254740992", true],
  ["-9007199254740992", true],
  ["9007199254740993", true],
  ["9223372036854775807", true],
  ["123456789012345678901234567890", true],
  ["9007199254740990.5", false],
  ["9007199254740993.0", true],
  ["0.12345678901234567890", false],
  ["1e15", false],
  ["1e18", true],
  ["1.7976931348623157e308", true],
  ["1e400", true],
  ["-1e400", true],
  ["1e-400", false],
  ["-0", false],
];

describe("a number", () => {
  it.each(numbers)("%s of a message lies beyond the safe ones: %s", (json, beyond) => {
    expect(isBeyondSafe(JSON.parse(json))).toBe(beyond);
    const decode = () => decodeEnvelope(envelope(`{"n":${json}}`));
    if (!beyond) expect(decode).not.toThrow();
    else expect(refusalOf(decode, "MALFORMED_MESSAGE")).not.toContain(json);
  });

  it("that is a text, or none at all, never does", () => {
    for (const value of ["9007199254740993", null, true, undefined, [], {}]) expect(isBeyondSafe(value)).toBe(false);
    expect(isBeyondSafe(Number.NaN)).toBe(true);
  });

  it.each([
    ['{"a":9007199254740993}', "a"],
    ['{"a":{"b":[0,[1,9007199254740993]]}}', "a.b[1][1]"],
    ['[{"$id_2":9007199254740993}]', "[0].$id_2"],
    ['{"a":1,"b":9007199254740993,"c":9007199254740994}', "b"],
    ['{"ada@example.com":{"6172":9007199254740993}}', "[…][…]"],
    [`{"${"x".repeat(40)}":9007199254740993}`, "x".repeat(40)],
    [`{"${"x".repeat(41)}":9007199254740993}`, "[…]"],
  ])("of %s is named by its place, %s", (json, path) => {
    const text = `message: expected numbers within ±(2^53 − 1), got one beyond at ${path}; send it as a text`;
    expect(refusalOf(() => assertSafeNumbers(JSON.parse(json) as object), "MALFORMED_MESSAGE")).toBe(text);
  });

  it("is named in a line of bounded length", () => {
    const levels = 90;
    const json = `${'{"abcdefghijklmnopqrstuvwxyz":'.repeat(levels)}9007199254740993${"}".repeat(levels)}`;
    const text = refusalOf(() => assertPlain(JSON.parse(json) as object), "MALFORMED_MESSAGE");
    expect(text).toContain("abcdefghijklmnopqrstuvwxyz.abc");
    expect(text.length).toBeLessThan(300);
  });

  it("beyond the safe ones does no harm in a field that nobody reads", () => {
    expect(decodeEnvelope(envelope('{"n":1}', ',"span":17342345234523452345'))).toMatchObject({ kwargs: { n: 1 } });
  });
});

describe("a payload with a number beyond the safe ones", () => {
  it("is not enqueued", () => {
    const text = refusalOf(() => encodePayload(route, { orders: [{ id: 2 ** 53 }] }), "INVALID_PAYLOAD");
    expect(text).toContain('payload of "x.any" in a message: expected numbers within ±(2^53 − 1)');
    expect(text).toContain("at orders[0].id; send it as a text");
  });

  it("is no payload of a schedule", () => {
    const make = () => new TaskRoute({ path: "x.tick", schedule: "* * * * *", schedulePayload: { id: 2 ** 53 }, run });
    expect(refusalOf(make, "INVALID_PAYLOAD")).toMatch(/^scheduled payload .* at id; .* set schedulePayload/);
  });

  it("is refused by whoever enqueues it exactly when every delivery would refuse it", () => {
    const accepted = (act: () => unknown): boolean => {
      try {
        act();
        return true;
      } catch {
        return false;
      }
    };
    const payloads = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(payloads, (payload) => {
        const delivered = accepted(() => decodeEnvelope(envelope(JSON.stringify(payload))));
        expect(accepted(() => encodePayload(route, payload))).toBe(delivered);
      }),
      { numRuns: 1000 },
    );
  });
});
