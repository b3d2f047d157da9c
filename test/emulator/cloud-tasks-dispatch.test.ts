import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cloudTasksDelay } from "../../src/core/backoff.ts";
import { cloudTasksService } from "../../src/emulator/cloud-tasks.ts";
import { ServiceScene } from "./service-scene.ts";
import { eventually, Worker } from "./worker.ts";

const parent = "projects/demo/locations/europe-west1";
const name = `${parent}/queues/mail`;
const task = `${name}/tasks/welcome-42`;
const DAY = 86_400;

let scene: ServiceScene;
let worker: Worker;

beforeEach(async () => {
  scene = await ServiceScene.open(cloudTasksService);
  worker = await Worker.open();
});

afterEach(async () => {
  await scene.close();
  await worker.close();
});

const makeQueue = (queue: object = {}) => scene.call("CreateQueue", { parent, queue: { name, ...queue } });

function makeTask(fields: object = {}, request: object = {}) {
  return scene.call("CreateTask", {
    parent: name,
    task: { name: task, httpRequest: { url: `${worker.url}/work`, ...request }, ...fields },
  });
}

/** Lets a number of requests arrive, and their answers be taken up, without time moving. */
async function arrivals(count: number): Promise<void> {
  await eventually(() => worker.arrived.length >= count && scene.engine.inFlight === 0, `${count} requests`);
}

/** Nothing has been dispatched but what has arrived: a dispatch begins within the turn that it falls due in. */
function expectNoDispatch(arrived: number): void {
  expect([scene.engine.inFlight, worker.arrived.length]).toEqual([0, arrived]);
}

/** Seconds between the arrivals of a task that is retried, found by moving time to each moment that it is scheduled for. */
async function waits(attempts: number): Promise<number[]> {
  const moments: number[] = [];
  for (let count = 1; count <= attempts; count++) {
    if (count > 1) {
      const { scheduleTime } = await scene.call("GetTask", { name: task });
      const due = toMs(scheduleTime);
      await scene.clock.advanceTo(new Date(due - 1));
      expectNoDispatch(count - 1);
      await scene.clock.advanceTo(new Date(due));
    } else await scene.pass(0);
    moments.push(scene.clock.now());
    await arrivals(count);
  }
  return moments.slice(1).map((moment, index) => (moment - (moments[index] ?? 0)) / 1000);
}

function toMs(time: unknown): number {
  const { seconds, nanos } = time as { seconds: number; nanos: number };
  return seconds * 1000 + nanos / 1e6;
}

