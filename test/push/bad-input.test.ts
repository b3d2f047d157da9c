import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import type { BodyContent } from "../../src/push/body.ts";
import { createPushHandler } from "../../src/push/handle.ts";
import { claims, google, inSeconds, serveGoogle } from "../support/google.ts";
import { envelope, FakeRequest, type Push, type PushHeaders, wrapped } from "../support/push.ts";
import { createScene } from "../support/scene.ts";
import { createSigner, hmacToken, unsigned } from "../support/signer.ts";

serveGoogle();

/** Stands in every payload and every token below; no log line may ever hold it. */
const MARKER = "marker-4f1c";
const MB = 1024 * 1024;

const stranger = createSigner(google.keyId);
const payload = z.looseObject({ id: z.string(), n: z.number().optional() });
const good = { id: MARKER };

/** A production service on Cloud Run, with one task. */
function service() {
  const scene = createScene({
    env: {
      K_SERVICE: "service",
      TASKS_NAMESPACE: "shop",
      CLOUD_RUN_SERVICE_URL: "https://service.example",
      TASKS_SERVICE_ACCOUNT: "push@project.iam.gserviceaccount.com",
    },
  });
  const run = vi.fn();
  const route = new TaskRoute({ path: "accounts.mail", payload, run });
  return { ...scene, run, handler: createPushHandler(createTasks({ ...scene.options, routes: [route] })) };
}

const token = (overrides: object = {}): string => google.token(claims({ marker: MARKER, ...overrides }));
const bearer = (value: string): PushHeaders => ({ authorization: `Bearer ${value}` });
const envelopeOf = (overrides: object = {}): object => envelope("mail", good, overrides);
const json = (value: unknown): string => JSON.stringify(value);
/** A push of data that is JSON text already, for what `JSON.stringify` would never write. */
const pushOf = (kwargs: string): string => json(wrapped(`{"task_id":"1","task_name":"mail","kwargs":${kwargs}}`));

/** The forms in which adapters hand the same body over: bytes, text, and what a framework's parser made of it. */
function forms(body: string | Uint8Array): readonly [form: string, body: BodyContent][] {
  if (typeof body !== "string") return [["bytes", body]];
  const both: [string, BodyContent][] = [
    ["bytes", Buffer.from(body)],
    ["text", body],
  ];
  try {
    return [...both, ["parsed", JSON.parse(body) as object]];
  } catch {
    return both;
  }
}

/** A push must be answered so, and afterwards the service must be as it was. */
async function expectAnswer(push: Push, status: number, lines: number): Promise<{ reads: number }> {
  const { handler, run, lines: log, ...scene } = service();
  const request = new FakeRequest(push);
  const answer = await handler.handle(request);
  expect(Object.keys(answer)).toEqual(["status", "headers"]);
  expect(answer.status).toBe(status);
  expect(run).toHaveBeenCalledTimes(status === 200 ? 1 : 0);
  expect(log).toHaveLength(lines);
  for (const line of log) {
    expect(line.message).toMatch(/^(a push was (refused|rejected|not let in)|a delivery was rejected)$/);
    expect(Object.keys(line.fields)).not.toEqual([]);
    const secrets = [MARKER, ...(push.headers?.authorization ?? "").split(/[ .]/).filter((part) => part.length > 16)];
    for (const secret of secrets) expect(json(line)).not.toContain(secret);
  }
  expect(scene.letters).toEqual([]);
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect({}).not.toHaveProperty("admin");
  const next = new FakeRequest({ headers: bearer(token()), body: json(wrapped(envelopeOf())) });
  expect((await handler.handle(next)).status).toBe(200);
  return request;
}

