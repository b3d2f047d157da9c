import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { decodeEnvelope } from "../../src/core/envelope.ts";
import { encodePayload, payloadOf, validatePayload } from "../../src/core/payload.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { payloads } from "../support/payloads.ts";
import { refusalOf } from "../support/refusal.ts";

const run = (): void => {};
const any = new TaskRoute({ path: "x.any", run });
const typed = new TaskRoute({
  path: "x.typed",
  payload: z.object({ id: z.string(), n: z.coerce.number().default(1), at: z.coerce.date().optional() }),
  run,
});

describe("the input of an enqueue", () => {
  const travels: readonly [what: string, input: unknown, json: string][] = [
    ["an object", { a: 1 }, '{"a":1}'],
    ["nothing", undefined, "{}"],
    ["an undefined field", { a: undefined, b: 1 }, '{"b":1}'],
    ["a date", { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
    ["NaN", { a: Number.NaN }, '{"a":null}'],
    ["an object that says how", { toJSON: () => ({ a: 1 }) }, '{"a":1}'],
    ["a lone surrogate", { a: "\ud800" }, '{"a":"\\ud800"}'],
  ];

  it.each(travels)("travels as JSON: %s", (_what, input, json) => {
    expect(encodePayload(any, input)).toBe(json);
  });

  it("travels as it came, not as its schema turned it", () => {
    const input = { id: "1", n: "2", at: "2026-01-01" };
    const text = encodePayload(typed, input) as string;
    expect(JSON.parse(text)).toEqual(input);
    expect(validatePayload(typed, JSON.parse(text) as object)).toEqual({ id: "1", n: 2, at: new Date("2026-01-01") });
  });

  it("is checked as it will arrive: a date is a text by then", () => {
    const strict = new TaskRoute({ path: "x.strict", payload: z.object({ at: z.date() }), run });
    expect(refusalOf(() => encodePayload(strict, { at: new Date() }), "INVALID_PAYLOAD")).toContain("at: ");
  });

  it("is checked by a schema that answers later", async () => {
    const slow = new TaskRoute({
      path: "x.slow",
      payload: z.object({ id: z.string() }).refine(async ({ id }) => id !== "taken", "taken"),
      run,
    });
    expect(await encodePayload(slow, { id: "free" })).toBe('{"id":"free"}');
    await expect(encodePayload(slow, { id: "taken" })).rejects.toMatchObject({ code: "INVALID_PAYLOAD" });
  });

  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const deep = (depth: number): object => ({ a: JSON.parse("[".repeat(depth) + "]".repeat(depth)) as unknown });

  const refused: readonly [what: string, input: unknown, text: string][] = [
    ["a text", "x", 'payload of "x.any": expected an object, got "x"; wrap the value in one'],
    ["a list", [1], "expected an object, got a list"],
    ["a number", 5, "expected an object, got 5"],
    ["a function", () => {}, "expected an object, got a function"],
    ["a symbol", Symbol("s"), "expected an object, got Symbol(s)"],
    ["a date by itself", new Date(0), 'expected an object, got "1970-01-01T00:00:00.000Z"'],
    ["a BigInt", { n: 1n }, "expected JSON, got a value that cannot be written as JSON"],
    ["a cycle", cycle, "expected JSON, got a value that cannot be written as JSON"],
    ["a key that reaches a prototype", JSON.parse('{"__proto__":{}}'), "expected no keys that reach a prototype"],
    ["nesting that no delivery takes", deep(99), "expected at most 100 levels of nesting"],
  ];

  it.each(refused)("is refused: %s", (_what, input, text) => {
    const message = refusalOf(() => encodePayload(any, input), "INVALID_PAYLOAD");
    expect(message).toContain('payload of "x.any"');
    expect(message).toContain(text);
  });

  it("may nest as deep as a delivery may, and no deeper", () => {
    const arrives = (payload: object): object =>
      decodeEnvelope({ task_id: "1", task_name: "any", args: [], kwargs: payload });
    expect(() => [encodePayload(any, deep(98)), arrives(deep(98))]).not.toThrow();
    expect(() => encodePayload(any, deep(99))).toThrow(/nesting/);
    expect(() => arrives(deep(99))).toThrow(/nesting/);
  });

  it("is refused with the path of each field, at most five of them", () => {
    const many = new TaskRoute({
      path: "x.many",
      payload: z.object({ list: z.array(z.object({ n: z.number() })) }),
      run,
    });
    const list = Array.from({ length: 7 }, () => ({ n: "secret" }));
    const text = refusalOf(() => encodePayload(many, { list }), "INVALID_PAYLOAD");
    expect(text).toMatch(/^payload of "x\.many": list\.0\.n: .*; list\.4\.n: .*; and 2 more$/);
    expect(text).not.toContain("secret");
  });

  it("arrives unharmed, whatever JSON it is", () => {
    fc.assert(
      fc.property(payloads, (payload) => {
        const text = encodePayload(any, payload) as string;
        expect(validatePayload(any, JSON.parse(text) as object)).toEqual(JSON.parse(JSON.stringify(payload)));
      }),
    );
  });
});

describe("the payload of a message with positional arguments", () => {
  const route = new TaskRoute({ path: "x.mail", args: ["userId", "text"], run });

  const cases: readonly [args: readonly unknown[], kwargs: Record<string, unknown>, payload: object][] = [
    [[], { userId: "1" }, { userId: "1" }],
    [["1"], {}, { userId: "1" }],
    [["1", "hi"], {}, { userId: "1", text: "hi" }],
    [["1"], { text: "hi" }, { userId: "1", text: "hi" }],
    [["1"], { other: true }, { userId: "1", other: true }],
    [[null], {}, { userId: null }],
  ];

  it.each(cases)("%j and %j is %j", (args, kwargs, payload) => {
    expect(payloadOf(route, args, kwargs)).toEqual(payload);
  });

  it("leaves the message as it is", () => {
    const kwargs = Object.freeze({ text: "hi" });
    expect(payloadOf(route, ["1"], kwargs)).not.toBe(kwargs);
  });

  it.each([
    [route, ["1", "2", "3"], {}, "expected at most 2 positional arguments, got 3; name them in the route's args"],
    [any, ["1"], {}, "expected at most 0 positional arguments, got 1"],
    [route, ["1"], { userId: "2" }, "expected userId once, got it by position and by name"],
  ])("is refused without a name for each, or with two", (to, args, kwargs, text) => {
    expect(refusalOf(() => payloadOf(to, args, kwargs), "INVALID_PAYLOAD")).toContain(text);
  });
});
