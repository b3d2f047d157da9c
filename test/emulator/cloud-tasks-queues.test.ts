import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cloudTasksService } from "../../src/emulator/cloud-tasks.ts";
import { type Answer, ServiceScene } from "./service-scene.ts";

const parent = "projects/demo/locations/europe-west1";
const name = `${parent}/queues/mail`;
const missing =
  "5 Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.";
const defaults = {
  name,
  state: "RUNNING",
  rateLimits: { maxDispatchesPerSecond: 500, maxBurstSize: 100, maxConcurrentDispatches: 1000 },
  retryConfig: {
    maxAttempts: 100,
    minBackoff: { seconds: 0, nanos: 100_000_000 },
    maxBackoff: { seconds: 3600, nanos: 0 },
    maxDoublings: 16,
  },
};

let scene: ServiceScene;

beforeEach(async () => {
  scene = await ServiceScene.open(cloudTasksService);
});

afterEach(() => scene.close());

describe("a queue", () => {
  it("is made with the defaults of the service, and read again as it is", async () => {
    expect(await scene.call("CreateQueue", { parent, queue: { name } })).toEqual(defaults);
    expect(await scene.call("GetQueue", { name })).toEqual(defaults);
  });

  it("is made with what is asked for, its burst being a fifth of the rate", async () => {
    const rateLimits = { maxDispatchesPerSecond: 50, maxBurstSize: 7, maxConcurrentDispatches: 3 };
    const retryConfig = {
      maxAttempts: -1,
      maxRetryDuration: { seconds: 61, nanos: 9e8 },
      minBackoff: {},
      maxDoublings: 3,
    };
    const stackdriverLoggingConfig = { samplingRatio: 0.5 };
    const queue = await scene.call("CreateQueue", {
      parent,
      queue: { name, rateLimits, retryConfig, stackdriverLoggingConfig },
    });
    expect(queue).toMatchObject({
      rateLimits: { ...rateLimits, maxBurstSize: 10 },
      retryConfig: {
        maxAttempts: -1,
        maxRetryDuration: { seconds: 61, nanos: 0 },
        minBackoff: { seconds: 0 },
        maxDoublings: 3,
      },
      stackdriverLoggingConfig,
    });
  });

  it.each<[field: string, queue: object, text: string]>([
    ["rate", { rateLimits: { maxDispatchesPerSecond: -1 } }, "RateLimits.maxDispatchesPerSecond cannot be negative."],
    [
      "rate",
      { rateLimits: { maxDispatchesPerSecond: 501 } },
      "RateLimits.maxDispatchesPerSecond must be less than or equal to 500.",
    ],
    [
      "concurrency",
      { rateLimits: { maxConcurrentDispatches: 5001 } },
      "RateLimits.maxConcurrentDispatches must be less than or equal to 5000.",
    ],
    ["attempts", { retryConfig: { maxAttempts: -2 } }, "RetryConfig.maxAttempts must be greater or equal to -1."],
    ["doublings", { retryConfig: { maxDoublings: -1 } }, "RetryConfig.maxDoublings cannot be negative."],
    ["back-off", { retryConfig: { minBackoff: { seconds: -1 } } }, "RetryConfig.minBackoff cannot be negative."],
    [
      "order",
      { retryConfig: { minBackoff: { seconds: 9 }, maxBackoff: { seconds: 8 } } },
      "RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.",
    ],
    [
      "sampling",
      { stackdriverLoggingConfig: { samplingRatio: 1.1 } },
      "StackdriverLoggingConfig.samplingRatio must be between 0.0 and 1.0.",
    ],
  ])("is refused with a bad %s: %j", async (_, queue, text) => {
    expect(await scene.failure("CreateQueue", { parent, queue: { name, ...queue } })).toBe(`3 ${text}`);
    expect(await scene.failure("GetQueue", { name })).toBe(missing);
  });

  it.each<[queue: string | undefined, within: string, text: string]>([
    [
      undefined,
      parent,
      'Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>".',
    ],
    [
      `${parent}/queues/under_score`,
      parent,
      'Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>".',
    ],
    [
      `${parent}/queues/${"q".repeat(101)}`,
      parent,
      'Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>".',
    ],
    [
      "projects/other/locations/europe-west1/queues/mail",
      parent,
      `projects/other/locations/europe-west1/queues/mail must begin with ${parent}.`,
    ],
    [name, "nowhere", "Invalid resource field value in the request."],
  ])("is refused under the name %s in %s", async (queue, within, text) => {
    const named = queue === undefined ? {} : { name: queue };
    expect(await scene.failure("CreateQueue", { parent: within, queue: named })).toBe(`3 ${text}`);
  });

  it("is made once, and not again within a week of its deletion", async () => {
    await scene.call("CreateQueue", { parent, queue: { name } });
    expect(await scene.failure("CreateQueue", { parent, queue: { name } })).toBe("6 Queue already exists");
    await scene.call("DeleteQueue", { name });
    const tooSoon = "9 The queue cannot be created because a queue with this name existed too recently.";
    expect(await scene.failure("CreateQueue", { parent, queue: { name } })).toBe(tooSoon);
    expect(await scene.failure("UpdateQueue", { queue: { name } })).toBe(tooSoon);
    expect(await scene.failure("DeleteQueue", { name })).toBe("5 Requested entity was not found.");
    for (const method of ["GetQueue", "PauseQueue", "ResumeQueue", "PurgeQueue"])
      expect(await scene.failure(method, { name })).toBe(missing);
    await scene.pass(7 * 86_400);
    expect(await scene.failure("CreateQueue", { parent, queue: { name } })).toBe("none");
  });

  it("is paused and resumed, and says so", async () => {
    await scene.call("CreateQueue", { parent, queue: { name } });
    expect(await scene.call("PauseQueue", { name })).toMatchObject({ state: "PAUSED" });
    expect(await scene.call("UpdateQueue", { queue: { name, state: "RUNNING" } })).toMatchObject({ state: "PAUSED" });
    expect(await scene.call("ResumeQueue", { name })).toMatchObject({ state: "RUNNING" });
  });

  it("says when it was purged", async () => {
    await scene.call("CreateQueue", { parent, queue: { name } });
    expect(await scene.call("PurgeQueue", { name })).toMatchObject({
      purgeTime: { seconds: scene.clock.now() / 1000 },
    });
  });

  it("refuses App Engine, and says what to do", async () => {
    const queue = { name, appEngineRoutingOverride: { service: "web" } };
    expect(await scene.failure("CreateQueue", { parent, queue })).toMatch(/^12 .*leave appEngineRoutingOverride out/);
  });
});

