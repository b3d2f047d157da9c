import { describe, expect, it } from "vitest";
import { TaskContract } from "../../src/core/contract.ts";
import type { PlanOptions } from "../../src/core/provisioning.ts";
import { destructionOf, planOf } from "../../src/provision/plan.ts";
import { FakeCloud } from "./fake-cloud.ts";
import { Deployment, desiredOf, idOf, route, type Variation } from "./scene.ts";

const TOPIC = "projects/p/topics/prod--shop.tasks--a.one";
const SUB = "projects/p/subscriptions/prod--shop.tasks--a.one-sub";
const DEAD_SUB = "projects/p/subscriptions/prod--shop.tasks--a.one-dead-sub";
const JOB = "projects/p/locations/europe-west1/jobs/prod--shop-scheduler--a-one";
const QUEUE = "projects/p/locations/europe-west1/queues/prod--shop--b-two";
const GENERATION = "taskroute-generation";

const ROUTES = [
  route("a.one", { schedule: "0 9 * * *" }),
  route("b.two", { via: "cloud-tasks", minRetryDelay: 2.5, queue: { ratePerSecond: 5 } }),
];

/** A cloud in which everything is as the routes want it. */
async function provisioned(variation: Variation = {}): Promise<FakeCloud> {
  const cloud = new FakeCloud();
  await new Deployment(cloud, ROUTES, variation).apply();
  return cloud;
}

/** What is not kept, in short. */
async function changes(cloud: FakeCloud, options: PlanOptions = {}, variation: Variation = {}, routes = ROUTES) {
  const plan = await new Deployment(cloud, routes, variation).plan(options);
  return plan.changes.filter(({ action, reason }) => action !== "keep" || reason !== undefined);
}

