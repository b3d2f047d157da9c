import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assertWithin, type BodyContent, BodyTooLarge, parseBody, parseData } from "../../src/push/body.ts";
import { refusalOf } from "../support/refusal.ts";

describe("a body", () => {
  const parsed = { message: {} };
  const readable: readonly [what: string, body: BodyContent, value: unknown][] = [
    ["bytes", Buffer.from('{"a":1}'), { a: 1 }],
    ["text", '{"a":1}', { a: 1 }],
    ["text beyond ASCII", Buffer.from('{"a":"żółć 🎈"}'), { a: "żółć 🎈" }],
    ["text in white space", " \n{}\t", {}],
    ["what a parser made of it", parsed, parsed],
    ["nothing", undefined, undefined],
    ["null", null, undefined],
    ["no bytes", new Uint8Array(0), undefined],
    ["white space", "  \r\n", undefined],
  ];

  it.each(readable)("is read: %s", (_what, body, value) => {
    expect(parseBody(body)).toEqual(value);
  });

  it("is read from within a larger buffer", () => {
    const bytes = Buffer.from('xx{"a":1}xx').subarray(2, -2);
    expect(parseBody(bytes)).toEqual({ a: 1 });
  });

  it("that was parsed already is not copied", () => {
    expect(parseBody(parsed)).toBe(parsed);
  });

  it.each([5, true])("that a parser made %s of is left to whoever wants an object", (value) => {
    expect(Reflect.apply(parseBody, undefined, [value])).toBe(value);
  });

  it.each([
    ["broken JSON", '{"secret":', "body: expected JSON, got something else"],
    ["JSON and more", "{} secret", "body: expected JSON, got something else"],
    ["a byte order mark", "\ufeff{}", "body: expected JSON, got something else"],
    ["NaN", '{"secret":NaN}', "body: expected JSON, got NaN or Infinity, which it forbids; send null or a text"],
    ["-Infinity", "[-Infinity]", "body: expected JSON, got NaN or Infinity, which it forbids; send null or a text"],
    [
      "NaN after a quoted quote",
      '{"\\"":NaN}',
      "body: expected JSON, got NaN or Infinity, which it forbids; send null or a text",
    ],
    ["NaN as a text, broken elsewhere", '{"a":"NaN Infinity \\" NaN",}', "body: expected JSON, got something else"],
    ["other bytes", Buffer.from([0x7b, 0xff, 0x7d]), "body: expected UTF-8, got other bytes"],
    ["a surrogate in UTF-8", Buffer.from([0xed, 0xa0, 0x80]), "body: expected UTF-8, got other bytes"],
  ])("is malformed with %s, which is not repeated", (_what, body, text) => {
    expect(refusalOf(() => parseBody(body), "MALFORMED_MESSAGE")).toBe(text);
  });
});

describe("message data", () => {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");

  it("is JSON in base64, whatever it holds", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseData(base64(text))).toEqual(JSON.parse(text));
        expect(parseData(Buffer.from(text).toString("base64url"))).toEqual(JSON.parse(text));
      }),
    );
  });

  it("is spoiled by any character outside the alphabet, wherever it stands", () => {
    const place = fc.tuple(fc.json(), fc.nat(), fc.constantFrom("*", "{", " ", "\n", "é", "\u0000", "."));
    fc.assert(
      fc.property(place, ([text, at, foreign]) => {
        const data = base64(text);
        const position = at % (data.length + 1);
        const spoiled = data.slice(0, position) + foreign + data.slice(position);
        expect(() => parseData(spoiled)).toThrow(/^message data: expected /);
      }),
    );
  });

  it.each([undefined, null, ""])("that is %j is none: legal beside attributes", (data) => {
    expect(parseData(data)).toBeUndefined();
  });

  it.each([
    [5, "expected base64 text, got something else"],
    [{}, "expected base64 text, got something else"],
    ["secret data", "expected base64, got other characters"],
    ["{}", "expected base64, got other characters"],
    ["e30=e30=", "expected base64, got other characters"],
    ["e", "expected base64, got other characters"],
    ["e30A*", "expected base64, got other characters"],
    ["=", "expected JSON, got nothing"],
    ["e3", "expected JSON, got something else"],
    [base64("secret"), "expected JSON, got something else"],
    [base64("\ufeff{}"), "expected JSON, got something else"],
    [Buffer.from([0xff]).toString("base64"), "expected UTF-8, got other bytes"],
  ])("%j is malformed, and is not repeated", (data, text) => {
    expect(refusalOf(() => parseData(data), "MALFORMED_MESSAGE")).toBe(`message data: ${text}`);
  });
});

describe("the limit of a body", () => {
  it.each([Buffer.alloc(11), "x".repeat(11)])("refuses what is longer: %s", (body) => {
    expect(() => assertWithin(body, 10)).toThrow(BodyTooLarge);
  });

  it.each([Buffer.alloc(10), "x".repeat(10), { parsed: "already" }, null, undefined])("takes the rest: %o", (body) => {
    expect(() => assertWithin(body, 10)).not.toThrow();
  });
});
