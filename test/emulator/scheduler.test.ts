import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { schedulerService } from "../../src/emulator/scheduler.ts";
import { CODES, RpcError } from "../../src/emulator/status.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { ServiceScene } from "./service-scene.ts";
import { eventually, Worker } from "./worker.ts";

const parent = "projects/demo/locations/europe-west1";
const name = `${parent}/jobs/nightly_report`;
const topicName = "projects/demo/topics/reports";
const pubsubTarget = { topicName, data: Buffer.from("{}") };
const start = Date.parse("2026-03-01T10:00:00Z");
const second = (time: string) => ({ seconds: Date.parse(time) / 1000, nanos: 0 });

let scene: ServiceScene;
let worker: Worker;

beforeEach(async () => {
  scene = await ServiceScene.open(schedulerService, new VirtualClock(new Date(start)));
  worker = await Worker.open();
});

afterEach(async () => {
  await scene.close();
  await worker.close();
});

const create = (job: object = {}) =>
  scene.call("CreateJob", { parent, job: { name, schedule: "*/5 * * * *", pubsubTarget, ...job } });

/** A job that posts to the worker. */
const createHttp = (job: object = {}, target: object = {}) =>
  create({ pubsubTarget: undefined, httpTarget: { uri: `${worker.url}/run`, ...target }, ...job });

const get = () => scene.call("GetJob", { name });

/** Lets a number of attempts fail, without time moving. */
async function failures(count: number): Promise<void> {
  await eventually(() => scene.lines.length >= count, `${count} failed attempts`);
  expect(scene.lines).toHaveLength(count);
}

describe("a job", () => {
  it("is made with the defaults of the service, and read again as it is", async () => {
    const job = {
      name,
      pubsubTarget,
      schedule: "*/5 * * * *",
      timeZone: "UTC",
      retryConfig: {
        maxRetryDuration: { seconds: 0, nanos: 0 },
        minBackoffDuration: { seconds: 5, nanos: 0 },
        maxBackoffDuration: { seconds: 3600, nanos: 0 },
        maxDoublings: 5,
      },
      userUpdateTime: second("2026-03-01T10:00:00Z"),
      state: "ENABLED",
      scheduleTime: second("2026-03-01T10:05:00Z"),
    };
    expect(await create()).toEqual(job);
    expect(await get()).toEqual(job);
  });

  it("with an HTTP target has a deadline, a method and headers", async () => {
    expect(
      await createHttp({ attemptDeadline: undefined }, { body: Buffer.from("x"), headers: { "X-A": "b" } }),
    ).toMatchObject({
      attemptDeadline: { seconds: 180 },
      httpTarget: {
        httpMethod: "POST",
        body: Buffer.from("x"),
        headers: {
          "X-A": "b",
          "Content-Type": "application/octet-stream",
          "User-Agent": "Google-Cloud-Scheduler",
        },
      },
    });
  });

  it("is given a name of its own if it brings none", async () => {
    expect((await create({ name: undefined })).name).toMatch(/^projects\/demo\/locations\/europe-west1\/jobs\/[\w-]+$/);
  });

  it("is made once, even by two calls at a time", async () => {
    const results = await Promise.allSettled([create(), create()]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await scene.failure("CreateJob", { parent, job: { name, schedule: "* * * * *", pubsubTarget } })).toBe(
      `6 Job ${name} already exists.`,
    );
  });

  it.each<[what: string, job: object, text: string | RegExp]>([
    [
      "an id of other characters",
      { name: `${parent}/jobs/a.b` },
      '3 Job name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/jobs/<JOB_ID>".',
    ],
    [
      "another location",
      { name: "projects/demo/locations/asia-east1/jobs/a" },
      `3 projects/demo/locations/asia-east1/jobs/a must begin with ${parent}.`,
    ],
    ["a description too long", { description: "x".repeat(501) }, /^3 Job.description/],
    ["no schedule", { schedule: undefined }, /^3 Schedule or time zone is invalid\./],
    ["seconds in the schedule", { schedule: "0 * * * * *" }, /^3 Schedule or time zone is invalid\./],
    ["a macro", { schedule: "@daily" }, /^3 Schedule or time zone is invalid\./],
    ["an unknown time zone", { timeZone: "Europe/Nowhere" }, /^3 Schedule or time zone is invalid\./],
    ["a groc text", { schedule: "every 5 minutes" }, /^12 The emulator reads unix-cron/],
    ["no target", { pubsubTarget: undefined }, "3 Job.target must be set."],
    [
      "an App Engine target",
      { pubsubTarget: undefined, appEngineHttpTarget: {} },
      /^12 The emulator has no App Engine/,
    ],
    [
      "a topic of another form",
      { pubsubTarget: { ...pubsubTarget, topicName: "reports" } },
      /^3 PubsubTarget.topic_name/,
    ],
    [
      "a topic of another project",
      { pubsubTarget: { ...pubsubTarget, topicName: "projects/other/topics/reports" } },
      /^3 The topic must be in the same project/,
    ],
    ["an empty message", { pubsubTarget: { topicName } }, /^3 Pubsub message must contain/],
    [
      "another scheme",
      { pubsubTarget: undefined, httpTarget: { uri: "ftp://x" } },
      "3 HttpTarget.uri must start with 'http://' or 'https://'.",
    ],
    [
      "a deadline too short",
      { pubsubTarget: undefined, httpTarget: { uri: "https://x.y/" }, attemptDeadline: { seconds: 14 } },
      "3 Job.attemptDeadline must be between [15s, 30m].",
    ],
    [
      "a deadline too long",
      { pubsubTarget: undefined, httpTarget: { uri: "https://x.y/" }, attemptDeadline: { seconds: 1801 } },
      "3 Job.attemptDeadline must be between [15s, 30m].",
    ],
    ["more than 5 retries", { retryConfig: { retryCount: 6 } }, "3 RetryConfig.retryCount must be between 0 and 5."],
    [
      "bounds in the wrong order",
      { retryConfig: { minBackoffDuration: { seconds: 9 }, maxBackoffDuration: { seconds: 8 } } },
      /^3 RetryConfig.minBackoffDuration/,
    ],
    [
      "a negative back-off",
      { retryConfig: { minBackoffDuration: { seconds: -1 } } },
      "3 RetryConfig.minBackoffDuration cannot be negative.",
    ],
  ])("is refused with %s", async (_, job, text) => {
    const request = { parent, job: { name, schedule: "*/5 * * * *", pubsubTarget, ...job } };
    const failure = await scene.failure("CreateJob", request);
    if (typeof text === "string") expect(failure).toBe(text);
    else expect(failure).toMatch(text);
    expect((await scene.call("ListJobs", { parent })).jobs).toEqual([]);
  });

  it.each(["GetJob", "DeleteJob", "PauseJob", "ResumeJob", "RunJob"])(
    "that is not there is NOT_FOUND: %s",
    async (method) => {
      expect(await scene.failure(method, { name })).toBe("5 Job not found.");
    },
  );

  it("comes in pages of a list", async () => {
    for (let n = 0; n < 7; n++) await create({ name: `${parent}/jobs/j-${n}` });
    const first = await scene.call("ListJobs", { parent, pageSize: 5 });
    const second = await scene.call("ListJobs", { parent, pageSize: 5, pageToken: first.nextPageToken });
    expect([first.jobs?.length, second.jobs?.length, second.nextPageToken]).toEqual([5, 2, ""]);
  });
});

