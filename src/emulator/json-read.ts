import type { EnumType, Field, FieldType, MessageType } from "./protobuf.ts";
import { invalid } from "./status.ts";
import type { TimeParts } from "./time.ts";

/** JSON text as it is parsed. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** An object of JSON text. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * Reads a message in the JSON form of protobuf into the form of protobufjs' `toObject`. Names of fields are taken in
 * camelCase and in snake_case, numbers and booleans as text too. https://protobuf.dev/programming-guides/json/
 *
 * @throws RpcError INVALID_ARGUMENT, with the texts of Google's front end.
 */
export function readMessage(type: MessageType, json: Json, path = ""): object {
  const special = SPECIAL[type.fullName];
  if (special !== undefined) return special(json, path);
  if (!isObject(json)) throw unexpected(type.fullName, json, path);
  const message: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    const field = fieldOf(type, key);
    if (field === undefined) throw unknownName(key, path);
    if (value !== null) message[field.name] = readField(field, value, path === "" ? key : `${path}.${key}`);
  }
  return message;
}

/** The field of a type by either spelling of its name. */
export function fieldOf({ fields }: MessageType, key: string): Field | undefined {
  const name = Object.hasOwn(fields, key) ? key : toCamelCase(key);
  return Object.hasOwn(fields, name) ? fields[name]?.resolve() : undefined;
}

/** Whether a field's type is an enum. */
export function isEnum(type: FieldType): type is EnumType {
  return "valuesById" in type;
}

/** Whether a value is an object of JSON text. */
export function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** `ackDeadlineSeconds` for `ack_deadline_seconds`. */
export function toCamelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `ack_deadline_seconds` for `ackDeadlineSeconds`. */
export function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** An unknown name in a body. */
function unknownName(key: string, path: string): Error {
  const place = path === "" ? "" : ` at '${path}'`;
  return invalid(`Invalid JSON payload received. Unknown name "${key}"${place}: Cannot find field.`);
}

function readField(field: Field, json: Json, path: string): unknown {
  if (field.map) {
    if (!isObject(json)) throw unexpected("Map", json, path);
    return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, readValue(field, value, path)]));
  }
  if (!field.repeated) return readValue(field, json, path);
  if (!Array.isArray(json)) throw invalid(`Invalid value at '${path}' (type ${field.type}), expected a list`);
  return json.map((element: Json, index) => readValue(field, element, `${path}[${index}]`));
}

function readValue({ type, resolvedType }: Field, json: Json, path: string): unknown {
  if (resolvedType === null) return readScalar(type, json, path);
  if (!isEnum(resolvedType)) return readMessage(resolvedType, json, path);
  if (typeof json === "string" && Object.hasOwn(resolvedType.values, json)) return json;
  const name = resolvedType.valuesById[Number(json)];
  if (name === undefined) throw unexpected(type, json, path);
  return name;
}

function readScalar(type: string, json: Json, path: string): unknown {
  switch (type) {
    case "string":
      if (typeof json === "string") return json;
      throw unexpected("TYPE_STRING", json, path);
    case "bytes":
      if (typeof json === "string" && /^[A-Za-z0-9+/_-]*=*$/.test(json)) return Buffer.from(json, "base64");
      throw unexpected("TYPE_BYTES", json, path);
    case "bool":
      if (json === true || json === "true") return true;
      if (json === false || json === "false") return false;
      throw unexpected("TYPE_BOOL", json, path);
    default:
      return readNumber(type, json, path);
  }
}

function readNumber(type: string, json: Json, path: string): number {
  const value =
    typeof json === "number" || (typeof json === "string" && json.trim() !== "") ? Number(json) : Number.NaN;
  const isFraction = type === "double" || type === "float";
  const isInRange = /32$/.test(type) ? Math.abs(value) < 2 ** 32 : Number.isFinite(value);
  if (!isInRange || (!isFraction && !Number.isInteger(value)))
    throw unexpected(`TYPE_${type.toUpperCase()}`, json, path);
  return value;
}

function unexpected(type: string, json: Json, path: string): Error {
  const shown = typeof json === "string" || Array.isArray(json) || isObject(json) ? JSON.stringify(json) : json;
  return invalid(`Invalid value at '${path}' (${type.replace(/^\./, "type.googleapis.com/")}), ${shown}`);
}

/** Types with a form of their own. */
const SPECIAL: Readonly<Record<string, (json: Json, path: string) => object>> = {
  ".google.protobuf.Duration": readDuration,
  ".google.protobuf.Timestamp": readTimestamp,
  ".google.protobuf.FieldMask": readFieldMask,
  ".google.protobuf.BoolValue": (json, path) => ({ value: readScalar("bool", json, path) }),
  ".google.protobuf.Int32Value": (json, path) => ({ value: readNumber("int32", json, path) }),
  ".google.protobuf.StringValue": (json, path) => ({ value: readScalar("string", json, path) }),
};

function readDuration(json: Json, path: string): TimeParts {
  const match = typeof json === "string" ? /^(-?)(\d+)(?:\.(\d{1,9}))?s$/.exec(json) : null;
  if (match === null)
    throw invalid(
      `Invalid value at '${path}' (type.googleapis.com/google.protobuf.Duration), Field '${path.split(".").at(-1)}', Illegal duration format; duration must end with 's'`,
    );
  const sign = match[1] === "-" ? -1 : 1;
  return { seconds: sign * Number(match[2]), nanos: sign * Number((match[3] ?? "").padEnd(9, "0")) };
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(?:Z|[+-]\d\d:\d\d)$/;

function readTimestamp(json: Json, path: string): TimeParts {
  const match = typeof json === "string" ? RFC_3339.exec(json) : null;
  const seconds = match === null ? Number.NaN : Math.floor(Date.parse(match[0].replace(/\.\d+/, "")) / 1000);
  if (Number.isNaN(seconds)) throw unexpected(".google.protobuf.Timestamp", json, path);
  return { seconds, nanos: Number((match?.[1] ?? "").padEnd(9, "0")) };
}

/** Names of fields in snake_case, as they stand in a FieldMask on the wire. */
function readFieldMask(json: Json, path: string): { readonly paths: readonly string[] } {
  if (typeof json !== "string") throw unexpected(".google.protobuf.FieldMask", json, path);
  return { paths: json === "" ? [] : json.split(",").map((name) => toSnakeCase(name.trim())) };
}
