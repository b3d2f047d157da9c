import { globSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createIdentity } from "../../src/engine/identity.ts";
import { oidc } from "../../src/push/oidc.ts";
import {
  type AdapterSubject,
  type Answer,
  answerTo,
  begin,
  createService,
  credentials,
  listen,
  type Mount,
  recorded,
  type Sent,
  send,
} from "./adapter-subject.ts";

function answer(status: number, headers: Partial<Answer> = {}): Answer {
  return { status, allow: undefined, retryAfter: undefined, body: "", ...headers };
}

/** What a recording is answered with and which run it starts. `path` mounts that one route instead of all. */
interface Expectation {
  readonly path?: string;
  readonly answer: Answer;
  readonly ran?: object;
}

const taskId = "3b241101-e2bb-4255-8caf-4136c566a962";
const welcome = { name: "sendWelcomeEmail", taskId, attempt: 1, payload: { userId: "42" } };
const tick = {
  name: "dailyReport",
  taskId: "scheduled-dev--app--reports.dailyReport-20260301T090000Z",
  attempt: 1,
  payload: {},
};

const expectations: Readonly<Record<string, Expectation>> = {
  "wrapped-minimal": { answer: answer(200), ran: { ...welcome, messageId: "2070443601311540" } },
  "wrapped-full": {
    answer: answer(200),
    ran: { ...welcome, attempt: 7, messageId: "2070443601311541", payload: { userId: "Zoë ✓" } },
  },
  "wrapped-scheduled": { answer: answer(200), ran: { ...tick, messageId: "2070443601311542" } },
  unwrapped: { answer: answer(200), ran: { ...welcome, messageId: "2070443601311543" } },
  "cloud-tasks": { answer: answer(200), ran: { ...welcome, attempt: 2, messageId: "8032934832980473" } },
  "cloud-tasks-payload": {
    path: "accounts.sendWelcomeEmail",
    answer: answer(200),
    ran: { ...welcome, taskId: "8032934832980473", messageId: "8032934832980473" },
  },
  "scheduler-empty": {
    path: "reports.dailyReport",
    answer: answer(200),
    ran: { ...tick, messageId: "daily-report-2026-03-01T09:00:00Z" },
  },
  "malformed-json": { answer: answer(400) },
  "unknown-task": { answer: answer(400) },
  "invalid-payload": { answer: answer(400) },
  "failing-task": { answer: answer(500) },
  "busy-task": { answer: answer(429, { retryAfter: "7" }) },
};

/** What every adapter does, whatever framework it stands in; a new one joins in `adapters.test.ts`. */
export function describeAdapter(name: string, { first, behindParser }: AdapterSubject): void {
  if (first !== undefined) {
    describe(`${name}, before any body parser`, () => {
      answersPushes(first, "unread");
      decidesBeforeTheBody(first);
      readsTheBody(first);
    });
  }
  if (behindParser !== undefined) {
    describe(`${name}, behind a body parser`, () => answersPushes(behindParser, "parsed"));
  }
}

function answersPushes(mount: Mount, body: "unread" | "parsed"): void {
  it("has an expectation for every recording", () => {
    const files = globSync("*.http", { cwd: join(import.meta.dirname, "fixtures") });
    expect(Object.keys(expectations).sort()).toEqual(files.map((file) => file.replace(".http", "")).sort());
  });

  it.each(Object.entries(expectations))("answers %s", async (name, { path, answer: expected, ran: run }) => {
    const { tasks, ran } = createService();
    const port = await listen(await mount(tasks, path === undefined ? {} : { route: { path } }));
    const got = await send(port, recorded(name));
    // A parser refuses what is no JSON itself, in words of its own.
    const own = body === "parsed" && name === "malformed-json" ? { body: got.body } : {};
    expect(got).toEqual({ ...expected, ...own });
    expect(ran).toEqual(run === undefined ? [] : [run]);
  });

  it.each([
    ["no credentials", {}],
    ["a foreign secret", { authorization: "Bearer another-secret" }],
  ])("refuses %s", async (_what, headers) => {
    const { tasks, ran } = createService();
    const port = await listen(await mount(tasks));
    const push = recorded("wrapped-minimal");
    expect(await send(port, { ...push, headers: { ...push.headers, authorization: "", ...headers } })).toEqual(
      answer(403),
    );
    expect(ran).toEqual([]);
  });

  it("lets in who carries a token of the push service account, and nobody else", async () => {
    const identity = await createIdentity({ email: "push@example.iam.gserviceaccount.com" });
    const audience = "https://service.example/tasks/pubsub";
    const { tasks, ran } = createService({
      auth: oidc({ audience, serviceAccounts: [identity.email], keys: identity }),
    });
    const port = await listen(await mount(tasks));
    const push = recorded("wrapped-minimal");
    const present = (forAudience: string): Promise<Answer> => {
      const token = identity.token({ audience: forAudience, issuedAt: new Date() });
      return send(port, { ...push, headers: { ...push.headers, authorization: `Bearer ${token}` } });
    };
    expect(await present("https://other.example/")).toEqual(answer(403));
    expect(ran).toHaveLength(0);
    expect(await present(audience)).toEqual(answer(200));
    expect(await present(audience)).toEqual(answer(200));
    expect(ran).toHaveLength(2);
  });

  it.each(["GET", "HEAD", "PUT", "DELETE"])("refuses %s", async (method) => {
    const { tasks } = createService();
    const port = await listen(await mount(tasks));
    expect(await send(port, { method, headers: credentials })).toEqual(answer(405, { allow: "POST" }));
  });

  it("takes a body of just the limit, and refuses a longer one", async () => {
    const { tasks, ran } = createService();
    const push = recorded("wrapped-minimal");
    const port = await listen(await mount(tasks, { bodyLimit: Buffer.byteLength(push.body) }));
    expect(await send(port, push)).toEqual(answer(200));
    expect(await send(port, { ...push, body: `${push.body} ` })).toEqual(answer(413));
    expect(ran).toHaveLength(1);
  });

  it("answers many at once", async () => {
    const { tasks, ran } = createService();
    const port = await listen(await mount(tasks, { route: { path: "accounts.sendWelcomeEmail" } }));
    const push = recorded("cloud-tasks-payload");
    const users = Array.from({ length: 20 }, (_, index) => String(index));
    const answers = users.map((userId) => send(port, { ...push, body: JSON.stringify({ userId }) }));
    expect(await Promise.all(answers)).toEqual(users.map(() => answer(200)));
    expect(ran.map((run) => (run as { payload: { userId: string } }).payload.userId).sort()).toEqual(users.sort());
  });

  it("keeps the connection, whatever it answers", async () => {
    const { tasks } = createService();
    const push = recorded("wrapped-minimal");
    const port = await listen(await mount(tasks, { bodyLimit: 2000 }));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const ports = new Set<number | undefined>();
    agent.on("free", (socket) => ports.add(socket.localPort));
    const pushes: readonly (readonly [Sent, number])[] = [
      [push, 200],
      [recorded("unknown-task"), 400],
      [{ ...push, headers: { ...push.headers, authorization: "" } }, 403],
      [{ ...push, method: "PUT" }, 405],
      [{ ...push, body: push.body.padEnd(5000) }, 413],
      [recorded("busy-task"), 429],
      [recorded("failing-task"), 500],
      [push, 200],
    ];
    for (const [sent, status] of pushes) expect((await send(port, sent, agent)).status).toBe(status);
    expect(ports.size).toBe(1);
  });
}