describe("a plan", () => {
  it("of nothing that is there creates everything, what others depend on first", async () => {
    const plan = await new Deployment(new FakeCloud(), ROUTES).plan();
    expect(plan.changes.map(({ action, kind, name }) => `${action} ${kind} ${idOf(name)}`)).toEqual([
      "create topic prod--shop.tasks--a.one-dead",
      "create topic prod--shop.tasks--a.one",
      "create topic prod--shop.tasks--b.two-dead",
      "create subscription prod--shop.tasks--a.one-dead-sub",
      "create subscription prod--shop.tasks--a.one-sub",
      "create subscription prod--shop.tasks--b.two-dead-sub",
      "create queue prod--shop--b-two",
      "create job prod--shop-scheduler--a-one",
    ]);
    expect(plan.isEmpty).toBe(false);
  });

  it("of what is as it should be is empty, whatever the services fill in", async () => {
    const plan = await new Deployment(await provisioned(), ROUTES).plan();
    expect(plan.isEmpty).toBe(true);
    expect(new Set(plan.changes.map(({ action }) => action))).toEqual(new Set(["keep"]));
  });

  it.each<[text: string, name: string, tampered: object, field: string, from: unknown, to: unknown]>([
    [
      "a label",
      TOPIC,
      { labels: { "taskroute-environment": "prod", "taskroute-namespace": "shop", own: "1" } },
      "",
      0,
      0,
    ],
    [
      "the endpoint",
      SUB,
      { pushConfig: { pushEndpoint: "https://x" } },
      "pushConfig.pushEndpoint",
      "https://x",
      "https://shop.example/tasks/pubsub",
    ],
    [
      "the account",
      SUB,
      { pushConfig: { pushEndpoint: "https://shop.example/tasks/pubsub" } },
      "pushConfig.oidcToken.serviceAccountEmail",
      undefined,
      "push@p.iam.gserviceaccount.com",
    ],
    ["the deadline", SUB, { ackDeadlineSeconds: 10 }, "ackDeadlineSeconds", 10, 300],
    ["the retry policy", SUB, { retryPolicy: undefined }, "retryPolicy.minimumBackoff", undefined, 10],
    [
      "the dead-letter policy",
      SUB,
      { deadLetterPolicy: { maxDeliveryAttempts: 5, deadLetterTopic: `${TOPIC}-dead` } },
      "deadLetterPolicy.maxDeliveryAttempts",
      5,
      50,
    ],
    ["the expiry", SUB, { expirationPolicy: { ttl: 31 * 86_400 } }, "expirationPolicy.ttl", 31 * 86_400, "never"],
    ["the retention", DEAD_SUB, { messageRetentionDuration: 600 }, "messageRetentionDuration", 600, 31 * 86_400],
    [
      "a pull subscription",
      DEAD_SUB,
      { pushConfig: { pushEndpoint: "https://x" } },
      "pushConfig.pushEndpoint",
      "https://x",
      "",
    ],
    ["the rate", QUEUE, { rateLimits: { maxDispatchesPerSecond: 500 } }, "rateLimits.maxDispatchesPerSecond", 500, 5],
    [
      "a limit that nobody gave",
      QUEUE,
      { rateLimits: { maxDispatchesPerSecond: 5, maxConcurrentDispatches: 1 } },
      "",
      0,
      0,
    ],
    [
      "the attempts",
      QUEUE,
      { retryConfig: { maxAttempts: -1, minBackoff: 2, maxBackoff: 600, maxRetryDuration: 604_800 } },
      "retryConfig.maxAttempts",
      -1,
      15,
    ],
    ["the schedule", JOB, { schedule: "1 9 * * *" }, "schedule", "1 9 * * *", "0 9 * * *"],
    ["the zone", JOB, { timeZone: "Etc/UTC" }, "timeZone", "Etc/UTC", "UTC"],
    [
      "the message",
      JOB,
      { pubsubTarget: { topicName: TOPIC, data: "{}" } },
      "pubsubTarget.data",
      "{}",
      expect.stringContaining("scheduled-one"),
    ],
  ])("sees a change of %s, and of nothing that is not ours", async (_, name, tampered, field, from, to) => {
    const cloud = await provisioned();
    cloud.tamper(name, { ...tampered });
    const found = await changes(cloud);
    if (field === "") return expect(found).toEqual([]);
    expect(found).toMatchObject([{ action: "update", name }]);
    expect(found[0]?.fields).toContainEqual({ field, from, to });
  });

  it.each<[text: string, tampered: Record<string, unknown>, reason: RegExp, blocks: boolean]>([
    ["another topic", { topic: "projects/p/topics/other" }, /^topic cannot be changed/, false],
    ["ordering", { enableMessageOrdering: true }, /^enableMessageOrdering cannot be changed/, false],
    ["a filter", { filter: "attributes.x" }, /^filter cannot be changed/, false],
    ["a deleted topic", { topic: "_deleted-topic_" }, /^its topic was deleted, and it receives nothing/, true],
    ["being cut off", { detached: true }, /^its topic was deleted, and it receives nothing/, true],
  ])("replaces a subscription with %s only with consent", async (_, tampered, reason, blocks) => {
    const cloud = await provisioned();
    cloud.tamper(SUB, tampered);
    const [skipped] = await changes(cloud);
    expect(skipped).toMatchObject({ action: "skip", name: SUB, reason: expect.stringMatching(reason) });
    expect(skipped?.reason).toContain("allow replace");
    expect(skipped?.blocks ?? false).toBe(blocks);
    expect(await changes(cloud, { replace: true })).toMatchObject([
      { action: "replace", reason: expect.stringMatching(reason) },
    ]);
  });

  it.each<[text: string, name: string, tampered: Record<string, unknown>, command: string]>([
    [
      "a topic without labels",
      TOPIC,
      { labels: {} },
      "gcloud pubsub topics update prod--shop.tasks--a.one --project=p --update-labels=taskroute-environment=prod,taskroute-namespace=shop",
    ],
    [
      "a subscription of another service",
      SUB,
      { labels: { "taskroute-environment": "prod", "taskroute-namespace": "x" } },
      "gcloud pubsub subscriptions update",
    ],
    [
      "a job without a marker",
      JOB,
      { description: "mine" },
      'gcloud scheduler jobs update pubsub prod--shop-scheduler--a-one --location=europe-west1 --project=p --description="taskroute:prod/shop"',
    ],
    ["a job of another environment", JOB, { description: "taskroute:dev/shop" }, "gcloud scheduler jobs update"],
  ])("never touches %s, and says how to hand it over", async (_, name, tampered, command) => {
    const cloud = await provisioned();
    cloud.tamper(name, tampered);
    expect(await changes(cloud, { prune: true, replace: true })).toEqual([
      expect.objectContaining({ action: "skip", name, blocks: true, reason: expect.stringContaining(command) }),
    ]);
  });

  it("updates a queue whose name was given, whoever made it: the route says that it is managed", async () => {
    const cloud = new FakeCloud();
    const routes = [route("b.two", { via: "cloud-tasks", queue: { name: "shared" } })];
    await new Deployment(cloud, routes).apply();
    cloud.tamper("projects/p/locations/europe-west1/queues/shared", { retryConfig: {} });
    expect(await changes(cloud, {}, {}, routes)).toMatchObject([{ action: "update", kind: "queue" }]);
  });

  it("leaves what no route needs any more, and deletes it with prune, queues excepted", async () => {
    const cloud = await provisioned();
    const left = (options: PlanOptions) => changes(cloud, options, {}, []);
    expect((await left({})).map(({ action }) => action)).toEqual(Array(8).fill("skip"));
    expect((await left({ prune: true })).map(({ action, name }) => `${action} ${idOf(name)}`)).toEqual([
      "delete prod--shop-scheduler--a-one",
      "delete prod--shop.tasks--a.one-dead-sub",
      "delete prod--shop.tasks--a.one-sub",
      "delete prod--shop.tasks--b.two-dead-sub",
      "delete prod--shop.tasks--b.two-dead",
      "delete prod--shop.tasks--a.one-dead",
      "delete prod--shop.tasks--a.one",
      "skip prod--shop--b-two",
    ]);
  });

  it("takes nothing for left over where the list has contracts: it is not the whole service", async () => {
    const cloud = await provisioned();
    expect(await changes(cloud, {}, {}, [new TaskContract({ path: "a.one" })])).toEqual([]);
  });

  it("takes only what bears this service's name and labels for left over", async () => {
    const cloud = await provisioned();
    await new Deployment(cloud, ROUTES, { env: { TASKS_NAMESPACE: "shop-2" } }).apply();
    await new Deployment(cloud, ROUTES, { env: { TASKS_ENVIRONMENT: "Prod" } }).apply();
    cloud.resources.set("projects/p/topics/prod--shop.tasks--mine", {
      kind: "topic",
      name: "projects/p/topics/prod--shop.tasks--mine",
      settings: { labels: {} },
    });
    const everything = [...cloud.resources.values()];
    expect(everything).toHaveLength(25);
    const { changes: planned } = planOf(desiredOf(ROUTES), everything, { prune: true });
    expect(planned.filter(({ action }) => action !== "keep")).toEqual([]);
  });
});

