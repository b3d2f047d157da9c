import { describe, expect, it } from "vitest";
import { TaskContract } from "../../src/core/contract.ts";
import type { AnyRoute } from "../../src/core/declaration.ts";
import { desiredState } from "../../src/provision/desired.ts";
import type { DesiredResource } from "../../src/provision/resources.ts";
import { refusalOf } from "../support/refusal.ts";
import { configOf, desiredOf, ENV, idOf, route, type Variation } from "./scene.ts";

const ACCOUNT = ENV.TASKS_SERVICE_ACCOUNT;
const TOPIC = "projects/p/topics/prod--shop.tasks--a.one";
const LABELS = { "taskroute-environment": "prod", "taskroute-namespace": "shop" };

function one(routes: readonly AnyRoute[], kind: string, id: string, variation?: Variation): DesiredResource {
  const found = desiredOf(routes, variation).resources.find((r) => r.kind === kind && idOf(r.name) === id);
  return found ?? expect.unreachable(`no ${kind} ${id}`);
}

function settings(options: object, kind: string, id: string, variation?: Variation): object {
  return one([route("a.one", options)], kind, id, variation).settings;
}

describe("the desired state of a route over Pub/Sub", () => {
  it("is a topic and a push subscription, with a dead-letter topic and a subscription that keeps what is in it", () => {
    expect(desiredOf([route("a.one", { ackDeadline: 60, minRetryDelay: 5, maxAttempts: 4 })]).resources).toEqual([
      {
        kind: "topic",
        name: `${TOPIC}-dead`,
        routes: ["a.one"],
        dependsOn: [],
        agentRole: "roles/pubsub.publisher",
        settings: { labels: LABELS },
      },
      { kind: "topic", name: TOPIC, routes: ["a.one"], dependsOn: [], settings: { labels: LABELS } },
      {
        kind: "subscription",
        name: "projects/p/subscriptions/prod--shop.tasks--a.one-dead-sub",
        routes: ["a.one"],
        dependsOn: [`${TOPIC}-dead`],
        settings: {
          topic: `${TOPIC}-dead`,
          pushConfig: { pushEndpoint: "" },
          ackDeadlineSeconds: 60,
          expirationPolicy: { ttl: "never" },
          messageRetentionDuration: 31 * 86_400,
          enableMessageOrdering: false,
          filter: "",
          detached: false,
          labels: LABELS,
        },
      },
      {
        kind: "subscription",
        name: "projects/p/subscriptions/prod--shop.tasks--a.one-sub",
        routes: ["a.one"],
        dependsOn: [TOPIC, `${TOPIC}-dead`],
        agentRole: "roles/pubsub.subscriber",
        settings: {
          topic: TOPIC,
          pushConfig: {
            pushEndpoint: "https://shop.example/tasks/pubsub",
            oidcToken: { serviceAccountEmail: ACCOUNT, audience: "https://shop.example" },
          },
          ackDeadlineSeconds: 60,
          retryPolicy: { minimumBackoff: 5, maximumBackoff: 600 },
          deadLetterPolicy: { deadLetterTopic: `${TOPIC}-dead`, maxDeliveryAttempts: 20 },
          expirationPolicy: { ttl: "never" },
          enableMessageOrdering: false,
          filter: "",
          detached: false,
          labels: LABELS,
        },
      },
    ]);
  });

  it.each<[text: string, options: object, env: object, wanted: object]>([
    ["ackDeadline", { ackDeadline: 600 }, {}, { ackDeadlineSeconds: 600 }],
    ["minRetryDelay", { minRetryDelay: 0 }, {}, { retryPolicy: { minimumBackoff: 0, maximumBackoff: 600 } }],
    ["maxRetryDelay", { maxRetryDelay: 12 }, {}, { retryPolicy: { minimumBackoff: 10, maximumBackoff: 12 } }],
    ["maxAttempts: 1", { maxAttempts: 1 }, {}, { deadLetterPolicy: { maxDeliveryAttempts: 5 } }],
    ["maxAttempts: 7", { maxAttempts: 7 }, {}, { deadLetterPolicy: { maxDeliveryAttempts: 35 } }],
    ["maxAttempts: 100", { maxAttempts: 100 }, {}, { deadLetterPolicy: { maxDeliveryAttempts: 100 } }],
    ["ordered", { ordered: true }, {}, { enableMessageOrdering: true }],
    ["TASKS_PUSH_PATH", {}, { TASKS_PUSH_PATH: "/in" }, { pushConfig: { pushEndpoint: "https://shop.example/in" } }],
    ["TASKS_AUDIENCE", {}, { TASKS_AUDIENCE: "one,two" }, { pushConfig: { oidcToken: { audience: "one" } } }],
    [
      "TASKS_SERVICE_ACCOUNT",
      {},
      { TASKS_SERVICE_ACCOUNT: "a@p,b@p" },
      { pushConfig: { oidcToken: { serviceAccountEmail: "a@p" } } },
    ],
    ["upper case", {}, { TASKS_NAMESPACE: "Shop" }, { labels: LABELS }],
  ])("carries %s to its subscription", (_, options, env, wanted) => {
    const id = `prod--${"TASKS_NAMESPACE" in env ? "Shop" : "shop"}.tasks--a.one-sub`;
    expect(settings(options, "subscription", id, { env: { ...env } })).toMatchObject(wanted);
  });

  it("has a job when it is scheduled, which publishes what a tick sends", () => {
    const job = one(
      [route("a.one", { schedule: "0 9 * * *", scheduleTimezone: "Europe/London", schedulePayload: { day: "é" } })],
      "job",
      "prod--shop-scheduler--a-one",
    );
    expect(job).toEqual({
      kind: "job",
      name: "projects/p/locations/europe-west1/jobs/prod--shop-scheduler--a-one",
      routes: ["a.one"],
      dependsOn: [TOPIC],
      settings: {
        pubsubTarget: {
          topicName: TOPIC,
          data: '{"task_id":"scheduled-one","task_name":"one","args":[],"kwargs":{"day":"é"}}',
        },
        retryConfig: { retryCount: 3, minBackoffDuration: 5, maxBackoffDuration: 20, maxDoublings: 5 },
        description: "Enqueues a.one. taskroute:prod/shop",
        schedule: "0 9 * * *",
        timeZone: "Europe/London",
        state: "ENABLED",
      },
    });
  });

  it("has its job paused while it is switched off, and the marker says who paused it", () => {
    const variation = { off: ["a.one"] };
    expect(settings({ schedule: "0 9 * * *" }, "job", "prod--shop-scheduler--a-one", variation)).toMatchObject({
      state: "PAUSED",
      description: "Enqueues a.one. taskroute:prod/shop switched-off",
    });
  });
});

