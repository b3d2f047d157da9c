import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  assertPlain,
  decodeEnvelope,
  encodeEnvelope,
  encodeScheduledEnvelope,
  isScheduledEnvelope,
} from "../../src/core/envelope.ts";
import { payloads } from "../support/payloads.ts";
import { refusalOf } from "../support/refusal.ts";

const ENQUEUED_AT = Date.UTC(2024, 0, 15, 10, 30);

const good = {
  task_id: "3b1f7a52-2c4e-4a3c-9a58-64a7a6f0c001",
  task_name: "send_welcome_email",
  args: [],
  kwargs: { userId: "42" },
  enqueued_at: "2024-01-15T10:30:00+00:00",
};

describe("an envelope on the wire", () => {
  it("is written as the reference writes it", () => {
    const { task_id: id, task_name: name } = good;
    expect(encodeEnvelope({ id, name, payloadJson: '{"userId":"42"}', enqueuedAt: ENQUEUED_AT })).toBe(
      '{"task_id":"3b1f7a52-2c4e-4a3c-9a58-64a7a6f0c001","task_name":"send_welcome_email","args":[],' +
        '"kwargs":{"userId":"42"},"enqueued_at":"2024-01-15T10:30:00.000+00:00"}',
    );
  });

  it("of a scheduler has a fixed body without a time", () => {
    expect(encodeScheduledEnvelope("daily_report", "{}")).toBe(
      '{"task_id":"scheduled-daily_report","task_name":"daily_report","args":[],"kwargs":{}}',
    );
  });

  it("is read back as it was written, whatever the payload", () => {
    const id = fc.string({ minLength: 1, maxLength: 500 });
    const time = fc.date({ min: new Date(0), max: new Date("9999-01-01"), noInvalidDate: true });
    fc.assert(
      fc.property(id, payloads, time, (task_id, payload, date) => {
        const payloadJson = JSON.stringify(payload);
        const text = encodeEnvelope({ id: task_id, name: "send", payloadJson, enqueuedAt: date.getTime() });
        const { enqueued_at, ...read } = decodeEnvelope(JSON.parse(text));
        expect(read).toEqual({ task_id, task_name: "send", args: [], kwargs: JSON.parse(payloadJson) });
        expect(Date.parse(enqueued_at ?? "")).toBe(date.getTime());
      }),
    );
  });
});

describe("a message", () => {
  const readable: readonly [what: string, message: object, envelope: object][] = [
    ["of this library", good, good],
    ["with positional arguments", { ...good, args: [1, "two"] }, { ...good, args: [1, "two"] }],
    ["without args", { ...good, args: undefined }, good],
    ["with args null", { ...good, args: null }, good],
    ["without kwargs", { ...good, kwargs: undefined }, { ...good, kwargs: {} }],
    ["with kwargs null", { ...good, kwargs: null }, { ...good, kwargs: {} }],
    ["with fields nobody knows", { ...good, priority: 5 }, good],
    ["with a time in microseconds", { ...good, enqueued_at: "2024-01-15T10:30:00.123456+00:00" }, {}],
    ["with a time in another zone", { ...good, enqueued_at: "2024-01-15T10:30:00+05:30" }, {}],
    ["with an id of 500 characters", { ...good, task_id: "x".repeat(500) }, { task_id: "x".repeat(500) }],
  ];

  it.each(readable)("%s is read", (_what, message, envelope) => {
    expect(decodeEnvelope(message)).toMatchObject(envelope);
  });

  it.each([undefined, null])("with enqueued_at %s has no time", (enqueued_at) => {
    expect(decodeEnvelope({ ...good, enqueued_at })).toMatchObject({ enqueued_at: undefined });
  });

  const malformed: readonly [what: string, message: unknown, expected: string][] = [
    ["nothing", undefined, "expected an object, got none"],
    ["null", null, "expected an object, got null"],
    ["a list", [good], "expected an object, got a list"],
    ["a text", "secret", "expected an object, got another text"],
    ["a number", 12345, "expected an object, got a number"],
    ["no task_id", { ...good, task_id: undefined }, "expected task_id to be a text of 1–500 characters, got none"],
    ["an empty task_id", { ...good, task_id: "" }, "got an empty text"],
    ["a task_id of 501 characters", { ...good, task_id: "x".repeat(501) }, "got another text"],
    ["a task_id that is no text", { ...good, task_id: 12345 }, "got a number"],
    ["no task_name", { ...good, task_name: undefined }, "expected task_name to be a text, got none"],
    ["an empty task_name", { ...good, task_name: "" }, "expected task_name to be a text, got an empty text"],
    ["args that are no list", { ...good, args: { 0: "secret" } }, "expected args to be a list, got an object"],
    ["args that are a text", { ...good, args: "secret" }, "expected args to be a list, got another text"],
    ["kwargs that are a list", { ...good, kwargs: ["secret"] }, "expected kwargs to be an object, got a list"],
    ["kwargs that are a text", { ...good, kwargs: "secret" }, "expected kwargs to be an object, got another text"],
    ["a time that is none", { ...good, enqueued_at: "secret" }, "expected enqueued_at to be an ISO 8601 time"],
    ["a time that is a number", { ...good, enqueued_at: 12345 }, "expected enqueued_at to be an ISO 8601 time"],
    ["a time that is very long", { ...good, enqueued_at: "1".repeat(65) }, "expected enqueued_at to be an ISO"],
  ];

  it.each(malformed)("of %s is malformed, and its content is not repeated", (_what, message, expected) => {
    const text = refusalOf(() => decodeEnvelope(message), "MALFORMED_MESSAGE");
    expect(text).toContain(expected);
    expect(text).not.toMatch(/secret|12345|xxx/);
  });

  it.each([
    ["scheduled-daily", undefined, true],
    ["scheduled-daily", good.enqueued_at, false],
    ["a-uuid", undefined, false],
  ])("with task_id %s and enqueued_at %s is a tick of a scheduler: %s", (task_id, enqueued_at, scheduled) => {
    expect(isScheduledEnvelope(decodeEnvelope({ ...good, task_id, enqueued_at }))).toBe(scheduled);
  });
});