describe("a job", () => {
  const job = async (cloud: FakeCloud, off: readonly string[]) => {
    const [change] = await changes(cloud, {}, { off });
    return change?.fields.map(({ field, to }) => [field, to]) ?? [];
  };

  it("is paused when its route is switched off, and resumed when it is on again", async () => {
    const cloud = await provisioned();
    expect(await job(cloud, ["a.one"])).toEqual([
      ["description", "Enqueues a.one. taskroute:prod/shop switched-off"],
      ["state", "PAUSED"],
    ]);
    await new Deployment(cloud, ROUTES, { off: ["a.one"] }).apply();
    expect(await job(cloud, ["a.one"])).toEqual([]);
    expect(await job(cloud, [])).toEqual([
      ["description", "Enqueues a.one. taskroute:prod/shop"],
      ["state", "ENABLED"],
    ]);
  });

  it("that somebody else has paused stays paused, whether its route is switched off and on in between", async () => {
    const cloud = await provisioned();
    cloud.tamper(JOB, { state: "PAUSED" });
    for (const off of [[], ["a.one"], []]) {
      expect(await changes(cloud, {}, { off })).toMatchObject([
        { action: "keep", reason: expect.stringMatching(/paused by somebody else/) },
      ]);
      await new Deployment(cloud, ROUTES, { off }).apply();
    }
    expect(cloud.resources.get(JOB)?.settings).toMatchObject({ state: "PAUSED" });
  });

  it("that somebody else has paused is updated all the same, and stays paused", async () => {
    const cloud = await provisioned();
    cloud.tamper(JOB, { state: "PAUSED", schedule: "1 1 * * *" });
    await new Deployment(cloud, ROUTES).apply();
    expect(cloud.resources.get(JOB)?.settings).toMatchObject({ state: "PAUSED", schedule: "0 9 * * *" });
  });

  it("whose update the service could not finish is written as a whole", async () => {
    const cloud = await provisioned();
    cloud.tamper(JOB, { state: "UPDATE_FAILED" });
    expect(await job(cloud, [])).toEqual([["state", "ENABLED"]]);
  });

  it("of a path that is too long for a description is kept as it is", async () => {
    const long = route(`${"segment.".repeat(80)}last`, { schedule: "* * * * *" });
    const cloud = new FakeCloud();
    const deployment = new Deployment(cloud, [long], { env: { TASKS_GENERATION: "7" } });
    await deployment.apply();
    const [found] = cloud.names("job").map((name) => cloud.resources.get(name));
    expect(String(found?.settings.description).length).toBeLessThanOrEqual(500);
    expect((await deployment.plan()).isEmpty).toBe(true);
  });
});

