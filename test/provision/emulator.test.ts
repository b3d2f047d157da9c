import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import type { AnyRoute } from "../../src/core/declaration.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { type Emulator, startEmulator } from "../../src/emulator/index.ts";
import { createTasks } from "../../src/index.ts";
import { googleCloud } from "../../src/provision/gcp.ts";
import type { ObservedResource } from "../../src/provision/resources.ts";
import { HastyClock } from "./hasty-clock.ts";
import { configOf, ENV, route } from "./scene.ts";

let emulator: Emulator;

beforeAll(async () => {
  emulator = await startEmulator({ iam: "strict" });
});
afterAll(() => emulator.close());
beforeEach(async () => {
  await fetch(`http://${emulator.host}:${emulator.restPort}/control/reset`, { method: "POST" });
});

/** A client that waits for nothing but the emulator. */
function client(routes: readonly AnyRoute[], env: Record<string, string> = {}, clock: Clock = new HastyClock()) {
  return createTasks({ routes, env: { ...ENV, ...emulator.env, TASKS_BACKEND: "pubsub,cloud-tasks", ...env }, clock });
}

const FULL = [
  route("a.one", { schedule: "0 9 * * *", killSwitch: "ONE", schedulePayload: { text: "é" } }),
  route("a.ordered", { ordered: true, ackDeadline: 20, minRetryDelay: 0, maxRetryDelay: 12.5 }),
  route("b.two", {
    via: "cloud-tasks",
    schedule: "*/5 * * * *",
    minRetryDelay: 0.5,
    queue: {
      ratePerSecond: 5,
      maxConcurrent: 3,
      maxDoublings: 2,
      maxRetryDuration: 60,
      logSampling: 0.5,
      priorities: { high: { ratePerSecond: 7 } },
    },
  }),
];

/** What there is, as Google's clients see it. */
async function found(): Promise<readonly ObservedResource[]> {
  const cloud = googleCloud(configOf(emulator.env));
  const location = "projects/p/locations/europe-west1";
  const pages = await Promise.all([
    cloud.list("topic", "projects/p"),
    cloud.list("subscription", "projects/p"),
    cloud.list("queue", location),
    cloud.list("job", location),
  ]);
  await cloud.close();
  return pages.flatMap(({ resources }) => resources);
}

