import { isEnum, type Json, toCamelCase } from "./json-read.ts";
import type { Field, MessageType } from "./protobuf.ts";
import type { TimeParts } from "./time.ts";

const IS_64_BITS = /64$/;

/** How JSON is written. */
export interface JsonStyle {
  /** Enums as numbers instead of names: what `$alt=json;enum-encoding=int` asks for. */
  readonly numericEnums: boolean;
}

/**
 * Writes a message in the JSON form of protobuf. What has its default is left out, except where presence counts. Fields
 * are in the order of the proto.
 * https://protobuf.dev/programming-guides/json/
 */
export function writeMessage(type: MessageType, message: object, style: JsonStyle): Json {
  const special = SPECIAL[type.fullName];
  if (special !== undefined) return special(message);
  const json: Record<string, Json> = {};
  for (const [name, field] of Object.entries(type.fields)) {
    const value = (message as Readonly<Record<string, unknown>>)[name];
    if (value === undefined || value === null) continue;
    const written = writeField(field.resolve(), value, style);
    if (written !== undefined) json[name] = written;
  }
  return json;
}

function writeField(field: Field, value: unknown, style: JsonStyle): Json | undefined {
  if (Array.isArray(value)) {
    const list = value.map((element: unknown) => writeValue(field, element, style));
    return list.length === 0 ? undefined : list;
  }
  if (field.map) {
    const entries = Object.entries(value as object).map(
      ([key, held]) => [key, writeValue(field, held, style)] as const,
    );
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }
  const written = writeValue(field, value, style);
  const isDefault =
    field.resolvedType === null || isEnum(field.resolvedType)
      ? written === 0 || written === "" || written === false || isZeroOf(field, written)
      : false;
  return isDefault && field.partOf === null ? undefined : written;
}

/** Zero of an enum, or of 64 bits. A text may well be "0". */
function isZeroOf({ type, resolvedType }: Field, written: Json): boolean {
  if (IS_64_BITS.test(type)) return written === "0";
  return resolvedType !== null && isEnum(resolvedType) && resolvedType.valuesById[0] === written;
}

function writeValue({ type, resolvedType }: Field, value: unknown, { numericEnums }: JsonStyle): Json {
  if (resolvedType !== null && isEnum(resolvedType)) {
    const number = typeof value === "number" ? value : (resolvedType.values[String(value)] ?? 0);
    return numericEnums ? number : (resolvedType.valuesById[number] ?? number);
  }
  if (resolvedType !== null) return writeMessage(resolvedType, value as object, { numericEnums });
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  // 64 bits are more than a number of JSON holds everywhere.
  if (IS_64_BITS.test(type)) return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value as Json;
}

/** Types with a form of their own. */
const SPECIAL: Readonly<Record<string, (message: object) => Json>> = {
  ".google.protobuf.Duration": (parts: TimeParts) => {
    const { seconds = 0, nanos = 0 } = parts;
    const sign = Number(seconds) < 0 || nanos < 0 ? "-" : "";
    return `${sign}${Math.abs(Number(seconds))}${fraction(nanos)}s`;
  },
  ".google.protobuf.Timestamp": ({ seconds = 0, nanos = 0 }: TimeParts) =>
    new Date(Number(seconds) * 1000).toISOString().replace(".000Z", `${fraction(nanos)}Z`),
  ".google.protobuf.FieldMask": ({ paths = [] }: { readonly paths?: readonly string[] }) =>
    paths.map(toCamelCase).join(","),
  ".google.protobuf.BoolValue": ({ value = false }: { readonly value?: boolean }) => value,
  ".google.protobuf.Int32Value": ({ value = 0 }: { readonly value?: number }) => value,
  ".google.protobuf.StringValue": ({ value = "" }: { readonly value?: string }) => value,
};

/** A fraction of a second: none, or 3, 6 or 9 digits. */
function fraction(nanos: number): string {
  if (nanos === 0) return "";
  const digits = String(Math.abs(nanos)).padStart(9, "0");
  return `.${digits.replace(/(000){1,2}$/, "")}`;
}