describe("the desired state of a route over Cloud Tasks", () => {
  const over = (options: object = {}) => route("a.one", { via: "cloud-tasks", ...options });
  const queue = (options: object, id = "prod--shop--a-one") => one([over(options)], "queue", id).settings;

  it("is a queue, and a place for dead letters to which nobody but us publishes", () => {
    const { resources } = desiredOf([over()]);
    expect(resources.map(({ kind, name }) => [kind, idOf(name)])).toEqual([
      ["topic", "prod--shop.tasks--a.one-dead"],
      ["subscription", "prod--shop.tasks--a.one-dead-sub"],
      ["queue", "prod--shop--a-one"],
    ]);
    expect(resources[0]).not.toHaveProperty("agentRole");
    expect(resources[2]).toEqual({
      kind: "queue",
      name: "projects/p/locations/europe-west1/queues/prod--shop--a-one",
      routes: ["a.one"],
      dependsOn: [],
      literal: false,
      settings: { retryConfig: { maxAttempts: 15, minBackoff: 10, maxBackoff: 600, maxRetryDuration: 604_800 } },
    });
  });

  it.each<[text: string, options: object, wanted: object]>([
    ["maxAttempts", { maxAttempts: 100 }, { retryConfig: { maxAttempts: 105 } }],
    ["minRetryDelay", { minRetryDelay: 0.5 }, { retryConfig: { minBackoff: 0.5 } }],
    ["no minRetryDelay", { minRetryDelay: 0, maxRetryDelay: 0 }, { retryConfig: { minBackoff: 0.1, maxBackoff: 0.1 } }],
    ["maxRetryDelay", { maxRetryDelay: 3600 }, { retryConfig: { maxBackoff: 3600 } }],
    ["ratePerSecond", { queue: { ratePerSecond: 0.5 } }, { rateLimits: { maxDispatchesPerSecond: 0.5 } }],
    ["maxConcurrent", { queue: { maxConcurrent: 7 } }, { rateLimits: { maxConcurrentDispatches: 7 } }],
    ["maxDoublings", { queue: { maxDoublings: 0 } }, { retryConfig: { maxDoublings: 0 } }],
    ["maxRetryDuration", { queue: { maxRetryDuration: 0 } }, { retryConfig: { maxRetryDuration: 0 } }],
    ["logSampling", { queue: { logSampling: 0.25 } }, { stackdriverLoggingConfig: { samplingRatio: 0.25 } }],
  ])("carries %s to its queue", (_, options, wanted) => {
    expect(queue(options)).toMatchObject(wanted);
  });

  it("leaves out what a route does not say, so that it stays as it is", () => {
    expect(queue({ queue: { ratePerSecond: 1 } })).toMatchObject({ rateLimits: { maxDispatchesPerSecond: 1 } });
    expect(queue({ queue: { ratePerSecond: 1 } })).not.toHaveProperty("rateLimits.maxConcurrentDispatches");
    expect(queue({})).not.toHaveProperty("retryConfig.maxDoublings");
  });

  it("has a queue for each priority, with its own settings before those of the route's", () => {
    const options = {
      queue: { ratePerSecond: 1, maxConcurrent: 2, priorities: { high: { ratePerSecond: 9, minRetryDelay: 1 } } },
    };
    expect(queue(options, "prod--shop--a-one-high")).toMatchObject({
      rateLimits: { maxDispatchesPerSecond: 9, maxConcurrentDispatches: 2 },
      retryConfig: { minBackoff: 1, maxBackoff: 600, maxAttempts: 15 },
    });
  });

  it.each<[text: string, queue: string | object, names: readonly string[]]>([
    ["an id", "mine", ["projects/p/locations/europe-west1/queues/mine"]],
    ["an id that is not managed", { name: "mine", managed: false }, []],
    ["a full name", "projects/q/locations/l/queues/mine", []],
    [
      "a full name that is managed",
      { name: "projects/q/locations/l/queues/mine", managed: true },
      ["projects/q/locations/l/queues/mine"],
    ],
    [
      "an id that is not managed, with a priority that is",
      { name: "mine", managed: false, priorities: { high: { managed: true } } },
      ["projects/p/locations/europe-west1/queues/mine-high"],
    ],
  ])("makes the queue of %s if it is ours to make", (_, given, names) => {
    const queues = desiredOf([over({ queue: given })]).resources.filter(({ kind }) => kind === "queue");
    expect(queues.map(({ name }) => name)).toEqual(names);
    for (const found of queues) expect(found).toMatchObject({ literal: true });
  });

  it("has a job when it is scheduled, which posts to the push handler", () => {
    const scheduled = over({ schedule: "* * * * *", maxAttempts: 3, minRetryDelay: 1, ackDeadline: 1800 });
    expect(one([scheduled], "job", "prod--shop-scheduler--a-one")).toMatchObject({
      dependsOn: [],
      settings: {
        httpTarget: {
          uri: "https://shop.example/tasks/pubsub",
          httpMethod: "POST",
          headers: { "Content-Type": "application/json" },
          body: '{"task_id":"scheduled-one","task_name":"one","args":[],"kwargs":{}}',
          oidcToken: { serviceAccountEmail: ACCOUNT, audience: "https://shop.example" },
        },
        attemptDeadline: 1800,
        retryConfig: { retryCount: 2, minBackoffDuration: 5, maxBackoffDuration: 600 },
      },
    });
  });
});

