import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileFilter } from "../../src/emulator/pubsub-filter.ts";

const message = { name: "com", "iana.org/language_tag": "en", empty: "", AND: "yes", "a-b_c1": "x", end: "e" };

describe("a filter", () => {
  it.each<[filter: string, passes: boolean]>([
    ["", true],
    ["  ", true],
    ["attributes:name", true],
    ["attributes:other", false],
    ["attributes:constructor", false],
    ["NOT attributes:name", false],
    ["-attributes:other", true],
    ['attributes:"iana.org/language_tag"', true],
    ['attributes.name = "com"', true],
    ['attributes.name="com"', true],
    ['attributes.name = "org"', false],
    ['attributes.name = ""', false],
    ['attributes.empty = ""', true],
    ['attributes.name != "com"', false],
    ['attributes.name != "org"', true],
    // A message without the attribute does not have it with this value.
    ['attributes.other != "x"', true],
    ['attributes."iana.org/language_tag" = "en"', true],
    ['attributes.a-b_c1 = "x"', true],
    ['attributes.end = "e"', true],
    ["attributes:end", true],
    ['hasPrefix(attributes.name, "co")', true],
    ['hasPrefix(attributes.name, "om")', false],
    ['hasPrefix(attributes.other, "")', false],
    ['NOT hasPrefix(attributes.name, "co")', false],
    ['attributes:name AND attributes.name = "com" AND attributes:empty', true],
    ["attributes:name AND attributes:other", false],
    ["attributes:other OR attributes:name OR attributes:another", true],
    ["attributes:other OR attributes:another", false],
    ["attributes:name AND (attributes:other OR attributes:empty)", true],
    ["NOT (attributes:name AND attributes:other)", true],
    ["NOT attributes:other AND attributes:name", true],
    ["((attributes:name))", true],
    ['attributes.name = "\\143\\x6f\\u006d"', true],
    ["attributes:AND", true],
  ])("%s lets the message pass: %s", (filter, passes) => {
    expect(compileFilter(filter)(message)).toBe(passes);
  });

  it.each([
    "attributes",
    "attributes.",
    "attributes.name",
    "attributes.name = com",
    "attributes.name = 'com'",
    'attributes.name == "com"',
    'attributes.name < "com"',
    'attribute.name = "com"',
    'data = "com"',
    "attributes:name and attributes:other",
    "attributes:name AND",
    "attributes:name attributes:other",
    "attributes:name AND attributes:other OR attributes:empty",
    "(attributes:name",
    "attributes:name)",
    "NOT",
    "NOT NOT attributes:name",
    'hasPrefix(attributes.name "co")',
    'hasSuffix(attributes.name, "co")',
    'attributes.name = "com',
    "attributes:name; attributes:other",
    'attributes.name = "\\UFFFFFFFF"',
  ])("%s is refused", (filter) => {
    expect(() => compileFilter(filter)).toThrow(/^Invalid filter given/);
  });

  it("has at most 256 bytes", () => {
    const filter = (length: number) => `attributes:${"a".repeat(length - "attributes:".length)}`;
    expect(compileFilter(filter(256))({})).toBe(false);
    expect(() => compileFilter(filter(257))).toThrow(
      "The value for filter is too large. You passed 257 in the request, but the maximum value is 256.",
    );
  });

  it("either compiles or is refused as an invalid argument, whatever it is", () => {
    const parts = [
      "attributes",
      ":",
      ".",
      "=",
      "!=",
      '"a"',
      "a",
      "AND",
      "OR",
      "NOT",
      "-",
      "(",
      ")",
      "hasPrefix",
      ",",
      " ",
    ];
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.constantFrom(...parts)).map((list) => list.join(" ")),
        ),
        (text) => {
          try {
            expect(typeof compileFilter(text)({ a: "a" })).toBe("boolean");
          } catch (error) {
            expect(error).toMatchObject({ name: "RpcError", code: 3 });
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
