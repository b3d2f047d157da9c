import type { IncomingMessage, ServerResponse } from "node:http";
import type { Call, Calls } from "./calls.ts";
import { matchRule, type RuleMatch, rulesOf } from "./http-rules.ts";
import { fieldOf, isEnum, isObject, type Json, readMessage, toCamelCase } from "./json-read.ts";
import { writeMessage } from "./json-write.ts";
import type { Field, FieldType, MessageType } from "./protobuf.ts";
import { howToServe } from "./protos.ts";
import { CODES, codeName, httpStatusOf, invalid, notFound, RpcError } from "./status.ts";

/** Parameters that every method of Google's APIs takes. https://cloud.google.com/apis/docs/system-parameters */
const SYSTEM_PARAMETERS =
  /^\$|^(access_token|alt|callback|fields|key|oauth_token|prettyPrint|quotaUser|upload_protocol|uploadType)$/;

/** Answers calls over REST with JSON, by the rules in the protos. */
export class RestFront {
  readonly #calls: Calls;
  readonly #rules: ReturnType<typeof rulesOf>;

  constructor(calls: Calls) {
    this.#calls = calls;
    this.#rules = rulesOf(calls.all);
  }

  /** Answers one request. Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { pathname, searchParams } = urlOf(request);
      const match = this.#match(request.method ?? "GET", pathname);
      const { call } = match.rule;
      const json = await this.#invoke(match, call, searchParams, await bodyOf(request));
      sendJson(response, 200, json);
    } catch (error) {
      sendError(response, error);
    }
  }

  #match(verb: string, path: string): RuleMatch {
    const match = matchRule(this.#rules, verb, path);
    if (match !== undefined) return match;
    const missing = this.#calls.all.find(({ types, service }) => types === undefined && PATHS[service]?.test(path));
    if (missing !== undefined) throw new RpcError(CODES.UNIMPLEMENTED, howToServe(missing.service));
    throw notFound(`Method not found: ${verb} ${path}`);
  }

  async #invoke(match: RuleMatch, call: Call, parameters: URLSearchParams, body: string): Promise<Json> {
    if (call.types === undefined || call.isStream)
      throw new RpcError(CODES.UNIMPLEMENTED, `Method ${call.service}/${call.name} is unimplemented over REST`);
    const { request, response } = call.types;
    const answer = await this.#calls.invoke(call, readRequest(match, request, parameters, body));
    const numericEnums = parameters.get("$alt")?.includes("enum-encoding=int") === true;
    return writeMessage(response, answer, { numericEnums });
  }
}

/** Where the services live that may not be served for want of a package. */
const PATHS: Readonly<Record<string, RegExp>> = {
  "google.pubsub.v1.Publisher": /^\/v1\/projects\/[^/]+\/topics\b/,
  "google.pubsub.v1.Subscriber": /^\/v1\/projects\/[^/]+\/subscriptions\b/,
  "google.cloud.tasks.v2.CloudTasks": /^\/v2\/projects\/[^/]+\/locations\/[^/]+\/queues\b/,
  "google.cloud.scheduler.v1.CloudScheduler": /^\/v1\/projects\/[^/]+\/locations\/[^/]+\/jobs\b/,
};

/** Sends JSON, indented as Google's front end does. */
export function sendJson(response: ServerResponse, status: number, json: Json | object): void {
  const body = `${JSON.stringify(json, undefined, 2)}\n`;
  response.writeHead(status, {
    "content-type": "application/json; charset=UTF-8",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

/** Sends an error as JSON, in the form of `google.rpc.Status`. */
export function sendError(response: ServerResponse, error: unknown): void {
  const { code, message, details } =
    error instanceof RpcError ? error : new RpcError(CODES.INTERNAL, "Internal error encountered.");
  const status = httpStatusOf(code);
  const more = details.length === 0 ? {} : { details };
  sendJson(response, status, { error: { code: status, message, status: codeName(code), ...more } });
}

/** The URL of a request, whose path can be decoded. */
function urlOf({ url: text = "/" }: IncomingMessage): URL {
  try {
    const url = new URL(text, "http://emulator");
    decodeURIComponent(url.pathname);
    return url;
  } catch {
    throw invalid(`Invalid URL: ${text}`);
  }
}

/** Longest body, in bytes: well beyond a publish of 10 MB in base64, which its service refuses with a text of its own. */
const LONGEST_BODY = 64 * 1024 * 1024;

/** The body of a request as text. Rejects with an RpcError when it is too long. */
export function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      // What is too long is read to its end all the same, so that the answer arrives.
      if (size <= LONGEST_BODY) chunks.push(chunk);
      else chunks.length = 0;
    });
    request.on("end", () => {
      if (size <= LONGEST_BODY) resolve(Buffer.concat(chunks).toString("utf8"));
      else reject(invalid(`Request payload size exceeds the limit: ${LONGEST_BODY} bytes.`));
    });
    request.on("error", reject);
  });
}

/** Parses a body that should be a JSON object; an empty one is an empty object. */
export function parseBody(body: string): Readonly<Record<string, Json>> {
  let json: Json;
  try {
    json = body.trim() === "" ? {} : JSON.parse(body);
  } catch {
    throw invalid("Invalid JSON payload received. Unexpected token.");
  }
  if (!isObject(json)) throw invalid('Invalid JSON payload received. Unknown name "": Root element must be a message.');
  return json;
}

/** Puts a request together from its path, its parameters and its body. */
function readRequest(
  { rule, variables }: RuleMatch,
  type: MessageType,
  parameters: URLSearchParams,
  body: string,
): object {
  const json: Record<string, Json> = {};
  if (rule.body === "*") Object.assign(json, parseBody(body));
  else if (rule.body !== "") json[rule.body] = parseBody(body);
  for (const [path, value] of variables) place(json, path, value);
  for (const name of new Set(parameters.keys())) {
    if (SYSTEM_PARAMETERS.test(name)) continue;
    place(json, name, parameterOf(type, name, parameters.getAll(name)));
  }
  return readMessage(type, json);
}

/** The value of a parameter: a list where the field is one. Text is read as what the field holds later on. */
function parameterOf(type: MessageType, name: string, values: readonly string[]): Json {
  let current: MessageType | undefined = type;
  let isList = false;
  for (const part of name.split(".")) {
    const field: Field | undefined = current === undefined ? undefined : fieldOf(current, part);
    if (field === undefined)
      throw invalid(
        `Invalid JSON payload received. Unknown name "${name}": Cannot bind query parameter. Field '${name}' could not be found in request message.`,
      );
    isList = field.repeated;
    const resolvedType: FieldType | null = field.resolvedType;
    current = resolvedType === null || isEnum(resolvedType) ? undefined : resolvedType;
  }
  return isList ? values : (values.at(-1) ?? "");
}

/** Sets a value at a path of fields, `topic.name`, whichever way the names on it are spelt. */
function place(json: Record<string, Json>, path: string, value: Json): void {
  const names = path.split(".");
  const last = names.pop() ?? path;
  let target = json;
  for (const name of names) {
    const held = target[toCamelCase(name)] ?? target[name];
    const inner: Record<string, Json> = isObject(held) ? { ...held } : {};
    delete target[name];
    target[toCamelCase(name)] = inner;
    target = inner;
  }
  delete target[last];
  target[toCamelCase(last)] = value;
}
