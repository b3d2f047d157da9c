import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fieldOf, type Json, readMessage, toCamelCase, toSnakeCase } from "../../src/emulator/json-read.ts";
import { writeMessage } from "../../src/emulator/json-write.ts";
import type { MessageType } from "../../src/emulator/protobuf.ts";
import { loadProtos } from "../../src/emulator/protos.ts";
import { fromMillis, fromSeconds, toMillis, toSeconds } from "../../src/emulator/time.ts";

/** Google's own converter, which knows fewer spellings. */
const { serializer }: { readonly serializer: { toProto3JSON(message: object): unknown } } = createRequire(
  import.meta.resolve("@google-cloud/pubsub"),
)("google-gax");

const protos = loadProtos();

function typeOf(service: string, method: string): MessageType {
  const type = protos.service(service)?.methods[method]?.resolve().resolvedRequestType;
  if (type === null || type === undefined) throw new Error(`expected ${service}/${method}`);
  return type;
}

const subscription = typeOf("google.pubsub.v1.Subscriber", "CreateSubscription");
const publish = typeOf("google.pubsub.v1.Publisher", "Publish");
const NAMES = { numericEnums: false };

const duration = fc.record({
  seconds: fc.integer({ min: 0, max: 1e9 }),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
});
const text = fc.string();
/** Google's own converter, and protobufjs before it, lose an entry of this name. */
const key = text.filter((name) => name !== "__proto__");
const labels = fc.dictionary(key, text);
const anySubscription = fc.record(
  {
    name: text,
    topic: text,
    ackDeadlineSeconds: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    retainAckedMessages: fc.boolean(),
    labels,
    messageRetentionDuration: duration,
    pushConfig: fc.record({
      pushEndpoint: text,
      attributes: labels,
      noWrapper: fc.record({ writeMetadata: fc.boolean() }),
    }),
    retryPolicy: fc.record({ minimumBackoff: duration }, { requiredKeys: [] }),
    state: fc.constantFrom("ACTIVE", "RESOURCE_ERROR"),
  },
  { requiredKeys: [] },
);
const anyMessage = fc.record(
  {
    data: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes)),
    attributes: fc.dictionary(key, text, { minKeys: 1 }),
    publishTime: fc.record({
      seconds: fc.integer({ min: 0, max: 2e9 }),
      nanos: fc.integer({ min: 0, max: 999_999_999 }),
    }),
  },
  { requiredKeys: [] },
);

/** Through the wire and back, so that two spellings of the same message are one. */
function canonical(type: MessageType, plain: object): object {
  return type.toObject(type.decode(type.encode(type.fromObject(plain)).finish()), {
    longs: Number,
    enums: String,
    defaults: true,
  });
}

describe("JSON", () => {
  it("is read as the message that was written", () => {
    fc.assert(
      fc.property(anySubscription, (plain) => {
        const json = writeMessage(subscription, plain, NAMES);
        expect(canonical(subscription, readMessage(subscription, json))).toEqual(canonical(subscription, plain));
      }),
    );
    fc.assert(
      fc.property(fc.array(anyMessage), (messages) => {
        const json = writeMessage(publish, { topic: "t", messages }, NAMES);
        expect(canonical(publish, readMessage(publish, json))).toEqual(canonical(publish, { topic: "t", messages }));
      }),
    );
  });

  it("is what Google's own converter writes", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const plain = { topic: "t", messages: [message] };
        const theirs = serializer.toProto3JSON(publish.fromObject(plain)) as {
          messages?: { publishTime?: string; attributes?: object }[];
        };
        const ours = writeMessage(publish, plain, NAMES) as object as typeof theirs;
        // They write a fraction of ".000" too.
        const times = (json: typeof theirs) =>
          json.messages?.map(({ publishTime }) => publishTime?.replace(".000Z", "Z"));
        expect(times(ours)).toEqual(times(theirs));
        // And an empty map, which they have made themselves.
        const rest = (json: typeof theirs) =>
          json.messages?.map(({ publishTime: _, attributes = {}, ...other }) => ({ attributes, ...other }));
        expect(rest(ours)).toEqual(rest(theirs));
      }),
    );
  });

  it("spells every field of the protos in either way", () => {
    for (const [name] of Object.entries(subscription.fields)) {
      expect(fieldOf(subscription, name)?.name).toBe(name);
      expect(fieldOf(subscription, toSnakeCase(name))?.name).toBe(name);
      expect(toCamelCase(toSnakeCase(name))).toBe(name);
    }
    expect(fieldOf(subscription, "constructor")).toBeUndefined();
  });

  it.each<[json: Json, read: object]>([
    [{ ackDeadlineSeconds: "20" }, { ackDeadlineSeconds: 20 }],
    [{ ack_deadline_seconds: 20, topic: null }, { ackDeadlineSeconds: 20 }],
    [{ retainAckedMessages: "true" }, { retainAckedMessages: true }],
    [{ messageRetentionDuration: "-1.5s" }, { messageRetentionDuration: { seconds: -1, nanos: -500_000_000 } }],
    [{ state: 2 }, { state: "RESOURCE_ERROR" }],
    [{ state: "ACTIVE" }, { state: "ACTIVE" }],
  ])("%j is read as %j", (json, read) => {
    expect(readMessage(subscription, json)).toEqual(read);
  });

  it.each<Json>([
    { ackDeadlineSeconds: "x" },
    { ackDeadlineSeconds: 1e12 },
    { retainAckedMessages: "yes" },
    { state: "SLEEPING" },
    { labels: [] },
    { messageTransforms: {} },
    { messageRetentionDuration: 10 },
    { topic: 1 },
    { pushConfig: "x" },
    "x",
    null,
  ])("%j is refused", (json) => {
    expect(() => readMessage(subscription, json)).toThrow(/^Invalid /);
  });
});

describe("times and lengths", () => {
  it("come back as they were, to the millisecond", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e13 }), (ms) => {
        expect(toMillis(fromMillis(ms))).toBe(ms);
        expect(toSeconds(fromSeconds(ms / 1000))).toBeCloseTo(ms / 1000, 6);
      }),
    );
    expect([toMillis(undefined), toSeconds({ seconds: "3", nanos: 5e8 }), toMillis({})]).toEqual([undefined, 3.5, 0]);
  });
});