describe("the desired state of a list", () => {
  it("takes the backend's own service for routes that name none", () => {
    const kinds = (defaultVia: Variation["defaultVia"] & string) =>
      desiredOf([route("a.one")], { defaultVia }).resources.map(({ kind }) => kind);
    expect(kinds("pubsub")).toEqual(["topic", "topic", "subscription", "subscription"]);
    expect(kinds("cloud-tasks")).toEqual(["topic", "subscription", "queue"]);
  });

  it.each<[deferral: string, names: readonly string[]]>([
    ["true", ["projects/p/locations/europe-west1/queues/prod--shop-deferral"]],
    ["later", ["projects/p/locations/europe-west1/queues/later"]],
    ["projects/q/locations/l/queues/later", []],
  ])("has the deferral queue %s, if a route goes over Pub/Sub", (deferral, names) => {
    const queuesOf = (routes: readonly AnyRoute[]) =>
      desiredOf(routes, { env: { TASKS_DEFERRAL_QUEUE: deferral } }).resources.filter(({ kind }) => kind === "queue");
    const routes = [
      route("a.one"),
      route("a.two"),
      route("a.three", { via: "cloud-tasks", queue: { managed: false } }),
    ];
    expect(queuesOf(routes).map(({ name }) => name)).toEqual(names);
    for (const found of queuesOf(routes)) expect(found.routes).toEqual(["a.one", "a.two"]);
    expect(queuesOf(routes.slice(2))).toEqual([]);
  });

  it("makes one queue of those that routes share and agree on", () => {
    const shared = { via: "cloud-tasks", queue: { name: "shared", ratePerSecond: 1 } } as const;
    const { resources } = desiredOf([route("a.one", shared), route("a.two", shared)]);
    expect(resources.filter(({ kind }) => kind === "queue")).toEqual([
      expect.objectContaining({ routes: ["a.one", "a.two"], literal: true }),
    ]);
  });

  it("looks for queues where the derived ones are and wherever a route's own are", () => {
    const elsewhere = { name: "projects/q/locations/l/queues/mine", managed: true };
    const { queueParents, jobParent } = desiredOf([route("a.one", { via: "cloud-tasks", queue: elsewhere })], {
      env: { TASKS_QUEUE_LOCATION: "r2" },
    });
    expect(queueParents).toEqual(["projects/p/locations/r2", "projects/q/locations/l"]);
    expect(jobParent).toBe("projects/p/locations/europe-west1");
  });

  it("holds nothing of a contract, whose resources are made by the service that runs it", () => {
    const { resources, contracts } = desiredOf([new TaskContract({ path: "b.far", schedule: "* * * * *" })]);
    expect({ resources, contracts }).toEqual({ resources: [], contracts: ["b.far"] });
  });
});

