import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cloudTasksService } from "../../src/emulator/cloud-tasks.ts";
import { ServiceScene } from "./service-scene.ts";

const parent = "projects/demo/locations/europe-west1";
const name = `${parent}/queues/mail`;
const task = `${name}/tasks/welcome-42`;
const url = "https://api.example.com/work";
const HOUR = 3600;

let scene: ServiceScene;

beforeEach(async () => {
  scene = await ServiceScene.open(cloudTasksService);
  await scene.call("CreateQueue", { parent, queue: { name } });
  await scene.call("PauseQueue", { name });
});

afterEach(() => scene.close());

const create = (fields: object) => ({ parent: name, task: { name: task, httpRequest: { url }, ...fields } });
const now = () => scene.clock.now() / 1000;

describe("a new task", () => {
  it("is answered with its defaults, without its body unless the full view is asked for", async () => {
    const httpRequest = { url, body: Buffer.from("hello"), headers: { "Content-Type": "text/plain" } };
    await scene.pass(0.25);
    const basic = {
      name: task,
      httpRequest: {
        url,
        httpMethod: "POST",
        headers: { "Content-Type": "text/plain", "User-Agent": "Google-Cloud-Tasks" },
      },
      scheduleTime: { seconds: Math.floor(now()), nanos: 250_000_000 },
      createTime: { seconds: Math.floor(now()), nanos: 0 },
      dispatchDeadline: { seconds: 600, nanos: 0 },
      dispatchCount: 0,
      responseCount: 0,
      view: "BASIC",
    };
    expect(await scene.call("CreateTask", create({ httpRequest }))).toEqual(basic);
    expect(await scene.call("GetTask", { name: task, responseView: "VIEW_UNSPECIFIED" })).toEqual(basic);
    const full = { ...basic, httpRequest: { ...basic.httpRequest, body: httpRequest.body }, view: "FULL" };
    expect(await scene.call("GetTask", { name: task, responseView: "FULL" })).toEqual(full);
    expect(await scene.call("ListTasks", { parent: name, responseView: "FULL" })).toEqual({
      tasks: [full],
      nextPageToken: "",
    });
  });

  it("is given a name of its own if it brings none", async () => {
    const names = await Promise.all(
      [1, 2].map(async () => (await scene.call("CreateTask", { parent: name, task: { httpRequest: { url } } })).name),
    );
    expect(new Set(names).size).toBe(2);
    for (const given of names)
      expect(given).toMatch(/^projects\/demo\/locations\/europe-west1\/queues\/mail\/tasks\/\d+$/);
  });

  it("is scheduled at the moment that it asks for, to the microsecond, and now for one in the past", async () => {
    const at = { seconds: now() + 720 * HOUR, nanos: 0 };
    expect(await scene.call("CreateTask", create({ scheduleTime: at }))).toMatchObject({ scheduleTime: at });
    const fine = { name: `${name}/tasks/fine`, scheduleTime: { seconds: now() + 5, nanos: 123_456_789 } };
    expect(await scene.call("CreateTask", create(fine))).toMatchObject({
      scheduleTime: { seconds: now() + 5, nanos: 123_456_000 },
    });
    const late = { name: `${name}/tasks/late`, scheduleTime: { seconds: 1 } };
    expect(await scene.call("CreateTask", create(late))).toMatchObject({ scheduleTime: { seconds: now() } });
  });

  it("is refused more than 720 hours ahead, in the words of the service", async () => {
    const scheduleTime = { seconds: now() + 720 * HOUR + 1 };
    expect(await scene.failure("CreateTask", create({ scheduleTime }))).toBe(
      "3 The Task.scheduleTime, 2026-01-30T16:00:01-08:00, is too far in the future. Schedule time must be no more than 720h in the future.",
    );
  });

  it.each<[what: string, fields: object, text: string | RegExp]>([
    [
      "a deadline too short",
      { dispatchDeadline: { seconds: 14, nanos: 999_000_000 } },
      "3 Task.dispatchDeadline must be between [15s, 30m].",
    ],
    [
      "a deadline too long",
      { dispatchDeadline: { seconds: 1801 } },
      "3 Task.dispatchDeadline must be between [15s, 30m].",
    ],
    ["no target", { httpRequest: undefined }, "3 Task.message_type must be set."],
    [
      "an App Engine target",
      { httpRequest: undefined, appEngineHttpRequest: {} },
      /^12 The emulator has no App Engine/,
    ],
    ["no URL", { httpRequest: {} }, "3 HttpRequest.url is required."],
    [
      "another scheme",
      { httpRequest: { url: "ftp://x/" } },
      "3 HttpTarget.url must start with 'http://' or 'https://'.",
    ],
    ["no host", { httpRequest: { url: "http://" } }, "3 HttpRequest.url is not a valid URL."],
    [
      "a URL too long",
      { httpRequest: { url: `${url}?${"a".repeat(2083)}` } },
      "3 HttpRequest.url must be less than 2083 characters.",
    ],
    [
      "a token that would travel in the clear",
      { httpRequest: { url: "http://api.example.com/", oidcToken: { serviceAccountEmail: "a@b.c" } } },
      "3 HttpRequest.url must start with 'https://' for request with HttpRequest.authorization_header",
    ],
    [
      "a token of nobody",
      { httpRequest: { url, oidcToken: {} } },
      "3 OidcToken.service_account_email must be a valid email address.",
    ],
    [
      "a body with GET",
      { httpRequest: { url, httpMethod: "GET", body: Buffer.from("x") } },
      "3 HttpRequest.body is only allowed for the methods POST, PUT and PATCH.",
    ],
    [
      "a header that is none",
      { httpRequest: { url, headers: { "a b": "c" } } },
      "3 HttpRequest.headers contains an invalid header: a b.",
    ],
    [
      "headers of 80 KB",
      { httpRequest: { url, headers: { a: "x".repeat(80 * 1024) } } },
      "3 HttpRequest.headers must be less than 80KB.",
    ],
    ["more than 1 MiB", { httpRequest: { url, body: Buffer.alloc(1024 * 1024) } }, "3 Task size too large"],
    [
      "an id of other characters",
      { name: `${name}/tasks/not a valid id` },
      '3 Task ID "not a valid id" can contain only letters ([A-Za-z]), numbers ([0-9]), hyphens (-), or underscores (_). Task ID must between 1 and 500 characters.',
    ],
    ["an id of 501 characters", { name: `${name}/tasks/${"x".repeat(501)}` }, /^3 Task ID /],
    [
      "the name of another queue",
      { name: `${name}-2/tasks/a` },
      `3 The queue name from request ('${name}') must be the same as the queue name in the named task ('${name}-2').`,
    ],
    [
      "a name of another form",
      { name: "welcome-42" },
      '3 Task name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>/tasks/<TASK_ID>"',
    ],
  ])("is refused with %s", async (_, fields, text) => {
    const failure = await scene.failure("CreateTask", create(fields));
    if (typeof text === "string") expect(failure).toBe(text);
    else expect(failure).toMatch(text);
    expect((await scene.call("ListTasks", { parent: name })).tasks).toEqual([]);
  });

  it("may use a token without TLS where no certificate can be had: in a local network", async () => {
    const oidcToken = { serviceAccountEmail: "a@b.c" };
    for (const local of ["127.0.0.1:8080", "localhost", "[::1]:80", "api:8080", "api.local", "host.docker.internal"])
      expect(
        await scene.failure("CreateTask", {
          parent: name,
          task: { httpRequest: { url: `http://${local}/`, oidcToken } },
        }),
      ).toBe("none");
  });

  it("is refused in a queue that is not there", async () => {
    const elsewhere = `${parent}/queues/other`;
    expect(await scene.failure("CreateTask", { parent: elsewhere, task: { httpRequest: { url } } })).toMatch(
      /^5 Queue does not exist\./,
    );
  });
});

