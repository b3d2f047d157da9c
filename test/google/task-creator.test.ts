import { afterEach, describe, expect, it } from "vitest";
import { resolveConfig } from "../../src/core/config.ts";
import { GoogleClients } from "../../src/google/clients.ts";
import type { GRPC } from "../../src/google/status.ts";
import { type CreatorSettings, type NewTask, TaskCreator } from "../../src/google/task-creator.ts";
import { WatchedClock } from "../backends/watched-clock.ts";
import { QueueServer } from "./queue-server.ts";

const QUEUE = "projects/p/locations/europe-west2/queues/q";
const ACCOUNT = "push@p.iam.gserviceaccount.com";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function open(settings: Partial<CreatorSettings> = {}) {
  const server = await QueueServer.open();
  const clients = new GoogleClients(resolveConfig({ GCP_PROJECT_ID: "p", TASKS_EMULATOR_HOST: server.host }));
  const clock = new WatchedClock();
  // Pauses are as long as they can be, so that tests can wait for them by their length.
  const scope = { clock, clients, account: ACCOUNT, random: () => 1 };
  const creator = new TaskCreator(scope, { timeout: 10_000, maxInFlight: 100, ...settings });
  closing.push(
    () => clients.close(),
    () => server.close(),
  );
  return { server, clients, clock, creator };
}

function task(overrides: Partial<NewTask> = {}): NewTask {
  const request = {
    url: "https://shop.example/tasks",
    httpMethod: "POST",
    headers: {},
    body: Buffer.from("{}"),
  } as const;
  return { queue: QUEUE, id: "name-1", httpRequest: request, runAt: undefined, dispatchDeadline: 300, ...overrides };
}

