import { TasksError } from "../core/errors.ts";
import { shown } from "../core/options.ts";

// Requests are written here rather than by protobufjs, which first copies each message into an object of its own and then
// writes it byte by byte: for small messages that is half of the CPU time of a publish.
// google/pubsub/v1/pubsub.proto: PublishRequest { topic = 1; messages = 2 }, PubsubMessage { data = 1; attributes = 2;
// ordering_key = 5 }, PublishResponse { message_ids = 1 }. Every field that is used is length-delimited (wire type 2).

const TOPIC_FIELD = 0x0a;
const MESSAGES_FIELD = 0x12;
const DATA_FIELD = 0x0a;
const ATTRIBUTES_FIELD = 0x12;
const KEY_FIELD = 0x0a;
const VALUE_FIELD = 0x12;
const ORDERING_KEY_FIELD = 0x2a;
const MESSAGE_IDS_FIELD = 0x0a;

/** Bytes of a request: "10 MB" in cloud.google.com/pubsub/quotas#resource_limits, read as the smaller of its readings. */
export const LARGEST_REQUEST = 10_000_000;
/** Messages of a request. */
export const MOST_MESSAGES = 1000;
/** Left free in a request beside its one message: for its topic, and for what is added when it becomes a dead letter. */
const ROOM = 10_000;
const MOST_ATTRIBUTES = 100;
const LONGEST_ATTRIBUTE_KEY = 256;
const LONGEST_ATTRIBUTE_VALUE = 1024;
const LONGEST_ORDERING_KEY = 1024;

/** What is published. */
export interface TopicMessage {
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>> | undefined;
  readonly orderingKey: string | undefined;
}

/** A message that has been measured, and that Pub/Sub will not find too large. */
export interface MeasuredMessage extends TopicMessage {
  /** Bytes of `text` in UTF-8. */
  readonly textBytes: number;
  /** Bytes of the encoded message, without the head of its field. */
  readonly bytes: number;
}

/** Bytes of a length as a varint. */
function lengthBytes(length: number): number {
  if (length < 0x80) return 1;
  if (length < 0x4000) return 2;
  return length < 0x200000 ? 3 : 4;
}

/** Bytes of a field: its tag, its length, itself. */
function fieldBytes(length: number): number {
  return 1 + lengthBytes(length) + length;
}

function attributeBytes(key: string, value: string): number {
  return fieldBytes(Buffer.byteLength(key)) + fieldBytes(Buffer.byteLength(value));
}

/**
 * Measures a message and refuses what Pub/Sub would (cloud.google.com/pubsub/quotas#resource_limits): data of 10 MB, 100
 * attributes, keys of 256 and values of 1024 bytes, an ordering key of 1024 bytes at most.
 *
 * @param largest bytes of the encoded message. Default a little less than a request may have.
 * @throws TasksError `INVALID_PAYLOAD` for the data, `INVALID_OPTION` for the rest.
 */
export function measured(message: TopicMessage, largest: number = LARGEST_REQUEST - ROOM): MeasuredMessage {
  const { text, attributes, orderingKey } = message;
  const textBytes = Buffer.byteLength(text);
  let bytes = fieldBytes(textBytes);
  if (attributes !== undefined) {
    assertAttributes(attributes);
    for (const key in attributes) bytes += fieldBytes(attributeBytes(key, attributes[key] ?? ""));
  }
  if (orderingKey !== undefined) {
    const length = Buffer.byteLength(orderingKey);
    if (length > LONGEST_ORDERING_KEY)
      throw new TasksError(
        "INVALID_OPTION",
        `publish: expected orderingKey of at most ${LONGEST_ORDERING_KEY} bytes, got ${length}; use a shorter key, such as a hash`,
      );
    bytes += fieldBytes(length);
  }
  if (bytes > largest)
    throw new TasksError(
      "INVALID_PAYLOAD",
      `publish: expected a message of at most 10 MB, got ${bytes} bytes; put the data into a bucket and its name into the payload`,
    );
  return { text, attributes, orderingKey, textBytes, bytes };
}

function assertAttributes(attributes: Readonly<Record<string, string>>): void {
  const entries = Object.entries(attributes);
  if (entries.length > MOST_ATTRIBUTES) refuse(`at most ${MOST_ATTRIBUTES} attributes`, String(entries.length));
  for (const [key, value] of entries) {
    const length = Buffer.byteLength(key);
    if (length === 0 || length > LONGEST_ATTRIBUTE_KEY)
      refuse(`attribute names of 1–${LONGEST_ATTRIBUTE_KEY} bytes`, `${length} in ${shown(key)}`);
    const size = Buffer.byteLength(value);
    if (size > LONGEST_ATTRIBUTE_VALUE)
      refuse(`attributes of at most ${LONGEST_ATTRIBUTE_VALUE} bytes`, `${size} in ${shown(key)}`);
  }
}

function refuse(expected: string, got: string): never {
  throw new TasksError("INVALID_OPTION", `publish: expected ${expected}, got ${got}; shorten it`);
}

/** The bytes that a message takes in a request. */
export function bytesInRequest({ bytes }: MeasuredMessage): number {
  return fieldBytes(bytes);
}

/** Writes into one buffer, front to back. */
class Writer {
  readonly bytes: Buffer;
  #at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  head(tag: number, length: number): void {
    this.bytes[this.#at++] = tag;
    let rest = length;
    while (rest >= 0x80) {
      this.bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.#at++] = rest;
  }

  text(tag: number, text: string, length: number = Buffer.byteLength(text)): void {
    this.head(tag, length);
    // One byte a character: it is ASCII, which is copied as it stands.
    this.bytes.write(text, this.#at, length, length === text.length ? "latin1" : "utf8");
    this.#at += length;
  }
}

/** A `PublishRequest` as protobuf. */
export function encodePublishRequest(topic: string, messages: readonly MeasuredMessage[]): Buffer {
  let size = fieldBytes(Buffer.byteLength(topic));
  for (const message of messages) size += fieldBytes(message.bytes);
  const writer = new Writer(size);
  writer.text(TOPIC_FIELD, topic);
  for (const message of messages) writeMessage(writer, message);
  return writer.bytes;
}

function writeMessage(writer: Writer, { text, textBytes, attributes, orderingKey, bytes }: MeasuredMessage): void {
  writer.head(MESSAGES_FIELD, bytes);
  writer.text(DATA_FIELD, text, textBytes);
  if (attributes !== undefined)
    for (const key in attributes) {
      const value = attributes[key] ?? "";
      writer.head(ATTRIBUTES_FIELD, attributeBytes(key, value));
      writer.text(KEY_FIELD, key);
      writer.text(VALUE_FIELD, value);
    }
  if (orderingKey !== undefined) writer.text(ORDERING_KEY_FIELD, orderingKey);
}

/**
 * The message ids of a `PublishResponse`; fields that it may get one day are passed over.
 *
 * @throws Error when it is none.
 */
export function decodePublishResponse(bytes: Buffer): string[] {
  const ids: string[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63) throw new Error("publish response: expected protobuf, got something else");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  const skip = (tag: number): void => {
    const wireType = tag & 7;
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 2) at = varint() + at;
    else if (wireType === 5) at += 4;
    else throw new Error("publish response: expected protobuf, got something else");
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag !== MESSAGE_IDS_FIELD) skip(tag);
    else {
      const end = varint() + at;
      if (end > bytes.length) throw new Error("publish response: expected the whole of it, got a part");
      ids.push(bytes.toString("latin1", at, end));
      at = end;
    }
  }
  return ids;
}