describe("the dispatch of a task", () => {
  it("sends its method, body and headers, and adds what Cloud Tasks adds, no Content-Type among it", async () => {
    await makeQueue();
    const headers = { "X-Mixed-Case": "kept", "User-Agent": "mine", Host: "elsewhere", "X-Google-Secret": "no" };
    await makeTask({}, { httpMethod: "PUT", headers, body: Buffer.from("hello") });
    await scene.pass(0);
    await arrivals(1);
    const [request] = worker.arrived;
    expect(request).toMatchObject({ method: "PUT", path: "/work", body: "hello" });
    expect(request?.headers).toMatchObject({
      "x-mixed-case": "kept",
      "user-agent": "Google-Cloud-Tasks",
      host: new URL(worker.url).host,
      "x-cloudtasks-queuename": "mail",
      "x-cloudtasks-taskname": "welcome-42",
      "x-cloudtasks-taskretrycount": "0",
      "x-cloudtasks-taskexecutioncount": "0",
      "x-cloudtasks-tasketa": String(scene.clock.now() / 1000),
    });
    expect(Object.keys(request?.headers ?? {})).not.toContain("content-type");
    expect(Object.keys(request?.headers ?? {})).not.toContain("x-google-secret");
    expect(Object.keys(request?.headers ?? {})).not.toContain("x-cloudtasks-taskpreviousresponse");
    expect(request?.rawHeaders).toEqual(expect.arrayContaining(["X-Mixed-Case", "X-CloudTasks-TaskName"]));
  });

  it("tells on retries what came before: all attempts, and those alone that were answered by other than 5xx", async () => {
    await makeQueue({ retryConfig: { minBackoff: { seconds: 1 }, maxBackoff: { seconds: 1 } } });
    worker.reply = (index) => [500, 404, 429, 200][index] ?? 200;
    await makeTask();
    await scene.pass(0);
    for (const count of [1, 2, 3, 4]) {
      await arrivals(count);
      await scene.pass(1);
    }
    const told = worker.arrived.map(({ headers }) =>
      ["taskretrycount", "taskexecutioncount", "taskpreviousresponse", "taskretryreason"].map(
        (header) => headers[`x-cloudtasks-${header}`],
      ),
    );
    expect(told).toEqual([
      ["0", "0", undefined, undefined],
      ["1", "0", "500", ""],
      ["2", "1", "404", ""],
      ["3", "2", "429", ""],
    ]);
    expect(await scene.failure("GetTask", { name: task })).toMatch(/^5 The task no longer exists/);
  });

  it.each([200, 204, 299])("ends with %i", async (status) => {
    await makeQueue();
    worker.reply = () => status;
    await makeTask();
    await scene.pass(0);
    await arrivals(1);
    expect(await scene.call("ListTasks", { parent: name })).toEqual({ tasks: [], nextPageToken: "" });
  });

  it.each([300, 400, 403, 404, 409, 500])("is retried after %i", async (status) => {
    await makeQueue();
    worker.reply = () => status;
    await makeTask();
    await scene.pass(0);
    await arrivals(1);
    expect(await scene.call("GetTask", { name: task })).toMatchObject({ dispatchCount: 1, responseCount: 1 });
  });

  it("follows a redirect, within one attempt", async () => {
    await makeQueue();
    worker.reply = (index) => (index === 0 ? (to) => to.writeHead(307, { location: "/there" }).end() : 200);
    await makeTask({}, { body: Buffer.from("hello") });
    await scene.pass(0);
    await arrivals(2);
    expect(worker.arrived.map(({ method, path, body }) => [method, path, body])).toEqual([
      ["POST", "/work", "hello"],
      ["POST", "/there", "hello"],
    ]);
    expect(await scene.failure("GetTask", { name: task })).toMatch(/^5 The task no longer exists/);
  });

  it("waits for an answer until the deadline, on the emulator's clock, and then counts as 504", async () => {
    await makeQueue({ retryConfig: { minBackoff: { seconds: 1 } } });
    worker.reply = (index) => (index === 0 ? () => {} : 200);
    await makeTask({ dispatchDeadline: { seconds: 15 } });
    await scene.pass(0);
    await eventually(() => worker.arrived.length === 1);
    await scene.pass(14.999);
    expect(await scene.call("GetTask", { name: task })).toMatchObject({ dispatchCount: 1, responseCount: 0 });
    expect(scene.engine.inFlight).toBe(1);
    await scene.pass(0.001);
    await arrivals(1);
    expect(await scene.call("GetTask", { name: task })).toMatchObject({
      responseCount: 0,
      lastAttempt: { responseStatus: { code: 4, message: "DEADLINE_EXCEEDED(4): HTTP status code 504" } },
    });
    await scene.pass(1);
    await arrivals(2);
    expect(worker.arrived[1]?.headers).toMatchObject({
      "x-cloudtasks-taskpreviousresponse": "504",
      "x-cloudtasks-taskexecutioncount": "0",
      "x-cloudtasks-taskretrycount": "1",
    });
  });

  it("is retried when nobody listens", async () => {
    await makeQueue();
    await makeTask({}, { url: "http://127.0.0.1:1/" });
    await scene.pass(0);
    await eventually(() => scene.engine.inFlight === 0);
    expect(await scene.call("GetTask", { name: task })).toMatchObject({
      dispatchCount: 1,
      responseCount: 0,
      lastAttempt: { responseStatus: { code: 14 } },
    });
  });
});

describe("the token of a dispatch", () => {
  const serviceAccountEmail = "caller@demo.iam.gserviceaccount.com";
  const claims = () => {
    const [scheme = "", token = ""] = (worker.arrived[0]?.headers.authorization ?? "").split(" ");
    expect(scheme).toBe("Bearer");
    return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
  };

  it.each<[what: string, oidc: object, audience: () => string]>([
    ["the URL of the target", {}, () => `${worker.url}/work?a=1`],
    ["what the task says", { audience: "https://api.example.com" }, () => "https://api.example.com"],
  ])(
    "is an OIDC token of its account for %s, in the place of a header of the task's own",
    async (_, oidc, audience) => {
      await makeQueue();
      const oidcToken = { serviceAccountEmail, ...oidc };
      await makeTask({}, { url: `${worker.url}/work?a=1`, oidcToken, headers: { authorization: "mine" } });
      await scene.pass(0);
      await arrivals(1);
      expect(claims()).toMatchObject({ aud: audience(), email: serviceAccountEmail, email_verified: true });
    },
  );

  it("is an opaque OAuth token where the task asks for one", async () => {
    await makeQueue();
    await makeTask({}, { oauthToken: { serviceAccountEmail } });
    await scene.pass(0);
    await arrivals(1);
    expect(worker.arrived[0]?.headers.authorization).toMatch(/^Bearer \S+$/);
  });

  it("does not travel on to another origin", async () => {
    await makeQueue();
    const other = await Worker.open();
    worker.reply = () => (to) => to.writeHead(302, { location: `${other.url}/` }).end();
    await makeTask({}, { oidcToken: { serviceAccountEmail }, body: Buffer.from("x") });
    await scene.pass(0);
    await eventually(() => other.arrived.length === 1);
    expect(other.arrived[0]).toMatchObject({ method: "GET", body: "" });
    expect(other.arrived[0]?.headers.authorization).toBeUndefined();
    await other.close();
  });
});