describe("the name of a task", () => {
  it("is taken while the task is there, and for an hour after it is gone", async () => {
    await scene.call("CreateTask", create({}));
    expect(await scene.failure("CreateTask", create({}))).toBe("6 Requested entity already exists");
    await scene.call("DeleteTask", { name: task });
    await scene.pass(HOUR - 1);
    expect(await scene.failure("CreateTask", create({}))).toBe("6 Requested entity already exists");
    expect(await scene.failure("GetTask", { name: task })).toBe(
      "5 The task no longer exists, though a task with this name existed recently. The task either successfully completed or was deleted.",
    );
    await scene.pass(1);
    expect(await scene.failure("GetTask", { name: task })).toBe("5 Requested entity was not found.");
    expect(await scene.failure("CreateTask", create({}))).toBe("none");
  });

  it.each(["GetTask", "DeleteTask", "RunTask"])("must be that of a task: %s", async (method) => {
    expect(await scene.failure(method, { name: "tasks/a" })).toBe("3 Invalid resource field value in the request.");
    expect(await scene.failure(method, { name: task })).toBe("5 Requested entity was not found.");
    expect(await scene.failure(method, { name: `${parent}/queues/other/tasks/a` })).toMatch(
      /^5 Queue does not exist\./,
    );
  });
});

describe("a list of tasks", () => {
  it("comes in pages", async () => {
    for (let n = 0; n < 7; n++) await scene.call("CreateTask", create({ name: `${name}/tasks/t-${n}` }));
    const first = await scene.call("ListTasks", { parent: name, pageSize: 5 });
    const second = await scene.call("ListTasks", { parent: name, pageSize: 5, pageToken: first.nextPageToken });
    expect([first.tasks?.length, second.tasks?.length, second.nextPageToken]).toEqual([5, 2, ""]);
  });
});