describe("with Google's clients, against the emulator", () => {
  it("makes everything that a list needs, finds it again as it wants it, and takes it away", async () => {
    await using tasks = client(FULL, { TASKS_DEFERRAL_QUEUE: "true", TASKS_GENERATION: "3", ONE: "off" });
    const { results } = await tasks.provision();
    expect(results.filter(({ status }) => status !== "done")).toEqual([]);
    expect(results).toHaveLength(15);
    expect((await tasks.plan()).changes.filter(({ action }) => action !== "keep")).toEqual([]);
    const job = (await found()).find(({ name }) => name.endsWith("a-one"));
    expect(job?.settings).toMatchObject({
      state: "PAUSED",
      description: "Enqueues a.one. taskroute:prod/shop#3 switched-off",
      pubsubTarget: { data: expect.stringContaining('{"text":"é"}') },
    });
    await tasks.destroy();
    expect(await found()).toEqual([]);
  });

  it("writes the fields that differ, and leaves what is not ours", async () => {
    await using before = client(FULL);
    await before.provision();
    const changed = [
      route("a.one", { schedule: "1 9 * * 1-5", ackDeadline: 30, maxAttempts: 3, killSwitch: "ONE" }),
      route("a.ordered", { ordered: true, minRetryDelay: 1 }),
      route("b.two", { via: "cloud-tasks", schedule: "*/6 * * * *", queue: { ratePerSecond: 6 } }),
    ];
    await using after = client(changed, { CLOUD_RUN_SERVICE_URL: "https://new.example", ONE: "off" });
    const { results } = await after.provision();
    expect(results.filter(({ status }) => status === "failed")).toEqual([]);
    expect((await after.plan()).isEmpty).toBe(true);
    const queue = (await found()).find(({ name }) => name.endsWith("b-two"));
    expect(queue?.settings).toMatchObject({
      rateLimits: { maxDispatchesPerSecond: 6, maxConcurrentDispatches: 3 },
      retryConfig: { maxDoublings: 2, minBackoff: 10 },
    });
  });

  it("replaces what cannot be changed with consent alone", async () => {
    await using before = client([route("a.one")]);
    await before.provision();
    await using after = client([route("a.one", { ordered: true })]);
    const fields = [{ field: "enableMessageOrdering", from: false, to: true }];
    expect((await after.plan()).changes).toContainEqual(expect.objectContaining({ action: "skip", fields }));
    await after.provision({ replace: true });
    expect((await after.plan()).isEmpty).toBe(true);
  });

  it("sees that a topic was deleted behind its back", async () => {
    await using tasks = client([route("a.one")]);
    await tasks.provision();
    const cloud = googleCloud(configOf(emulator.env));
    await cloud.delete("topic", "projects/p/topics/prod--shop.tasks--a.one");
    await cloud.close();
    await expect(tasks.provision()).rejects.toMatchObject({
      message: expect.stringContaining("its topic was deleted"),
    });
    await tasks.provision({ replace: true });
    expect((await tasks.plan()).isEmpty).toBe(true);
  });

  it("prunes what no route needs any more, and says that a deleted queue's name is taken", async () => {
    await using tasks = client(FULL);
    await tasks.provision();
    await using fewer = client(FULL.slice(0, 1));
    await fewer.provision({ prune: true });
    const left = (await found()).map(({ kind, name }) => `${kind} ${name.slice(name.lastIndexOf("/") + 1)}`);
    expect(left.filter((text) => !text.includes("a.one") && !text.includes("a-one"))).toEqual([
      "queue prod--shop--b-two",
      "queue prod--shop--b-two-high",
    ]);
    await tasks.destroy();
    await expect(tasks.provision()).rejects.toMatchObject({
      message: expect.stringContaining("deleted in the last 7 days"),
    });
  });

  it("lists in pages, each as large as the service gives it", async () => {
    const routes = Array.from({ length: 510 }, (_, index) => route(`scale.r${index}`));
    await using tasks = client(routes);
    const { results } = await tasks.provision({ callsPerMinute: 6000, grants: "project", concurrency: 64 });
    expect(results).toHaveLength(2040);
    const cloud = googleCloud(configOf(emulator.env));
    const first = await cloud.list("topic", "projects/p");
    const second = await cloud.list("topic", "projects/p", first.next);
    expect([first.resources.length, second.resources.length, second.next]).toEqual([1000, 20, undefined]);
    await cloud.close();
    expect((await tasks.plan()).isEmpty).toBe(true);
  });

  it("after an apply there is nothing left to do, whatever was there before", async () => {
    const lists = fc.uniqueArray(fc.constantFrom(...FULL, route("a.one", { ackDeadline: 99 }), route("c.three")), {
      selector: ({ path }) => path,
    });
    await fc.assert(
      fc.asyncProperty(lists, lists, fc.nat(2), async (before, after, more) => {
        await using first = client(before, { TASKS_GENERATION: "3" });
        await using second = client(after, { TASKS_GENERATION: String(3 + more) });
        const consent = { replace: true, prune: true };
        await first.provision(consent);
        await second.provision(consent);
        const { changes } = await second.plan(consent);
        expect(changes.filter(({ action, kind }) => action !== "keep" && kind !== "queue")).toEqual([]);
        await fetch(`http://${emulator.host}:${emulator.restPort}/control/reset`, { method: "POST" });
      }),
      { numRuns: 10 },
    );
  });

  it("an older and a newer deployment that provision at once settle to what the newer one wants", async () => {
    const older = client(FULL, { TASKS_GENERATION: "3" }, systemClock);
    const newer = client(
      [route("a.one", { ackDeadline: 99, schedule: "1 1 1 1 *" }), ...FULL.slice(1)],
      { TASKS_GENERATION: "4" },
      systemClock,
    );
    const reports = await Promise.all([older.provision(), newer.provision()]);
    for (const { results } of reports) expect(results.filter(({ status }) => status === "failed")).toEqual([]);
    expect((await newer.plan()).changes.filter(({ action }) => action !== "keep")).toEqual([]);
    await Promise.all([older.close(), newer.close()]);
  });
});

describe("provisioning at boot", () => {
  it("makes what is missing before the service takes work, where it is required, and publishes to it", async () => {
    const env = { K_SERVICE: "shop", K_REVISION: "shop-00007-abc" };
    await using tasks = createTasks({
      routes: [route("boot.one")],
      env: { ...ENV, ...emulator.env, ...env, TASKS_BACKEND: "pubsub" },
      provision: { when: "on-boot", required: true },
      logger: silentLogger,
    });
    await tasks.start();
    const topic = (await found()).find(({ name }) => name.endsWith("boot.one"));
    expect(topic?.settings.labels).toMatchObject({ "taskroute-generation": "7" });
  });
});