describe("an update of a job", () => {
  it("of one that is not there is NOT_FOUND", async () => {
    expect(await scene.failure("UpdateJob", { job: { name, description: "x" } })).toBe("5 Job not found.");
  });

  it("changes what its mask names alone", async () => {
    await create({ description: "before", retryConfig: { retryCount: 3 } });
    await scene.pass(60);
    const job = { name, schedule: "0 12 * * *", timeZone: "Europe/London", description: "after" };
    const updateMask = { paths: ["schedule", "time_zone", "retry_config.max_doublings"] };
    expect(await scene.call("UpdateJob", { job, updateMask })).toMatchObject({
      description: "before",
      schedule: "0 12 * * *",
      timeZone: "Europe/London",
      retryConfig: { retryCount: 3, maxDoublings: 5 },
      scheduleTime: second("2026-03-01T12:00:00Z"),
      userUpdateTime: second("2026-03-01T10:01:00Z"),
    });
  });

  it("without a mask changes what it holds, and clears what a mask names and it does not", async () => {
    await create({ description: "before" });
    expect(await scene.call("UpdateJob", { job: { name, schedule: "0 * * * *" } })).toMatchObject({
      description: "before",
      schedule: "0 * * * *",
    });
    const cleared = await scene.call("UpdateJob", { job: { name }, updateMask: { paths: ["description"] } });
    expect(cleared.description).toBeUndefined();
  });

  it("puts a target of one kind in the place of one of another", async () => {
    await create();
    const job = { name, httpTarget: { uri: "https://api.example.com/" } };
    const changed = await scene.call("UpdateJob", { job, updateMask: { paths: ["http_target"] } });
    expect(changed).toMatchObject({ httpTarget: { uri: "https://api.example.com/" } });
    expect(changed.pubsubTarget).toBeUndefined();
  });

  it("keeps it paused, whatever it says of that", async () => {
    await create();
    await scene.call("PauseJob", { name });
    const job = { name, state: "ENABLED", schedule: "* * * * *" };
    const updateMask = { paths: ["state", "schedule"] };
    expect(await scene.call("UpdateJob", { job, updateMask })).toMatchObject({
      state: "PAUSED",
      schedule: "* * * * *",
    });
    await scene.pass(3600);
    expect(scene.published).toEqual([]);
  });

  it.each(["timeZone", "labels", "retry_config.max_attempts"])("is refused with the mask %s", async (path) => {
    await create();
    expect(await scene.failure("UpdateJob", { job: { name }, updateMask: { paths: [path] } })).toBe(
      `3 Invalid mask for Job: ${path}`,
    );
  });

  it("does not undo another that came at the same time", async () => {
    await create();
    await Promise.all([
      scene.call("UpdateJob", { job: { name, description: "a" }, updateMask: { paths: ["description"] } }),
      scene.call("UpdateJob", { job: { name, schedule: "0 * * * *" }, updateMask: { paths: ["schedule"] } }),
    ]);
    expect(await get()).toMatchObject({ description: "a", schedule: "0 * * * *" });
  });
});