describe("a body that is no message of ours is answered with 400", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const cases: readonly [what: string, body: string | Uint8Array][] = [
    ["nothing", ""],
    ["white space", " \n\t "],
    ["malformed JSON", `{"message":{"data":"${MARKER}`],
    ["JSON with NaN", pushOf(`{"id":"${MARKER}","n":NaN}`)],
    ["an integer beyond 2^53", pushOf(`{"id":"${MARKER}","n":9007199254740993}`)],
    ["an integer beyond 2^53, unwrapped", `{"task_id":"1","task_name":"mail","kwargs":{"n":9007199254740993}}`],
    ["a number beyond all numbers", pushOf(`{"id":"${MARKER}","n":1e400}`)],
    ["JSON after a byte order mark", `\ufeff${json(wrapped(envelopeOf()))}`],
    ["JSON null", "null"],
    ["a JSON number", "5"],
    ["a JSON text", json(MARKER)],
    ["a JSON list", json([envelopeOf()])],
    ["an empty object", "{}"],
    ["a form", `id=${MARKER}&message=1`],
    ["invalid UTF-8", Buffer.concat([Buffer.from(`{"x":"${MARKER}`), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])],
    ["a lone surrogate in UTF-8", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ["a message that is no object", json({ message: MARKER })],
    ["no message id", json(wrapped(envelopeOf(), { messageId: undefined, message_id: undefined }))],
    ["a message id that is no text", json(wrapped(envelopeOf(), { messageId: 5 }))],
    ["missing data", json(wrapped("", { data: undefined }))],
    ["empty data", json(wrapped(""))],
    ["data null", json(wrapped("", { data: null }))],
    ["data that is a number", json(wrapped("", { data: 12345 }))],
    ["data that is an object", json(wrapped("", { data: envelopeOf() }))],
    ["data that is no base64", json(wrapped("", { data: `{"marker":"${MARKER}"}` }))],
    ["data in base64 with one character more", json(wrapped("", { data: `${btoa(json(envelopeOf()))}*` }))],
    ["data in base64 cut short", json(wrapped("", { data: btoa(json(envelopeOf())).slice(0, -6) }))],
    ["data that is no JSON", json(wrapped(MARKER))],
    ["data after a byte order mark", json(wrapped(`\ufeff${json(envelopeOf())}`))],
    ["data in invalid UTF-8", json(wrapped(Buffer.from([0x7b, 0xff, 0x7d])))],
    ["data that is a JSON text", json(wrapped(json(MARKER)))],
    ["data that is a list", json(wrapped([envelopeOf()]))],
    ["attributes that are no object", json(wrapped(envelopeOf(), { attributes: [MARKER] }))],
    ["an attribute that is no text", json(wrapped(envelopeOf(), { attributes: { marker: { MARKER } } }))],
    ["a missing task_id", json(wrapped(envelopeOf({ task_id: undefined })))],
    ["an empty task_id", json(wrapped(envelopeOf({ task_id: "" })))],
    ["a task_id of 501 characters", json(wrapped(envelopeOf({ task_id: MARKER.padEnd(501, "x") })))],
    ["a task_id that is no text", json(wrapped(envelopeOf({ task_id: 5 })))],
    ["a missing task_name", json(wrapped(envelopeOf({ task_name: undefined })))],
    ["an unknown task", json(wrapped(envelopeOf({ task_name: "nobody" })))],
    ["a task called __proto__", json(wrapped(envelopeOf({ task_name: "__proto__" })))],
    ["args that are no list", json(wrapped(envelopeOf({ args: MARKER })))],
    ["args nobody has named", json(wrapped(envelopeOf({ args: [MARKER] })))],
    ["kwargs that are a list", json(wrapped(envelopeOf({ kwargs: [MARKER] })))],
    ["kwargs that are a text", json(wrapped(envelopeOf({ kwargs: MARKER })))],
    ["a time that is none", json(wrapped(envelopeOf({ enqueued_at: MARKER })))],
    ["a payload that the schema refuses", json(wrapped(envelopeOf({ kwargs: { id: 5, other: MARKER } })))],
    ["a number beyond all numbers", pushOf(`{"id":"${MARKER}","n":1e400}`)],
    ["__proto__ in the payload", pushOf(`{"id":"${MARKER}","__proto__":{"admin":true}}`)],
    ["__proto__ escaped in the payload", pushOf(`{"id":"${MARKER}","\\u005f_proto__":{"admin":true}}`)],
    ["__proto__ nested in the payload", pushOf(`{"id":"${MARKER}","a":[{"b":{"__proto__":{"admin":true}}}]}`)],
    ["__proto__ beside the payload", json(wrapped(`{"__proto__":{"admin":true},"task_id":"1","task_name":"mail"}`))],
    ["constructor.prototype in the payload", pushOf(`{"id":"${MARKER}","constructor":{"prototype":{"admin":true}}}`)],
    ["a payload 100,000 levels deep", pushOf(`{"id":"${MARKER}","deep":${deep}}`)],
    ["a body 100,000 levels deep", deep],
    ["an envelope without a wrapper, 100,000 levels deep", `{"task_id":"1","task_name":"mail","kwargs":{"a":${deep}}}`],
  ];

  it.each(cases.flatMap(([what, body]) => forms(body).map(([form, content]) => [what, form, content] as const)))(
    "%s (%s)",
    async (_what, _form, body) => {
      await expectAnswer({ headers: bearer(token()), body }, 400, 1);
    },
  );
});

describe("a body of 20 MB is answered with 413", () => {
  const text = json(wrapped(envelope("mail", { id: MARKER.padEnd(15 * MB, "x") })));

  it.each(forms(text).filter(([form]) => form !== "parsed"))("as %s", async (_form, body) => {
    expect(text.length).toBeGreaterThan(20 * MB);
    await expectAnswer({ headers: bearer(token()), body }, 413, 1);
  });
});

describe("a method other than POST is answered with 405, its body unread", () => {
  it.each(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post", "", "X".repeat(1000)])("%s", async (method) => {
    const { reads } = await expectAnswer(
      { method, headers: bearer(token()), body: json(wrapped(envelopeOf())) },
      405,
      1,
    );
    expect(reads).toBe(0);
  });
});