describe("the retries of a task", () => {
  beforeEach(() => {
    worker.reply = () => 500;
  });

  it("keep to the curve of the queue, to the millisecond", async () => {
    await makeQueue({ retryConfig: { minBackoff: { seconds: 10 }, maxBackoff: { seconds: 300 }, maxDoublings: 3 } });
    await makeTask();
    const curve = { minBackoff: 10, maxBackoff: 300, maxDoublings: 3 };
    expect(await waits(9)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((retry) => cloudTasksDelay(curve, retry)));
  });

  it("keep to settings that were changed meanwhile", async () => {
    await makeQueue({ retryConfig: { minBackoff: { seconds: 10 }, maxBackoff: { seconds: 10 } } });
    await makeTask();
    expect(await waits(2)).toEqual([10]);
    await scene.call("UpdateQueue", {
      queue: { name, retryConfig: { minBackoff: { seconds: 7 }, maxBackoff: { seconds: 7 } } },
    });
    await scene.pass(10);
    await arrivals(3);
    expect(toMs((await scene.call("GetTask", { name: task })).scheduleTime) - scene.clock.now()).toBe(7000);
  });

  it.each<[how: string, retryConfig: object, attempts: number]>([
    ["after its attempts", { maxAttempts: 3 }, 3],
    ["after its first attempt", { maxAttempts: 1 }, 1],
    ["after its time alone, without a limit of attempts", { maxAttempts: -1, maxRetryDuration: { seconds: 45 } }, 6],
    ["only when both limits are reached: attempts last", { maxAttempts: 8, maxRetryDuration: { seconds: 45 } }, 8],
    ["only when both limits are reached: time last", { maxAttempts: 2, maxRetryDuration: { seconds: 45 } }, 6],
  ])("end %s, and the task is deleted", async (_, retryConfig, attempts) => {
    await makeQueue({ retryConfig: { minBackoff: { seconds: 10 }, maxBackoff: { seconds: 10 }, ...retryConfig } });
    await makeTask();
    await scene.pass(0);
    for (let count = 1; count <= attempts; count++) {
      await arrivals(count);
      await scene.pass(10);
    }
    await scene.pass(100);
    expectNoDispatch(attempts);
    expect(await scene.failure("GetTask", { name: task })).toMatch(/^5 The task no longer exists/);
    expect(await scene.engine.deadLetters.list()).toEqual([]);
  });

  it.each([
    ["seconds", () => "120"],
    ["a date", () => new Date(scene.clock.now() + 120_000).toUTCString()],
  ])("come no sooner than Retry-After asks, in %s", async (_, header) => {
    await makeQueue({ retryConfig: { minBackoff: { seconds: 1 }, maxBackoff: { seconds: 1 } } });
    worker.reply = () => (to) => to.writeHead(503, { "retry-after": header() }).end();
    await makeTask();
    await scene.pass(0);
    await arrivals(1);
    expect(toMs((await scene.call("GetTask", { name: task })).scheduleTime) - scene.clock.now()).toBe(120_000);
  });
});

describe("a queue whose worker answers", () => {
  const makeTasks = async (count: number) => {
    for (let n = 0; n < count; n++) await makeTask({ name: `${name}/tasks/t-${n}` });
  };

  it.each([429, 503])("%i is slowed as a whole, more with each round, until it answers otherwise", async (status) => {
    await makeQueue({ rateLimits: { maxConcurrentDispatches: 1 }, retryConfig: { minBackoff: { seconds: 3600 } } });
    worker.reply = (index) => (index < 3 ? status : 200);
    await makeTasks(6);
    await scene.pass(0);
    await arrivals(1);
    for (const [held, count] of [
      [0.1, 2],
      [0.2, 3],
      [0.4, 6],
    ] as const) {
      const before = worker.arrived.length;
      await scene.pass(held - 0.001);
      expectNoDispatch(before);
      await scene.pass(0.001);
      await arrivals(count);
    }
  });

  it("404 goes on with its other tasks", async () => {
    await makeQueue({ rateLimits: { maxConcurrentDispatches: 1 } });
    worker.reply = () => 404;
    await makeTasks(5);
    await scene.pass(0);
    await arrivals(5);
  });

  it("for a while is given no more tasks than it may have at once, and no faster than its rate", async () => {
    await makeQueue({ rateLimits: { maxDispatchesPerSecond: 1, maxConcurrentDispatches: 2 } });
    const open: (() => void)[] = [];
    worker.reply = () => (to) => open.push(() => to.end());
    await makeTasks(4);
    await scene.pass(0);
    await eventually(() => worker.arrived.length === 1);
    await scene.pass(1);
    await eventually(() => worker.arrived.length === 2);
    await scene.pass(5);
    expect(scene.engine.inFlight).toBe(2);
    for (const end of open.splice(0)) end();
    await eventually(() => worker.arrived.length === 3);
    await scene.pass(1);
    await eventually(() => worker.arrived.length === 4);
    for (const end of open.splice(0)) end();
    await arrivals(4);
  });
});