describe("a job with a Pub/Sub target", () => {
  it("publishes its message at each tick, and adds no attributes", async () => {
    await create();
    await scene.pass(3600);
    expect(scene.published).toHaveLength(12);
    expect(scene.published[0]).toEqual({ topic: topicName, message: { data: pubsubTarget.data } });
    expect(await get()).toMatchObject({
      status: {},
      lastAttemptTime: second("2026-03-01T11:00:00Z"),
      scheduleTime: second("2026-03-01T11:05:00Z"),
    });
  });

  it("ticks by the clocks of its time zone, through a change of them", async () => {
    // Clocks go forward in New York on 8 March 2026, at 2:00.
    await create({ schedule: "0 9 * * *", timeZone: "America/New_York" });
    const ticks: unknown[] = [];
    for (let day = 0; day < 9; day++) {
      ticks.push((await get()).scheduleTime);
      await scene.pass(86_400);
    }
    expect(ticks[0]).toEqual(second("2026-03-01T14:00:00Z"));
    expect(ticks[8]).toEqual(second("2026-03-09T13:00:00Z"));
  });

  it("says what publishing failed with, and is tried again as its retries say", async () => {
    await create({ schedule: "0 * * * *", retryConfig: { retryCount: 2 } });
    scene.publishError = new RpcError(CODES.NOT_FOUND, "Topic not found");
    await scene.pass(3600);
    expect(await get()).toMatchObject({ status: { code: 5 }, scheduleTime: second("2026-03-01T11:00:05Z") });
    scene.publishError = undefined;
    await scene.pass(5);
    expect(scene.published).toHaveLength(1);
    expect(await get()).toMatchObject({ status: {}, scheduleTime: second("2026-03-01T12:00:00Z") });
  });
});

describe("a job that is paused", () => {
  it("fires nothing until it is resumed, and makes up for nothing", async () => {
    await create();
    const paused = await scene.call("PauseJob", { name });
    expect(paused.state).toBe("PAUSED");
    await scene.pass(3601);
    expect(scene.published).toEqual([]);
    expect(await scene.failure("PauseJob", { name })).toMatch(/^9 /);
    expect(await scene.call("ResumeJob", { name })).toMatchObject({
      state: "ENABLED",
      scheduleTime: second("2026-03-01T11:05:00Z"),
    });
    expect(await scene.failure("ResumeJob", { name })).toMatch(/^9 /);
    await scene.pass(299);
    expect(scene.published).toHaveLength(1);
  });

  it("runs when it is told to", async () => {
    await create();
    await scene.call("PauseJob", { name });
    expect(await scene.call("RunJob", { name })).toMatchObject({ state: "PAUSED" });
    await scene.pass(0);
    expect(scene.published).toHaveLength(1);
  });

  it("fires nothing any more once it is deleted", async () => {
    await create();
    expect(await scene.call("DeleteJob", { name })).toEqual({});
    await scene.pass(3600);
    expect(scene.published).toEqual([]);
  });
});