describe("an update of a queue", () => {
  const set = { name, rateLimits: { maxDispatchesPerSecond: 5 }, retryConfig: { maxAttempts: 7, maxDoublings: 2 } };

  it("makes the queue that is not there", async () => {
    expect(await scene.call("UpdateQueue", { queue: { name } })).toEqual(defaults);
    expect(await scene.call("GetQueue", { name })).toEqual(defaults);
  });

  it("changes what its mask names alone, and puts back to its default what is absent", async () => {
    await scene.call("CreateQueue", { parent, queue: set });
    const paths = ["rate_limits.max_concurrent_dispatches", "retry_config.max_attempts"];
    const queue = { name, rateLimits: { maxDispatchesPerSecond: 99, maxConcurrentDispatches: 9 } };
    expect(await scene.call("UpdateQueue", { queue, updateMask: { paths } })).toMatchObject({
      rateLimits: { maxDispatchesPerSecond: 5, maxBurstSize: 1, maxConcurrentDispatches: 9 },
      retryConfig: { maxAttempts: 100, maxDoublings: 2 },
    });
  });

  it.each([[undefined], [{}], [{ paths: [] }]])("changes all fields with an empty mask: %j", async (updateMask) => {
    await scene.call("CreateQueue", { parent, queue: set });
    const queue = { name, retryConfig: { maxAttempts: 3 } };
    expect(await scene.call("UpdateQueue", { queue, ...(updateMask === undefined ? {} : { updateMask }) })).toEqual({
      ...defaults,
      retryConfig: { ...defaults.retryConfig, maxAttempts: 3 },
    });
  });

  it.each(["rateLimits", "rate_limits.nothing", "labels"])("is refused with the mask %s", async (path) => {
    await scene.call("CreateQueue", { parent, queue: set });
    const request = { queue: { name }, updateMask: { paths: [path] } };
    expect(await scene.failure("UpdateQueue", request)).toBe(`3 Invalid mask for Queue: ${path}`);
  });

  it("ignores what only the service can say", async () => {
    await scene.call("CreateQueue", { parent, queue: { name } });
    const queue = { name, state: "PAUSED", purgeTime: { seconds: 1 }, rateLimits: { maxBurstSize: 1 } };
    const paths = ["state", "purge_time", "rate_limits.max_burst_size"];
    expect(await scene.call("UpdateQueue", { queue, updateMask: { paths } })).toEqual(defaults);
  });
});

