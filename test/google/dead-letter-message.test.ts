import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DeadLetter } from "../../src/core/dead-letter.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { letterOf, messageOf } from "../../src/google/dead-letter-message.ts";

const route = new TaskRoute({ path: "x.task", run: () => {} });
const LETTER: DeadLetter = {
  taskId: "task-1",
  path: "x.task",
  taskName: "task",
  args: [],
  kwargs: { userId: "42" },
  enqueuedAt: "2026-03-01T11:59:58.000Z",
  messageId: "message-1",
  reason: "exhausted",
  error: "Error: boom",
  attempts: 3,
  parkedAt: Date.UTC(2026, 2, 1),
};

/** A letter as it comes back from its topic. */
function returned(letter: DeadLetter): DeadLetter {
  const { text, attributes = {} } = messageOf(letter);
  return letterOf({ data: Buffer.from(text), attributes, messageId: "other" }, route);
}

describe("a letter", () => {
  it("comes back as it was parked", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 50 });
    const letter = fc.record({
      taskId: fc.stringMatching(/^[\w.~-]{1,200}$/),
      taskName: fc.stringMatching(/^[\w-]{1,50}$/),
      args: fc.array(text, { maxLength: 3 }),
      kwargs: fc.dictionary(fc.stringMatching(/^[a-z]{1,10}$/), fc.oneof(text, fc.integer(), fc.constant(null))),
      error: fc.option(text, { nil: undefined }),
      reason: fc.constantFrom(
        "discarded" as const,
        "exhausted" as const,
        "switched-off" as const,
        "undeliverable" as const,
      ),
      attempts: fc.nat(100),
      parkedAt: fc.nat(4_000_000_000_000),
    });
    fc.assert(
      fc.property(letter, (parts) => {
        // Plain objects: JSON's have a prototype.
        const given: DeadLetter = { ...LETTER, ...parts, kwargs: { ...parts.kwargs } };
        expect(returned(given)).toEqual(given);
      }),
    );
  });

  it("keeps as much of a long error as an attribute holds, in whole characters", () => {
    const { error } = returned({ ...LETTER, error: `Error: ${"é✓".repeat(1000)}` });
    expect(error).toMatch(/^Error: (é✓)+é?…$/);
    expect(Buffer.byteLength(error ?? "")).toBeLessThanOrEqual(1024);
    expect(Buffer.byteLength(error ?? "")).toBeGreaterThan(1010);
  });

  it("keeps a body that is no envelope as it stands", () => {
    const unreadable = { ...LETTER, taskId: "message-1", kwargs: {}, enqueuedAt: undefined, unreadable: "{not json" };
    expect(returned(unreadable)).toEqual(unreadable);
  });

  it("may be as large as anything that was published, and no larger than a request", () => {
    const kwargs = { text: "x".repeat(9_985_000) };
    expect(() => messageOf({ ...LETTER, kwargs, error: "e".repeat(5000) })).not.toThrow();
  });
});

describe("a message that Pub/Sub itself forwarded", () => {
  const publishTime = { seconds: "1772366400", nanos: 749_000_000 };
  const attributes = { CloudPubSubDeadLetterSourceDeliveryCount: "15", key: "value" };
  const data = Buffer.from('{"task_id":"task-1","task_name":"task","args":[],"kwargs":{"n":1}}');

  it("is a letter of the route in whose topic it is", () => {
    expect(letterOf({ data, attributes, messageId: "42", publishTime }, route)).toEqual({
      taskId: "task-1",
      path: "x.task",
      taskName: "task",
      args: [],
      kwargs: { n: 1 },
      enqueuedAt: undefined,
      messageId: "42",
      reason: "undeliverable",
      error: undefined,
      attempts: 15,
      parkedAt: 1_772_366_400_749,
    });
  });

  it.each<[what: string, data: string | null]>([
    ["nothing", null],
    ["no JSON", "no JSON"],
    ["no envelope", "[1]"],
    ["an envelope that reaches a prototype", '{"task_id":"a","task_name":"task","kwargs":{"__proto__":{"x":1}}}'],
  ])("may hold %s", (_, text) => {
    const letter = letterOf({ data: text === null ? null : Buffer.from(text), messageId: "42", publishTime }, route);
    expect(letter).toMatchObject({ taskId: "42", kwargs: {}, unreadable: text ?? "", attempts: 0 });
  });
});