/** The error with which a create is refused. */
async function refusal(created: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> {
  return created.then(
    () => expect.unreachable("expected a refusal"),
    (error) => error,
  );
}

describe("a create", () => {
  it("sends what the task is, once, and resolves when it is accepted", async () => {
    const { server, creator } = await open();
    const runAt = Date.parse("2026-03-01T12:00:00.250Z");
    expect(await creator.create(task({ runAt }))).toEqual({ existed: false, tries: 1 });
    expect(server.calls).toMatchObject([
      {
        parent: QUEUE,
        task: {
          name: `${QUEUE}/tasks/name-1`,
          httpRequest: { url: "https://shop.example/tasks" },
          dispatchDeadline: { seconds: expect.anything() },
        },
      },
    ]);
    const { scheduleTime, dispatchDeadline } = server.calls[0]?.task ?? {};
    expect([Number(scheduleTime?.seconds), scheduleTime?.nanos]).toEqual([Math.floor(runAt / 1000), 250_000_000]);
    expect(Number(dispatchDeadline?.seconds)).toBe(300);
  });

  it("is due at once, and without a name, where none is given", async () => {
    const { server, creator } = await open();
    await creator.create(task({ id: undefined }));
    expect(server.calls[0]?.task).toMatchObject({ name: "", scheduleTime: null });
  });

  it("is never early, whatever fraction of a millisecond its moment has", async () => {
    const { server, creator } = await open();
    await creator.create(task({ runAt: 1999.999_999_9 }));
    const { scheduleTime } = server.calls[0]?.task ?? {};
    expect([Number(scheduleTime?.seconds), scheduleTime?.nanos]).toEqual([2, 0]);
  });

  it("tells that the task was there", async () => {
    const { server, creator } = await open();
    server.script = (call) => call.refuse("ALREADY_EXISTS", "Requested entity already exists");
    expect(await creator.create(task())).toEqual({ existed: true, tries: 1 });
  });
});

describe("what may pass by itself", () => {
  const transient: readonly (keyof typeof GRPC)[] = [
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "ABORTED",
    "INTERNAL",
    "RESOURCE_EXHAUSTED",
  ];

  it.each(transient)("is tried again under the same name: %s", async (code) => {
    const { server, creator, clock } = await open();
    server.script = (call, index) => (index < 2 ? call.refuse(code, "later") : call.accept());
    const created = creator.create(task());
    for (const pause of [0.1, 0.2]) await clock.elapse(pause);
    expect(await created).toEqual({ existed: false, tries: 3 });
    expect(new Set(server.calls.map(({ task: { name } }) => name))).toEqual(new Set([`${QUEUE}/tasks/name-1`]));
  });

  it("is one task though an earlier try of ours has created it unheard", async () => {
    const { server, creator, clock } = await open();
    server.script = (call, index) => call.refuse(index === 0 ? "UNAVAILABLE" : "ALREADY_EXISTS", "so it is");
    const created = creator.create(task());
    await clock.elapse(0.1);
    expect(await created).toEqual({ existed: true, tries: 2 });
  });

  it("is given up when the time is over, with what was said last", async () => {
    const { server, creator, clock } = await open({ timeout: 1000 });
    server.script = (call) => call.refuse("UNAVAILABLE", "the zone is down");
    const refused = refusal(creator.create(task()));
    for (const pause of [0.1, 0.2, 0.4]) await clock.elapse(pause);
    expect(await refused).toMatchObject({
      code: "NOT_ACCEPTED",
      message: expect.stringContaining(`create a task in ${QUEUE}: expected it to be done, got UNAVAILABLE`),
    });
    expect(server.calls).toHaveLength(4);
  });

  it("is not tried again without a name, unless it was certainly refused", async () => {
    const { server, creator, clock } = await open();
    for (const code of transient.filter((name) => name !== "RESOURCE_EXHAUSTED")) {
      server.calls.length = 0;
      server.script = (call) => call.refuse(code, "maybe done");
      expect(await refusal(creator.create(task({ id: undefined })))).toMatchObject({ code: "NOT_ACCEPTED" });
      expect(server.calls).toHaveLength(1);
    }
    server.script = (call, index) => (index === 1 ? call.refuse("RESOURCE_EXHAUSTED", "quota") : call.accept());
    const created = creator.create(task({ id: undefined }));
    await clock.elapse(0.1);
    expect(await created).toEqual({ existed: false, tries: 2 });
  });

  it("leaves time for another try after one that hangs", async () => {
    const { server, creator } = await open({ timeout: 10_000 });
    const before = Date.now();
    await creator.create(task());
    const { deadline = 0 } = server.calls[0] ?? {};
    expect(deadline - before).toBeGreaterThan(0);
    expect(deadline - before).toBeLessThan(10_000);
  });
});

describe("a refusal says what to do", () => {
  const table: readonly [what: string, code: keyof typeof GRPC, details: string, ours: string, texts: string[]][] = [
    [
      "a queue that is not there",
      "NOT_FOUND",
      "Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.",
      "NOT_PROVISIONED",
      [QUEUE, "wait at least a minute", "run taskroute apply"],
    ],
    [
      "no right to enqueue",
      "PERMISSION_DENIED",
      'The principal lacks IAM permission "cloudtasks.tasks.create"',
      "NOT_PERMITTED",
      [
        `expected roles/cloudtasks.enqueuer on ${QUEUE}`,
        "gcloud tasks queues add-iam-policy-binding q --location=europe-west2 --project=p",
        "--role=roles/cloudtasks.enqueuer",
      ],
    ],
    [
      "no right to act as the push account",
      "PERMISSION_DENIED",
      'The principal lacks IAM permission "iam.serviceAccounts.actAs" for the resource',
      "NOT_PERMITTED",
      [`gcloud iam service-accounts add-iam-policy-binding ${ACCOUNT}`, "--role=roles/iam.serviceAccountUser"],
    ],
    [
      "a wrong region",
      "INVALID_ARGUMENT",
      "Location 'europe-west2' is not a valid location. Use ListLocations to list valid locations.",
      "INVALID_CONFIG",
      ["expected a region that has the service, got europe-west2", "set TASKS_QUEUE_LOCATION"],
    ],
    ["no credentials", "UNAUTHENTICATED", "no token", "NO_CREDENTIALS", ["gcloud auth application-default login"]],
    [
      "a wrong request",
      "INVALID_ARGUMENT",
      "Task.dispatchDeadline must be between",
      "NOT_ACCEPTED",
      ["INVALID_ARGUMENT"],
    ],
  ];

  it.each(table)("%s", async (_what, code, details, ours, texts) => {
    const { server, creator } = await open();
    server.script = (call) => call.refuse(code, details);
    const error = await refusal(creator.create(task()));
    expect(error.code).toBe(ours);
    for (const text of texts) expect(error.message).toContain(text);
    expect(server.calls).toHaveLength(1);
  });

  it("a quota that stays used up", async () => {
    const { server, creator, clock } = await open({ timeout: 1000 });
    server.script = (call) => call.refuse("RESOURCE_EXHAUSTED", "Quota exceeded");
    const refused = refusal(creator.create(task()));
    for (const pause of [0.1, 0.2, 0.4]) await clock.elapse(pause);
    expect(await refused).toMatchObject({ code: "QUOTA_EXHAUSTED" });
  });

  it("a package that is not installed", async () => {
    const missing = Object.assign(new Error("not installed"), { name: "TasksError", code: "MISSING_PACKAGE" });
    const { creator } = await open();
    const scope = { clock: new WatchedClock(), clients: { tasks: () => Promise.reject(missing) }, account: undefined };
    const other = new TaskCreator(scope, { timeout: 1000, maxInFlight: 1 });
    expect(await refusal(other.create(task()))).toBe(missing);
    await creator.settled();
  });

  it("a client that does not come about", async () => {
    const clock = new WatchedClock();
    const clients = { tasks: () => new Promise<never>(() => {}) };
    const creator = new TaskCreator({ clock, clients, account: undefined }, { timeout: 3000, maxInFlight: 1 });
    const refused = refusal(creator.create(task()));
    await clock.elapse(3);
    expect(await refused).toMatchObject({
      code: "NOT_ACCEPTED",
      message: `create a task in ${QUEUE}: expected a connection within 3 s, got none; try again`,
    });
  });
});

describe("creates", () => {
  it("are so many at once, and the others wait in order", async () => {
    const { server, creator } = await open({ maxInFlight: 2 });
    server.script = () => {};
    const created = [1, 2, 3, 4].map((number) => creator.create(task({ id: `name-${number}` })));
    await server.arrived(2);
    for (let count = 0; count < 4; count++) {
      expect(server.calls.length).toBeLessThanOrEqual(count + 2);
      await server.arrived(count + 1);
      server.calls[count]?.accept();
    }
    await Promise.all(created);
    expect(server.calls.map(({ task: { name } }) => name?.at(-1))).toEqual(["1", "2", "3", "4"]);
  });

  it("that have waited for their turn while nothing was taken are given up in time as well, unsent", async () => {
    const { server, creator, clock } = await open({ maxInFlight: 1 });
    server.script = () => {};
    const refused = [1, 2, 3].map((number) => refusal(creator.create(task({ id: `name-${number}` }))));
    await server.arrived(1);
    await clock.advance(10_000);
    server.calls[0]?.refuse("INVALID_ARGUMENT", "no");
    expect((await Promise.all(refused)).map(({ message }) => message).slice(1)).toEqual(
      Array(2).fill(
        `create a task in ${QUEUE}: expected a place among those that are created at once within 10 s, got none; try again`,
      ),
    );
    expect(server.calls).toHaveLength(1);
  });

  it("wait for their turn as long as others are taken", async () => {
    const { server, creator, clock } = await open({ maxInFlight: 1 });
    server.script = () => {};
    const created = [1, 2, 3].map((number) => creator.create(task({ id: `name-${number}` })));
    for (let count = 0; count < 3; count++) {
      await server.arrived(count + 1);
      await clock.advance(9000);
      server.calls[count]?.accept();
    }
    expect(await Promise.all(created)).toEqual(Array(3).fill({ existed: false, tries: 1 }));
  });

  it("are waited for until each has settled", async () => {
    const { server, creator } = await open({ maxInFlight: 1 });
    server.script = () => {};
    const created = Promise.allSettled([creator.create(task()), creator.create(task())]);
    const settled: string[] = [];
    const waited = creator.settled().then(() => settled.push("all"));
    await server.arrived(1);
    server.calls[0]?.refuse("INVALID_ARGUMENT", "no");
    await server.arrived(2);
    expect(settled).toEqual([]);
    server.calls[1]?.accept();
    await waited;
    expect((await created).map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  });

  it("find a connection that was made ahead", async () => {
    const { server, creator } = await open();
    await creator.warm(5000);
    expect(server.calls).toEqual([]);
    await creator.create(task());
  });
});
