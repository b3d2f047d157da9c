import type { RejectReason } from "../../src/core/outcome.ts";

/** What must come of one fixture: a run with exactly this payload, or a refusal that says why. */
export type Expectation =
  | { readonly payload: object; readonly taskId?: string; readonly enqueuedAt?: string | undefined }
  | { readonly refused: RejectReason; readonly why: string };

const malformed = (why: string): Expectation => ({ refused: "malformed", why: `message: expected ${why}` });
const unsafe = (path: string): Expectation =>
  malformed(`numbers within ±(2^53 − 1), got one beyond at ${path}; send it as a text`);
const unfit = (why: string): Expectation => ({ refused: "invalid-payload", why });
const noJson = (got: string): Expectation => ({ refused: "malformed", why: `expected JSON, got ${got}` });
const notANumber = noJson("NaN or Infinity, which it forbids; send null or a text");
const deep = (levels: number): unknown => (levels === 0 ? [] : [deep(levels - 1)]);

const hello = { user_id: "42", message: "hello" };
const user = { user_id: "42" };
const name = "Zoë Żółć";
const mark = "🎈 👩‍👩‍👧 𝒳";
const lines = "\u2028\u2029\n\t";

/** Messages of a Python producer, as the backend of the reference and its kin write them. */
export const messages: Readonly<Record<string, Expectation>> = {
  keywords: { payload: hello },
  positional: { payload: hello },
  mixed: { payload: { ...hello, urgent: true } },
  "no-arguments": { payload: {} },
  "tuple-arguments": { payload: { user_id: ["a", 1], message: ["b", [null]] } },
  nulls: { payload: {} },
  constants: {
    payload: { none: null, true: true, false: false, zero: 0, empty: "", nested: { list: [null, true, [], {}] } },
  },
  "too-many-arguments": unfit("expected at most 2 positional arguments, got 3"),
  "argument-twice": unfit("expected user_id once, got it by position and by name"),

  floats: {
    payload: {
      one: 1,
      tenth: 0.1,
      third: 1 / 3,
      digits: 0.12345678901234568,
      small: 1e-7,
      least: Number.MIN_VALUE,
      minus_zero: -0,
      sum: 0.30000000000000004,
      large: 123456789012345.67,
    },
  },
  "float-of-many-digits": { payload: { ratio: 0.12345678901234568 } },
  "integers-at-the-limit": { payload: { most: Number.MAX_SAFE_INTEGER, least: Number.MIN_SAFE_INTEGER } },
  "integer-beyond-as-text": { payload: { user_id: "9007199254740993" } },
  "integer-beyond": unsafe("kwargs.user_id"),
  "integer-beyond-by-one": unsafe("kwargs.user_id"),
  "integer-beyond-negative": unsafe("kwargs.user_id"),
  "integer-beyond-in-args": unsafe("args[0]"),
  "integer-beyond-nested": unsafe("kwargs.orders[1].id"),
  "integer-beyond-under-odd-key": unsafe("kwargs[…][…][1]"),
  "integer-of-a-uuid": unsafe("kwargs.id"),
  "float-beyond": unsafe("kwargs.nanoseconds"),
  "float-beyond-all": unsafe("kwargs.limit"),
  nan: notANumber,
  infinity: notANumber,
  "minus-infinity": notANumber,
  "nan-as-text": { payload: { score: "NaN", limit: "-Infinity" } },

  "unicode-escaped": {
    payload: {
      name,
      mark,
      right_to_left: "שלום",
      lines,
      control: "\u0000\u001f\u007f",
      quotes: "\" \\ / '",
    },
  },
  "unicode-raw": { payload: { name, mark, lines } },
  "unicode-keys": { payload: { größe: 1, ключ: { 鍵: 2, "🎈": 3 }, "": 4, "with space": 5, "1": 6 } },
  "lone-surrogate": { payload: { name: "\ud83d" } },
  "long-text": { payload: { message: "łódź ".repeat(1000) } },
  "keys-of-other-types": { payload: { by_id: { "7": "a", "1.5": "b", true: "c", null: "d" } } },
  "keys-twice": { payload: { by_id: { "1": "last" } } },
  "byte-order-mark": noJson("something else"),
  "utf-16": { refused: "malformed", why: "expected UTF-8, got other bytes" },
  "latin-1": { refused: "malformed", why: "expected UTF-8, got other bytes" },

  "time-in-whole-seconds": { payload: {}, enqueuedAt: "2026-03-01T08:59:58.000Z" },
  "time-at-an-offset": { payload: {} },
  "time-at-a-negative-offset": { payload: {} },
  "time-with-a-space": { payload: {} },
  "time-in-zulu": { payload: {} },
  // In the zone of the process, as JavaScript has it.
  "time-without-offset": { payload: {}, enqueuedAt: new Date("2026-03-01T08:59:58.123").toISOString() },
  "time-none": { payload: {}, enqueuedAt: undefined },
  "time-as-epoch": malformed("enqueued_at to be an ISO 8601 time, got a number"),

  compact: { payload: hello },
  "sorted-and-indented": { payload: hello },
  "name-in-full": { payload: user },
  "id-in-hex": { payload: user, taskId: "3b241101e2bb42558caf4136c566a962" },
  "fields-of-its-own": { payload: user },
  "django-encoder": {
    payload: {
      id: "3b241101-e2bb-4255-8caf-4136c566a962",
      price: "1.10",
      at: "2026-03-01T08:59:58.123Z",
      day: "2026-03-01",
      wait: "P0DT00H01M30S",
    },
  },
  "unknown-task": { refused: "unknown-task", why: "send_goodbye_email" },
  "args-as-dict": malformed("args to be a list, got an object"),
  "kwargs-as-list": malformed("kwargs to be an object, got a list"),
  "without-id": malformed("task_id to be a text of 1–500 characters, got none"),
  "without-name": malformed("task_name to be a text, got none"),
  "key-that-reaches-a-prototype": malformed("no keys that reach a prototype, got __proto__"),
  "nested-to-the-limit": { payload: { deep: deep(97) } },
  "nested-too-deep": malformed("at most 100 levels of nesting, got more"),
  "single-quotes": noJson("something else"),
  "double-encoded": malformed("an object, got another text"),
};

/** Bodies that are the payload itself, for a route that is mounted alone. */
export const payloads: Readonly<Record<string, Expectation>> = {
  payload: { payload: { user_id: "42", urgent: true, note: null, name: "Zoë 🎈" } },
  "payload-empty": { payload: {} },
  "payload-nothing": { payload: {} },
  "payload-integer-beyond": unsafe("orders[0].id"),
  "payload-nan": notANumber,
  "payload-list": malformed("an object or nothing, got something else"),
  "payload-none": malformed("an object or nothing, got something else"),
};