describe("JSON that reaches a prototype", () => {
  const hostile: readonly [what: string, json: string][] = [
    ["__proto__", '{"__proto__":{"admin":true}}'],
    ["__proto__ that is no object", '{"__proto__":1}'],
    ["an escaped __proto__", '{"\\u005f_proto__":{"admin":true}}'],
    ["a nested __proto__", '{"a":{"b":{"__proto__":{"admin":true}}}}'],
    ["a __proto__ within a list", '{"a":[1,[{"__proto__":{"admin":true}}]]}'],
    ["constructor.prototype", '{"constructor":{"prototype":{"admin":true}}}'],
    ["a nested constructor.prototype", '{"a":[{"constructor":{"prototype":null}}]}'],
  ];

  it.each(hostile)("by %s is malformed", (_what, json) => {
    const text = refusalOf(() => assertPlain(JSON.parse(json) as object), "MALFORMED_MESSAGE");
    expect(text).toMatch(/^message: expected no keys that reach a prototype, got (__proto__|constructor)$/);
    expect(Object.prototype).not.toHaveProperty("admin");
  });

  it.each([
    '{"constructor":"Renault"}',
    '{"constructor":{"name":"x"}}',
    '{"prototype":{"a":1}}',
    '{"proto":1,"__proto":2}',
  ])("does not include %s", (json) => {
    expect(() => assertPlain(JSON.parse(json) as object)).not.toThrow();
  });
});

describe("nesting", () => {
  const nested = (depth: number): object => JSON.parse("[".repeat(depth) + "]".repeat(depth)) as object;
  const objects = (depth: number): object =>
    JSON.parse(`${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`) as object;

  it.each([nested, objects])("is taken to 100 levels", (make) => {
    expect(() => assertPlain(make(100))).not.toThrow();
  });

  it.each([101, 100_000])("of %i levels is malformed, and exhausts no stack", (depth) => {
    for (const make of [nested, objects]) {
      expect(refusalOf(() => assertPlain(make(depth)), "MALFORMED_MESSAGE")).toContain("at most 100 levels of nesting");
    }
  });
});

describe("a time in the usual spelling", () => {
  it("is one that can be read", () => {
    const part = (most: number) => fc.nat(most).map((value) => String(value).padStart(2, "0"));
    const offset = fc.oneof(
      fc.constant("Z"),
      fc.tuple(fc.constantFrom("+", "-"), part(23), part(59)).map(([sign, h, m]) => `${sign}${h}:${m}`),
    );
    const fraction = fc.oneof(
      fc.constant(""),
      fc.nat(999_999_999).map((value) => `.${value}`),
    );
    const time = fc
      .tuple(fc.integer({ min: 1000, max: 9999 }), part(99), part(99), part(99), part(99), part(99), fraction, offset)
      .map(([y, mo, d, h, mi, s, f, o]) => `${y}-${mo}-${d}T${h}:${mi}:${s}${f}${o}`);
    fc.assert(
      fc.property(time, (enqueued_at) => {
        const accepted = (() => {
          try {
            decodeEnvelope({ ...good, enqueued_at });
            return true;
          } catch {
            return false;
          }
        })();
        expect(accepted).toBe(!Number.isNaN(Date.parse(enqueued_at)));
      }),
      { numRuns: 2000 },
    );
  });
});