describe("a job with an HTTP target", () => {
  it("posts with the headers of Cloud Scheduler and an OIDC token for its full URL", async () => {
    const oidcToken = { serviceAccountEmail: "caller@demo.iam.gserviceaccount.com" };
    await createHttp({}, { uri: `${worker.url}/run?a=1`, body: Buffer.from("go"), oidcToken });
    await scene.pass(300);
    await eventually(() => worker.arrived.length === 1);
    const [request] = worker.arrived;
    expect(request).toMatchObject({ method: "POST", path: "/run?a=1", body: "go" });
    expect(request?.headers).toMatchObject({
      "user-agent": "Google-Cloud-Scheduler",
      "content-type": "application/octet-stream",
      "x-cloudscheduler": "true",
      "x-cloudscheduler-jobname": "nightly_report",
      "x-cloudscheduler-scheduletime": "2026-03-01T10:05:00Z",
    });
    const claims = JSON.parse(Buffer.from(request?.headers.authorization?.split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({ aud: `${worker.url}/run?a=1`, email: oidcToken.serviceAccountEmail });
  });

  it.each<[how: string, retryConfig: object, attempts: number]>([
    ["not at all by default", {}, 1],
    ["as often as its count says", { retryCount: 3 }, 4],
    ["until both limits are reached", { retryCount: 1, maxRetryDuration: { seconds: 60 } }, 5],
  ])("is tried again after a failure %s", async (_, retryConfig, attempts) => {
    const bounds = { minBackoffDuration: { seconds: 10 }, maxBackoffDuration: { seconds: 20 } };
    await createHttp({ schedule: "0 * * * *", retryConfig: { ...bounds, ...retryConfig } });
    worker.reply = () => 500;
    await scene.pass(3600);
    const seen: string[] = [];
    for (let count = 1; count <= attempts; count++) {
      await failures(count);
      const { seconds = 0 } = (await get()).scheduleTime ?? {};
      seen.push(new Date(seconds * 1000).toISOString().slice(11, 19));
      const { lastAttemptTime } = await get();
      await scene.clock.advanceTo(new Date(seconds * 1000 - 1));
      expect((await get()).lastAttemptTime).toEqual(lastAttemptTime);
      if (count < attempts) await scene.pass(0.001);
    }
    const retries = ["11:00:10", "11:00:30", "11:00:50", "11:01:10", "11:01:30"].slice(0, attempts - 1);
    expect(seen).toEqual([...retries, "12:00:00"]);
    expect(await get()).toMatchObject({ status: { code: 13 } });
  });

  it("gives retries up when the next tick comes", async () => {
    const retryConfig = { retryCount: 5, minBackoffDuration: { seconds: 50 }, maxBackoffDuration: { seconds: 50 } };
    await createHttp({ schedule: "* * * * *", retryConfig });
    worker.reply = () => 500;
    await scene.pass(60);
    await failures(1);
    await scene.pass(50);
    await failures(2);
    expect((await get()).scheduleTime).toEqual(second("2026-03-01T10:02:00Z"));
  });

  it("is never outstanding twice: a tick waits for the one before, and of several the latest is made up for", async () => {
    const open: (() => void)[] = [];
    worker.reply = () => (to) => open.push(() => to.end());
    await createHttp({ schedule: "* * * * *", attemptDeadline: { seconds: 1800 } });
    await scene.pass(60);
    await eventually(() => worker.arrived.length === 1);
    // Not even when it is changed under way.
    await scene.call("UpdateJob", { job: { name, description: "changed" } });
    await scene.pass(200);
    expect((await get()).lastAttemptTime).toEqual(second("2026-03-01T10:01:00Z"));
    for (const end of open.splice(0)) end();
    await eventually(() => scene.clock.nextTimer === scene.clock.now());
    await scene.pass(0);
    await eventually(() => worker.arrived.length === 2);
    expect(worker.arrived[1]?.headers["x-cloudscheduler-scheduletime"]).toBe("2026-03-01T10:04:00Z");
    for (const end of open.splice(0)) end();
  });

  it("runs when it is told to, even if it is under way", async () => {
    const open: (() => void)[] = [];
    worker.reply = (index) => (index === 0 ? (to) => open.push(() => to.end()) : 200);
    await createHttp();
    await scene.pass(300);
    await eventually(() => worker.arrived.length === 1);
    await scene.call("RunJob", { name });
    await eventually(() => worker.arrived.length === 2);
    for (const end of open) end();
  });

  it("has failed when no answer comes within its deadline", async () => {
    worker.reply = () => () => {};
    await createHttp({ attemptDeadline: { seconds: 15 } });
    await scene.pass(300);
    await eventually(() => worker.arrived.length === 1);
    await scene.pass(15);
    await failures(1);
    expect(await get()).toMatchObject({ status: { code: 4 }, scheduleTime: second("2026-03-01T10:10:00Z") });
  });
});