describe("a deployment", () => {
  const generation = (number: number): Variation => ({ env: { TASKS_GENERATION: String(number) } });

  it("that is new signs one topic, and writes nothing else where nothing differs", async () => {
    const cloud = await provisioned(generation(4));
    expect(await changes(cloud, {}, generation(4))).toEqual([]);
    expect(await changes(cloud, {}, generation(5))).toMatchObject([
      { action: "update", name: TOPIC, fields: [{ field: `labels.${GENERATION}`, from: "4", to: "5" }] },
    ]);
  });

  it("that is older than what has been there writes nothing, and says so", async () => {
    const cloud = await provisioned(generation(5));
    cloud.tamper(SUB, { ackDeadlineSeconds: 10 });
    cloud.resources.delete(JOB);
    const found = await changes(cloud, { prune: true }, generation(4), [...ROUTES, route("c.three")]);
    expect(new Set(found.map(({ action }) => action))).toEqual(new Set(["skip"]));
    expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining([SUB, JOB]));
    for (const { reason } of found) expect(reason).toContain("a newer deployment (5) has been here");
  });

  it("without a number writes what differs, and is not kept from it", async () => {
    const cloud = await provisioned(generation(5));
    cloud.tamper(SUB, { ackDeadlineSeconds: 10 });
    expect(await changes(cloud)).toMatchObject([{ action: "update", name: SUB }]);
  });

  it("signs one that will stay as well, where the first topic is one that is left over", async () => {
    const cloud = await provisioned(generation(4));
    const found = await changes(cloud, { prune: true }, generation(5), ROUTES.slice(1));
    const signed = found.filter(({ action }) => action === "update").map(({ name }) => idOf(name));
    expect(signed).toEqual(["prod--shop.tasks--a.one", "prod--shop.tasks--b.two-dead"]);
  });
});

describe("destruction", () => {
  it("takes everything that is this service's own, and no queue whose name was given", async () => {
    const cloud = await provisioned();
    const routes = [...ROUTES, route("c.three", { via: "cloud-tasks", queue: "shared" })];
    await new Deployment(cloud, routes).apply();
    await new Deployment(cloud, ROUTES, { env: { TASKS_ENVIRONMENT: "dev" } }).apply();
    const steps = destructionOf(desiredOf(routes), [...cloud.resources.values()]);
    const doomed = steps.filter(({ change }) => change.action === "delete").map(({ change }) => idOf(change.name));
    expect(doomed).toHaveLength(10);
    expect(doomed.every((id) => id.startsWith("prod--shop"))).toBe(true);
    expect(steps.filter(({ change }) => change.action === "skip").map(({ change }) => idOf(change.name))).toEqual([
      "shared",
    ]);
  });
});