describe("a task in a paused queue", () => {
  it("is taken, and dispatched once the queue is resumed", async () => {
    await makeQueue();
    await scene.call("PauseQueue", { name });
    await makeTask();
    await scene.pass(DAY);
    expectNoDispatch(0);
    await scene.call("ResumeQueue", { name });
    await scene.pass(0);
    await arrivals(1);
  });

  it("is dispatched when it is told to run, and stays in the queue if that fails", async () => {
    await makeQueue({ retryConfig: { minBackoff: { seconds: 10 } } });
    await scene.call("PauseQueue", { name });
    worker.reply = () => 500;
    await makeTask({ scheduleTime: { seconds: scene.clock.now() / 1000 + DAY } });
    const run = await scene.call("RunTask", { name: task });
    expect(run).toMatchObject({ dispatchCount: 1, responseCount: 0, lastAttempt: { dispatchTime: {} } });
    await arrivals(1);
    const failed = await scene.call("GetTask", { name: task });
    expect(failed).toMatchObject({ dispatchCount: 1, responseCount: 1 });
    expect(toMs(failed.scheduleTime) - scene.clock.now()).toBe(10_000);
    await scene.pass(DAY);
    expectNoDispatch(1);
  });
});

describe("a task that is told to run", () => {
  it("is gone when that succeeds, even if it was under way, and cannot be told again", async () => {
    await makeQueue();
    const open: (() => void)[] = [];
    worker.reply = (index) => (index === 0 ? (to) => open.push(() => to.end()) : 200);
    await makeTask();
    await scene.pass(0);
    await eventually(() => worker.arrived.length === 1);
    await scene.call("RunTask", { name: task });
    await eventually(() => scene.engine.unfinished === 0);
    expect(worker.arrived[1]?.headers["x-cloudtasks-taskretrycount"]).toBe("1");
    expect(await scene.failure("RunTask", { name: task })).toMatch(/^5 The task no longer exists/);
    for (const end of open) end();
    await arrivals(2);
  });
});

describe("a purge, and a deletion", () => {
  it.each(["PurgeQueue", "DeleteQueue"])("takes out what waits, is delayed, or is under way: %s", async (method) => {
    await makeQueue({ rateLimits: { maxConcurrentDispatches: 1 } });
    const open: (() => void)[] = [];
    worker.reply = () => (to) => open.push(() => to.writeHead(500).end());
    for (const id of ["a", "b"]) await makeTask({ name: `${name}/tasks/${id}` });
    await makeTask({ scheduleTime: { seconds: scene.clock.now() / 1000 + 60 } });
    await scene.pass(0);
    await eventually(() => worker.arrived.length === 1);
    await scene.call(method, { name });
    for (const end of open) end();
    await eventually(() => scene.engine.inFlight === 0);
    await scene.pass(DAY);
    expectNoDispatch(1);
    expect(scene.engine.unfinished).toBe(0);
    if (method === "PurgeQueue")
      expect(await scene.call("ListTasks", { parent: name })).toEqual({ tasks: [], nextPageToken: "" });
  });

  it("takes out a task alone", async () => {
    await makeQueue();
    await makeTask({ scheduleTime: { seconds: scene.clock.now() / 1000 + 60 } });
    expect(await scene.call("DeleteTask", { name: task })).toEqual({});
    await scene.pass(DAY);
    expectNoDispatch(0);
    expect(await scene.failure("DeleteTask", { name: task })).toMatch(/^5 /);
  });
});

describe("a task that is 31 days old", () => {
  it("is deleted, dispatched or not", async () => {
    await makeQueue();
    await scene.call("PauseQueue", { name });
    await makeTask();
    await scene.pass(31 * DAY - 1);
    expect((await scene.call("ListTasks", { parent: name })).tasks).toHaveLength(1);
    await scene.pass(1);
    expect((await scene.call("ListTasks", { parent: name })).tasks).toHaveLength(0);
    expect(await scene.failure("GetTask", { name: task })).toMatch(/^5 /);
    await scene.call("ResumeQueue", { name });
    await scene.pass(60);
    expect(scene.engine.unfinished).toBe(0);
    expect(worker.arrived).toHaveLength(0);
  });
});