describe("a list of queues", () => {
  const ids = Array.from({ length: 25 }, (_, index) => `q-${String(index).padStart(2, "0")}`);

  beforeEach(async () => {
    for (const id of ids) await scene.call("CreateQueue", { parent, queue: { name: `${parent}/queues/${id}` } });
    const elsewhere = "projects/demo/locations/europe-west10";
    await scene.call("CreateQueue", { parent: elsewhere, queue: { name: `${elsewhere}/queues/other` } });
  });

  it("holds those of the location, by name, in pages", async () => {
    const seen: unknown[] = [];
    let pageToken: string | undefined = "";
    do {
      const page: Answer = await scene.call("ListQueues", { parent, pageSize: 10, pageToken });
      seen.push(...(page.queues ?? []).map((queue) => queue.name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(ids.map((id) => `${parent}/queues/${id}`));
  });

  it("holds all of them without a page size, and those alone that a filter lets through", async () => {
    expect((await scene.call("ListQueues", { parent })).queues).toHaveLength(25);
    await scene.call("PauseQueue", { name: `${parent}/queues/q-03` });
    for (const [filter, count] of [
      ["state: PAUSED", 1],
      ["state = RUNNING", 24],
      ["state != RUNNING AND name:q-0", 1],
      ["name : q-1", 10],
    ] as const)
      expect((await scene.call("ListQueues", { parent, filter })).queues, filter).toHaveLength(count);
    expect(await scene.failure("ListQueues", { parent, filter: "rateLimits.maxBurstSize > 3" })).toMatch(/^12 /);
  });
});

describe("the IAM policy of a queue", () => {
  const bindings = [{ role: "roles/cloudtasks.enqueuer", members: ["serviceAccount:a@demo.iam.gserviceaccount.com"] }];

  it("is empty until it is set, and goes with the queue", async () => {
    await scene.call("CreateQueue", { parent, queue: { name } });
    expect((await scene.call("GetIamPolicy", { resource: name })).bindings).toBeUndefined();
    await scene.call("SetIamPolicy", { resource: name, policy: { bindings } });
    expect(await scene.call("GetIamPolicy", { resource: name })).toMatchObject({ bindings });
    await scene.call("DeleteQueue", { name });
    expect(await scene.failure("GetIamPolicy", { resource: name })).toBe(missing);
  });

  it("grants a caller everything on a queue that is there, and nothing on another", async () => {
    const permissions = ["cloudtasks.tasks.create"];
    expect(await scene.call("TestIamPermissions", { resource: name, permissions })).toEqual({ permissions: [] });
    await scene.call("CreateQueue", { parent, queue: { name } });
    expect(await scene.call("TestIamPermissions", { resource: name, permissions })).toEqual({ permissions });
  });
});