describe("a caller who proves nothing is answered with 403, the body unread", () => {
  const header = { alg: "none", typ: "JWT", kid: google.keyId };
  const cases: readonly [what: string, headers: () => PushHeaders][] = [
    ["no header", () => ({})],
    ["an empty header", () => ({ authorization: "" })],
    ["another scheme", () => ({ authorization: `Basic ${btoa(MARKER)}` })],
    ["a scheme without a token", () => ({ authorization: "Bearer " })],
    ["a token under another header", () => ({ "x-authorization": `Bearer ${token()}` })],
    ["two tokens", () => bearer(`${token()} ${token()}`)],
    ["no JWT", () => bearer(MARKER)],
    ["a JWT of no JSON", () => bearer(`${btoa(MARKER)}.${btoa(MARKER)}.${btoa(MARKER)}`)],
    ["a foreign signature", () => bearer(stranger.token(claims({ marker: MARKER })))],
    ["a key nobody knows", () => bearer(google.token(claims({ marker: MARKER }), { kid: "unknown" }))],
    ["alg none without a signature", () => bearer(`${unsigned(header, claims({ marker: MARKER }))}.`)],
    ["alg none with a signature", () => bearer(`${unsigned(header, claims({ marker: MARKER }))}.${MARKER}`)],
    ["HS256 by the public key", () => bearer(hmacToken(google.keyId, claims({ marker: MARKER }), google.certificate))],
    ["a signature over another algorithm", () => bearer(google.token(claims({ marker: MARKER }), { alg: "RS512" }))],
    ["an expired token", () => bearer(token({ iat: inSeconds(-7200), exp: inSeconds(-3600) }))],
    ["a token of tomorrow", () => bearer(token({ iat: inSeconds(86_400), exp: inSeconds(90_000) }))],
    ["a token without expiry", () => bearer(token({ exp: undefined }))],
    ["another service's audience", () => bearer(token({ aud: "https://other.example" }))],
    ["a list of audiences with ours", () => bearer(token({ aud: ["https://service.example"] }))],
    ["another issuer", () => bearer(token({ iss: "https://accounts.example" }))],
    ["another account", () => bearer(token({ email: "someone@other.iam.gserviceaccount.com" }))],
    ["no account", () => bearer(token({ email: undefined }))],
    ["an account that is not verified", () => bearer(token({ email_verified: false }))],
    ["a huge token", () => bearer(token({ huge: "x".repeat(MB) }))],
    ["a huge header", () => ({ authorization: MARKER.padEnd(10 * MB, "x") })],
  ];

  it.each(cases)("%s", async (_what, headers) => {
    const { reads } = await expectAnswer({ headers: headers(), body: json(wrapped(envelopeOf())) }, 403, 1);
    expect(reads).toBe(0);
  });
});

describe("what is only odd is taken", () => {
  const odd: readonly [what: string, body: string, headers?: PushHeaders][] = [
    [
      "data in the alphabet of base64url",
      json(
        wrapped("", {
          data: btoa(json(envelopeOf({ odd: "??>>" })))
            .replace(/\+/g, "-")
            .replace(/\//g, "_"),
        }),
      ),
    ],
    ["data in base64 without padding", json(wrapped("", { data: btoa(json(envelopeOf())).replace(/=+$/, "") }))],
    ["a lone surrogate, escaped", pushOf(`{"id":"${MARKER}\\ud800"}`)],
    [
      "an integer beyond 2^53 that nobody reads",
      json(wrapped(`{"task_id":"1","task_name":"mail","kwargs":{"id":"${MARKER}"},"n":9007199254740993}`)),
    ],
    [
      "deep nesting outside the data",
      json(wrapped(envelopeOf(), {}, { deep: JSON.parse("[".repeat(1000) + "]".repeat(1000)) })),
    ],
    ["a negative deliveryAttempt", json(wrapped(envelopeOf(), {}, { deliveryAttempt: -3 }))],
    ["a deliveryAttempt that is a text", json(wrapped(envelopeOf(), {}, { deliveryAttempt: "NaN" }))],
    ["a deliveryAttempt beyond all numbers", json(wrapped(envelopeOf())).replace(/}$/, ',"deliveryAttempt":1e400}')],
    [
      "carried attempts that are no number",
      json(wrapped(envelopeOf(), { attributes: { "taskroute-carried-attempts": MARKER } })),
    ],
    ["a publish time that is none", json(wrapped(envelopeOf(), { publishTime: MARKER, publish_time: MARKER }))],
    [
      "an attribute called __proto__",
      json(wrapped(envelopeOf())).replace('"data"', '"attributes":{"__proto__":"x"},"data"'),
    ],
    ["an envelope without a wrapper", json(envelopeOf())],
    [
      "retries of Cloud Tasks that are no number",
      json(envelopeOf()),
      { "x-cloudtasks-taskname": "1", "x-cloudtasks-taskretrycount": "NaN" },
    ],
  ];

  it.each(
    odd.flatMap(([what, body, headers]) =>
      forms(body).map(([form, content]) => [what, form, content, headers] as const),
    ),
  )("%s (%s)", async (_what, _form, body, headers) => {
    await expectAnswer({ headers: { ...headers, ...bearer(token()) }, body }, 200, 0);
  });
});