describe("a configuration that does not do", () => {
  const empty = { GCP_PROJECT_ID: "", CLOUD_RUN_SERVICE_URL: "", TASKS_SERVICE_ACCOUNT: "" };
  const refusal = (routes: readonly AnyRoute[], variation?: Variation) =>
    refusalOf(() => desiredOf(routes, variation), "INVALID_CONFIG");

  it("is refused with everything that is wrong with it", () => {
    const text = refusal([route("a.one", { ackDeadline: 900 })], { env: empty });
    expect(text).toMatch(/^environment: 4 problems/);
    for (const part of ["GCP_PROJECT_ID", "CLOUD_RUN_SERVICE_URL", "TASKS_SERVICE_ACCOUNT", "ackDeadline"])
      expect(text).toContain(part);
  });

  it("needs no service and no account where nothing pushes to it", () => {
    const env = { ...empty, GCP_PROJECT_ID: "p" };
    const quiet = route("a.one", { via: "cloud-tasks" });
    expect(desiredOf([quiet], { env }).resources).toHaveLength(3);
    expect(refusal([route("a.one", { via: "cloud-tasks", schedule: "* * * * *" })], { env })).toContain("2 problems");
  });

  it.each<[defaultVia: "pubsub" | "cloud-tasks", options: object, text: string]>([
    ["pubsub", { ackDeadline: 601 }, '"a.one": expected ackDeadline to be 10–600 seconds over pubsub, got 601'],
    ["pubsub", { minRetryDelay: 700, maxRetryDelay: 800 }, "expected minRetryDelay to be 0–600 seconds over pubsub"],
    ["pubsub", { maxRetryDelay: 800 }, "expected maxRetryDelay to be 0–600 seconds over pubsub, got 800"],
    ["cloud-tasks", { ackDeadline: 10 }, "expected ackDeadline to be 15–1800 seconds over cloud-tasks, got 10"],
    ["cloud-tasks", { ordered: true }, "expected ordered to be left out over cloud-tasks"],
  ])("is one over %s with %o", (defaultVia, options, text) => {
    expect(refusal([route("a.one", options)], { defaultVia })).toContain(text);
  });

  it("is two routes that want one queue different, in the fields that it names", () => {
    const shared = (more: object) => ({ via: "cloud-tasks", ...more, queue: { name: "shared" } }) as const;
    const text = refusal([route("a.one", shared({ maxAttempts: 3 })), route("a.two", shared({ minRetryDelay: 1 }))]);
    expect(text).toContain(
      'queue shared: expected one setting from all routes that share it, got different maxAttempts, minBackoff from "a.one" and "a.two"',
    );
  });

  it("is a shared secret for a route over Pub/Sub, which cannot send one", () => {
    const scope = { config: configOf(), defaultVia: "pubsub", isOff: () => false, authKind: "shared-secret" } as const;
    const text = refusalOf(() => desiredState({ ...scope, routes: [route("a.one")] }), "INVALID_CONFIG");
    expect(text).toContain('auth: expected oidc() for "a.one", which Pub/Sub pushes, got a shared secret');
    expect(desiredState({ ...scope, routes: [route("a.one", { via: "cloud-tasks" })] }).resources).toHaveLength(3);
  });

  it("is an emulator of one service beside Google's own of another: nothing is tried half-way in a project", () => {
    const env = { PUBSUB_EMULATOR_HOST: "127.0.0.1:8085" };
    const text = refusal([route("a.one", { schedule: "* * * * *" }), route("b.two", { via: "cloud-tasks" })], { env });
    expect(text).toContain('CLOUD_SCHEDULER_EMULATOR_HOST: expected an emulator for the job of "a.one"');
    expect(text).toContain('CLOUD_TASKS_EMULATOR_HOST: expected an emulator for the queue of "b.two"');
    expect(desiredOf([route("a.one")], { env }).apart).toEqual(["queue", "job"]);
    expect(desiredOf([route("a.one")], { env: { TASKS_EMULATOR_HOST: "127.0.0.1:8085" } }).apart).toEqual([]);
    expect(desiredOf([route("a.one")]).apart).toEqual([]);
  });
});

describe("what may be Google's own emulator of Pub/Sub", () => {
  it("is asked for nothing that it does not take: 31 days, and a change of labels", () => {
    const env = { PUBSUB_EMULATOR_HOST: "127.0.0.1:8085", TASKS_GENERATION: "4" };
    const { resources, owner } = desiredOf([route("a.one")], { env });
    expect(resources.find(({ name }) => name.endsWith("-dead-sub"))?.settings).toMatchObject({
      messageRetentionDuration: 7 * 86_400,
    });
    expect(owner.generation).toBeUndefined();
  });
});
