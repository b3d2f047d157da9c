import { protos } from "@google-cloud/pubsub";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bytesInRequest,
  decodePublishResponse,
  encodePublishRequest,
  measured,
  type TopicMessage,
} from "../../src/google/publish-request.ts";
import { refusalOf } from "../support/refusal.ts";

const { PublishRequest, PublishResponse } = protos.google.pubsub.v1;

const text = fc.string({ unit: "grapheme", maxLength: 300 });
const message: fc.Arbitrary<TopicMessage> = fc.record({
  text: fc.oneof(
    text,
    text.map((part) => part.repeat(100)),
  ),
  attributes: fc.option(fc.dictionary(fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), text), {
    nil: undefined,
  }),
  orderingKey: fc.option(fc.string({ unit: "grapheme", minLength: 1, maxLength: 100 }), { nil: undefined }),
});

describe("a request", () => {
  it("is what Google's own protobuf code reads", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
        const bytes = encodePublishRequest(
          "projects/p/topics/t",
          messages.map((one) => measured(one)),
        );
        const { topic, messages: read } = PublishRequest.decode(bytes);
        expect(topic).toBe("projects/p/topics/t");
        expect(
          read.map(({ data, attributes, orderingKey }) => ({
            text: Buffer.from(data as Uint8Array).toString(),
            attributes: { ...attributes },
            orderingKey,
          })),
        ).toEqual(
          messages.map(({ text, attributes, orderingKey }) => ({
            text: Buffer.from(text).toString(),
            attributes: { ...attributes },
            orderingKey: orderingKey ?? "",
          })),
        );
      }),
    );
  });

  it("is as large as its messages were measured", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
        const all = messages.map((one) => measured(one));
        const size = all.reduce((sum, one) => sum + bytesInRequest(one), 0);
        expect(encodePublishRequest("t", all)).toHaveLength(size + 3);
      }),
    );
  });

  it.each([127, 128, 16_383, 16_384, 2_097_151, 2_097_152])("holds %i bytes, where a length grows", (length) => {
    const bytes = encodePublishRequest("t", [
      measured({ text: "x".repeat(length), attributes: undefined, orderingKey: undefined }),
    ]);
    expect(PublishRequest.decode(bytes).messages[0]?.data).toHaveLength(length);
  });
});

describe("a message", () => {
  const of = (part: Partial<TopicMessage>) => () =>
    measured({ text: "{}", attributes: undefined, orderingKey: undefined, ...part });
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, ""]));

  it.each([
    ["data of almost 10 MB", { text: "x".repeat(9_989_000) }],
    ["100 attributes", { attributes: many(100) }],
    ["a key of 256 bytes", { attributes: { ["é".repeat(128)]: "" } }],
    ["a value of 1024 bytes", { attributes: { a: "é".repeat(512) } }],
    ["an ordering key of 1024 bytes", { orderingKey: "é".repeat(512) }],
  ])("may have %s", (_, part) => {
    expect(of(part)).not.toThrow();
  });

  it.each([
    ["data of 10 MB", { text: "é".repeat(5_000_000) }, "INVALID_PAYLOAD", "at most 10 MB"],
    ["101 attributes", { attributes: many(101) }, "INVALID_OPTION", "at most 100 attributes"],
    ["a key of 257 bytes", { attributes: { ["x".repeat(257)]: "" } }, "INVALID_OPTION", "1–256 bytes"],
    ["a nameless attribute", { attributes: { "": "" } }, "INVALID_OPTION", "1–256 bytes"],
    ["a value of 1025 bytes", { attributes: { a: `${"é".repeat(512)}x` } }, "INVALID_OPTION", "at most 1024 bytes"],
    ["an ordering key of 1025 bytes", { orderingKey: "x".repeat(1025) }, "INVALID_OPTION", "at most 1024 bytes"],
  ] as const)("may not have %s", (_, part, code, expected) => {
    expect(refusalOf(of(part), code)).toContain(expected);
  });
});

describe("a response", () => {
  it("is read as Google's own protobuf code writes it", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[0-9]{1,200}$/)), (messageIds) => {
        expect(decodePublishResponse(Buffer.from(PublishResponse.encode({ messageIds }).finish()))).toEqual(messageIds);
      }),
    );
  });

  it("is read past fields that are not known", () => {
    const unknown = Buffer.from([0x10, 0x96, 0x01, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x22, 2, 9, 9, 0x2d, 1, 2, 3, 4]);
    const known = Buffer.from(PublishResponse.encode({ messageIds: ["42"] }).finish());
    expect(decodePublishResponse(Buffer.concat([unknown, known, unknown]))).toEqual(["42"]);
  });

  it.each([[[0x0a, 5, 1]], [[0x0a]], [[0x0f]], [Array.from({ length: 20 }, () => 0xff)]])("is no %j", (bytes) => {
    expect(() => decodePublishResponse(Buffer.from(bytes))).toThrow("publish response");
  });
});
