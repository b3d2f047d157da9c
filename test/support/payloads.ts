import fc from "fast-check";

/** Text of any UTF-16 at all, lone surrogates and control characters included. */
const text = fc.oneof(
  fc.string(),
  fc.array(fc.nat(0xffff), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
);

const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.double({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER, noNaN: true }),
);

/** Payloads that may travel: any JSON object of safe numbers, without keys that reach a prototype. */
export const payloads: fc.Arbitrary<Record<string, unknown>> = fc
  .letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      fc.oneof(fc.constantFrom(null, true, false), number, text),
      fc.array(tie("value"), { maxLength: 5 }),
      tie("object"),
    ),
    object: fc.dictionary(text, tie("value"), { maxKeys: 5, noNullPrototype: true }),
  }))
  .object.filter((payload) => !/"(__proto__|constructor)"/.test(JSON.stringify(payload)));