/** With the body held back: nothing but the headers can have decided. */
function decidesBeforeTheBody(mount: Mount): void {
  const length = { "content-length": "1000" };

  it.each([
    ["who is not let in", { headers: length }, {}, answer(403)],
    ["a wrong method", { method: "PUT", headers: { ...length, ...credentials } }, {}, answer(405, { allow: "POST" })],
    [
      "a push that comes while the service is not ready",
      { headers: { ...length, ...credentials } },
      { ready: () => false },
      answer(429, { retryAfter: "10" }),
    ],
    ["a body announced as over the limit", { headers: { ...credentials, "content-length": "2001" } }, {}, answer(413)],
  ])("sends away %s without waiting for the body", async (_what, sent, options, expected) => {
    const { tasks } = createService(options);
    const port = await listen(await mount(tasks, { bodyLimit: 2000 }));
    expect(await answerTo(begin(port, sent))).toEqual(expected);
  });
}

function readsTheBody(mount: Mount): void {
  it("takes a body beyond the limit of any framework", async () => {
    const { tasks, ran } = createService();
    const port = await listen(await mount(tasks, { route: { path: "accounts.sendWelcomeEmail" } }));
    const payload = { userId: "é".repeat(1_500_000) };
    const push = { ...recorded("cloud-tasks-payload"), body: JSON.stringify(payload) };
    expect(await send(port, push)).toEqual(answer(200));
    expect(ran).toEqual([expect.objectContaining({ payload })]);
  });

  it("puts a body together that comes in pieces, without a length", async () => {
    const { tasks, ran } = createService();
    const port = await listen(await mount(tasks));
    const { body, ...push } = recorded("wrapped-full");
    const outgoing = begin(port, { ...push, headers: { ...push.headers, "transfer-encoding": "chunked" } });
    // Byte by byte around the label's ë, which is two of them.
    for (const byte of Buffer.from(body)) outgoing.write(Uint8Array.of(byte));
    outgoing.end();
    expect(await answerTo(outgoing)).toEqual(answer(200));
    expect(ran).toEqual([expectations["wrapped-full"]?.ran]);
  });

  it("refuses a body over the limit that did not announce its length, before its end", async () => {
    const { tasks, ran } = createService();
    const port = await listen(await mount(tasks, { bodyLimit: 2000 }));
    const { headers } = recorded("wrapped-minimal");
    const outgoing = begin(port, { headers: { ...headers, "transfer-encoding": "chunked" } });
    for (let piece = 0; piece < 20; piece++) outgoing.write(" ".repeat(1000));
    expect(await answerTo(outgoing)).toEqual(answer(413));
    expect(ran).toEqual([]);
  });

  it("survives a client that hangs up in the middle of its body, and acknowledges nothing", async () => {
    const reading = Promise.withResolvers<void>();
    const { tasks, ran, complained } = createService({
      ready: () => {
        reading.resolve();
        return true;
      },
    });
    const port = await listen(await mount(tasks));
    const push = recorded("wrapped-minimal");
    const outgoing = begin(port, { ...push, headers: { ...push.headers, "content-length": "5000" } });
    outgoing.write(push.body);
    await reading.promise;
    outgoing.destroy();
    await complained;
    expect(ran).toEqual([]);
    expect(await send(port, push)).toEqual(answer(200));
    expect(ran).toHaveLength(1);
  });
}
