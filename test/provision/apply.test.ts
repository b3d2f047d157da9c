import { describe, expect, it } from "vitest";
import type { ChangeResult, ProvisionReport } from "../../src/core/provisioning.ts";
import { assertDone } from "../../src/provision/failures.ts";
import { refusalOf } from "../support/refusal.ts";
import { type FakeCall, FakeCloud, grpcError } from "./fake-cloud.ts";
import { Deployment, idOf, route } from "./scene.ts";

const TOPIC = "projects/p/topics/prod--shop.tasks--a.one";
const DEAD = `${TOPIC}-dead`;
const SUB = "projects/p/subscriptions/prod--shop.tasks--a.one-sub";
const JOB = "projects/p/locations/europe-west1/jobs/prod--shop-scheduler--a-one";
const QUEUE = "projects/p/locations/europe-west1/queues/prod--shop--b-two";
const AGENT = "serviceAccount:service-42@gcp-sa-pubsub.iam.gserviceaccount.com";

const ONE = route("a.one", { schedule: "0 9 * * *" });
const TWO = route("b.two", { via: "cloud-tasks" });

/** Results that are not plainly done, in short: status and the last part of the name. */
function others({ results }: ProvisionReport): readonly string[] {
  return results
    .filter(({ status }) => status !== "done")
    .map(({ status, change }) => `${status} ${idOf(change.name)}`);
}

function resultOf({ results }: ProvisionReport, name: string): ChangeResult {
  return results.find(({ change }) => change.name === name) ?? expect.unreachable(`no result of ${name}`);
}

/** Fails the calls that fit, `times` times. */
function failing(cloud: FakeCloud, fits: Partial<FakeCall>, error: Error, times = Number.POSITIVE_INFINITY): void {
  let left = times;
  cloud.before = (call) => {
    const is = Object.entries(fits).every(([key, value]) => call[key as keyof FakeCall] === value);
    if (is && left-- > 0) throw error;
  };
}

const methods = (cloud: FakeCloud) => cloud.calls.map(({ method, name }) => `${method} ${idOf(name)}`);

describe("an apply", () => {
  it("makes everything, and grants the service agent what dead letters need", async () => {
    const cloud = new FakeCloud();
    expect(others(await new Deployment(cloud, [ONE, TWO]).apply())).toEqual([]);
    expect(cloud.policies.get(DEAD)?.bindings).toEqual([{ role: "roles/pubsub.publisher", members: [AGENT] }]);
    expect(cloud.policies.get(SUB)?.bindings).toEqual([{ role: "roles/pubsub.subscriber", members: [AGENT] }]);
    // Dead letters of Cloud Tasks are published by the service itself.
    expect([...cloud.policies.keys()]).toHaveLength(2);
  });

  it("of what is as it should be only lists, and asks for no grant", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [ONE, TWO]).apply();
    cloud.calls.length = 0;
    const { results } = await new Deployment(cloud, [ONE, TWO]).apply();
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(["unchanged"]));
    expect(new Set(cloud.calls.map(({ method }) => method))).toEqual(new Set(["list"]));
    expect(cloud.calls).toHaveLength(4);
  });

  it("keeps labels and settings that are not its own", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [ONE, TWO]).apply();
    cloud.tamper(TOPIC, { labels: { ...Object(cloud.resources.get(TOPIC)?.settings.labels), team: "red" } });
    cloud.tamper(QUEUE, { rateLimits: { maxConcurrentDispatches: 3 }, retryConfig: {} });
    const env = { TASKS_GENERATION: "9" };
    await new Deployment(cloud, [ONE, TWO], { env }).apply();
    expect(cloud.resources.get(TOPIC)?.settings.labels).toMatchObject({ team: "red", "taskroute-generation": "9" });
    expect(cloud.resources.get(QUEUE)?.settings.rateLimits).toEqual({ maxConcurrentDispatches: 3 });
  });

  it("pauses the job of a route that is switched off, after it has said so in the marker", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [ONE]).apply();
    cloud.calls.length = 0;
    await new Deployment(cloud, [ONE], { off: ["a.one"] }).apply();
    expect(methods(cloud).slice(-2)).toEqual([
      "update prod--shop-scheduler--a-one",
      "setPaused prod--shop-scheduler--a-one",
    ]);
    await new Deployment(cloud, [ONE]).apply();
    expect(methods(cloud).slice(-2)).toEqual([
      "setPaused prod--shop-scheduler--a-one",
      "update prod--shop-scheduler--a-one",
    ]);
  });

  it("calls back as each resource is through, and goes on when that throws", async () => {
    const seen: string[] = [];
    const report = await new Deployment(new FakeCloud(), [TWO]).apply({
      progress: ({ change }, done, total) => {
        seen.push(`${done}/${total} ${change.kind}`);
        throw new Error("of the caller");
      },
    });
    expect(others(report)).toEqual([]);
    expect(seen.map((line) => line.split(" ")[0])).toEqual(["1/3", "2/3", "3/3"]);
  });

  it("that is ended early says what it has not begun", async () => {
    const cloud = new FakeCloud();
    const ending = new AbortController();
    cloud.after = ({ method, name }) => method === "create" && name === TOPIC && ending.abort();
    const report = await new Deployment(cloud, [ONE]).apply({ signal: ending.signal, concurrency: 1 });
    expect(resultOf(report, JOB)).toMatchObject({ status: "skipped", note: "not begun: it was ended early" });
    expect(cloud.names("job")).toEqual([]);
  });
});

describe("a failure", () => {
  const denied = grpcError("PERMISSION_DENIED", "User not authorized to perform this action.");

  it("stops what depends on it, and nothing else", async () => {
    const cloud = new FakeCloud();
    failing(cloud, { method: "create", name: DEAD }, denied);
    const report = await new Deployment(cloud, [ONE, route("a.two"), TWO]).apply();
    expect(others(report)).toEqual([
      "failed prod--shop.tasks--a.one-dead",
      "skipped prod--shop.tasks--a.one-dead-sub",
      "skipped prod--shop.tasks--a.one-sub",
    ]);
    expect(resultOf(report, SUB).note).toBe(`not begun: it needs ${DEAD}, which failed`);
  });

  it("to update what is there stops nothing", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [ONE], { env: { TASKS_GENERATION: "1" } }).apply();
    cloud.tamper(SUB, { ackDeadlineSeconds: 10 });
    failing(cloud, { method: "update", name: TOPIC }, denied);
    const report = await new Deployment(cloud, [ONE], { env: { TASKS_GENERATION: "2" } }).apply();
    expect(resultOf(report, TOPIC)).toMatchObject({ status: "failed" });
    expect(resultOf(report, SUB)).toMatchObject({ status: "done" });
    expect(resultOf(report, JOB)).toMatchObject({ status: "unchanged" });
  });

  it("says which role on what is missing, and which command grants it", async () => {
    const cloud = new FakeCloud();
    failing(cloud, { method: "create", kind: "topic" }, denied);
    const { error } = resultOf(await new Deployment(cloud, [ONE]).apply(), DEAD);
    expect(error).toMatchObject({ code: "NOT_PERMITTED" });
    expect(error?.message).toContain(`create ${DEAD} in projects/p: expected roles/pubsub.editor on projects/p`);
    expect(error?.message).toContain("gcloud projects add-iam-policy-binding p");
  });

  it("to act as the account that pushes says so", async () => {
    const cloud = new FakeCloud();
    const message = "The principal lacks iam.serviceAccounts.actAs permission for the service account.";
    failing(cloud, { method: "update", kind: "subscription" }, grpcError("PERMISSION_DENIED", message));
    await new Deployment(cloud, [ONE]).apply();
    cloud.tamper(SUB, { ackDeadlineSeconds: 10 });
    const { error } = resultOf(await new Deployment(cloud, [ONE]).apply(), SUB);
    expect(error?.message).toContain(
      "gcloud iam service-accounts add-iam-policy-binding push@p.iam.gserviceaccount.com",
    );
  });

  it("keeps everything from being deleted, and says so", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [ONE]).apply();
    failing(cloud, { method: "create", kind: "queue" }, denied);
    const report = await new Deployment(cloud, [TWO]).apply({ prune: true });
    expect(cloud.names()).toEqual(expect.arrayContaining([TOPIC, DEAD, SUB, JOB]));
    expect(resultOf(report, TOPIC)).toMatchObject({
      status: "skipped",
      note: "nothing is deleted when anything failed",
    });
  });

  it("that passes is tried again", async () => {
    for (const error of [
      grpcError("ABORTED", "The operation was aborted."),
      grpcError("UNAVAILABLE", "The service is currently unavailable."),
      grpcError("RESOURCE_EXHAUSTED", "Quota exceeded."),
      Object.assign(new Error("raced with another user request"), { code: 409 }),
    ]) {
      const cloud = new FakeCloud();
      failing(cloud, { method: "create", name: TOPIC }, error, 5);
      expect(others(await new Deployment(cloud, [ONE]).apply())).toEqual([]);
    }
  });

  it("of a quota that stays used up is waited for once, and not by every resource", async () => {
    const cloud = new FakeCloud();
    failing(cloud, { method: "create" }, grpcError("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric."));
    const deployment = new Deployment(
      cloud,
      Array.from({ length: 50 }, (_, index) => route(`a.r${index}`)),
    );
    const began = deployment.clock.now();
    const { results } = await deployment.apply({ callsPerMinute: 60 });
    expect(results.filter(({ error }) => error?.code === "QUOTA_EXHAUSTED")).toHaveLength(100);
    // Six tries of each of 100 topics would take ten minutes.
    expect(deployment.clock.now() - began).toBeLessThan(6 * 60_000);
  });

  it("of a name that a deleted queue still holds says until when", async () => {
    const cloud = new FakeCloud();
    cloud.tombstones.add(QUEUE);
    const { error } = resultOf(await new Deployment(cloud, [TWO]).apply(), QUEUE);
    expect(error?.message).toContain(
      "got that of a queue deleted in the last 7 days; it can be made again by 2026-01-08",
    );
  });

  it("is thrown with a text that lists it, and with the whole report as its cause", async () => {
    const cloud = new FakeCloud();
    failing(cloud, { method: "create", kind: "topic" }, denied);
    const report = await new Deployment(
      cloud,
      Array.from({ length: 25 }, (_, index) => route(`a.r${index}`)),
    ).apply();
    const text = refusalOf(() => assertDone("provision", report), "PROVISION_FAILED");
    expect(text).toMatch(
      /^provision: expected all of 100 resources to be done, got 50 that failed \(50 skipped\)\n {2}- topic prod--shop.tasks--a.r0-dead \(a.r0\): create projects/,
    );
    expect(text.split("\n")).toHaveLength(22);
    expect(text).toMatch(/and 30 more$/);
    expect(() => assertDone("provision", report)).toThrow(expect.objectContaining({ cause: report }));
  });

  it("is a foreign resource of a wanted name; its route is not made around it", async () => {
    const cloud = new FakeCloud();
    cloud.resources.set(TOPIC, { kind: "topic", name: TOPIC, settings: { labels: { team: "red" } } });
    const report = await new Deployment(cloud, [ONE, TWO]).apply({ replace: true, prune: true });
    expect(resultOf(report, TOPIC).error?.message).toContain("hand it over with gcloud pubsub topics update");
    expect(others(report).filter((line) => line.startsWith("skipped"))).toEqual([
      "skipped prod--shop.tasks--a.one-sub",
      "skipped prod--shop-scheduler--a-one",
    ]);
    expect(cloud.resources.get(TOPIC)?.settings).toEqual({ labels: { team: "red" } });
  });

  it("is a subscription whose topic was deleted, until it may be replaced", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [ONE]).apply();
    await cloud.delete("topic", TOPIC);
    const report = await new Deployment(cloud, [ONE]).apply();
    expect(others(report).filter((line) => line.startsWith("failed"))).toEqual(["failed prod--shop.tasks--a.one-sub"]);
    expect(resultOf(report, SUB).error?.message).toContain("its topic was deleted");
    await new Deployment(cloud, [ONE]).apply({ replace: true });
    expect((await new Deployment(cloud, [ONE]).plan()).isEmpty).toBe(true);
    expect(cloud.policies.get(SUB)?.bindings).toHaveLength(1);
  });
});

describe("a grant", () => {
  const denied = grpcError("PERMISSION_DENIED", "User not authorized to perform this action.");

  it("that fails is reported, and made up for by the next apply", async () => {
    const cloud = new FakeCloud();
    failing(cloud, { method: "setPolicy", name: DEAD }, denied);
    const report = await new Deployment(cloud, [ONE]).apply();
    const { error } = resultOf(report, DEAD);
    // Its route works all the same, but for what is forwarded.
    expect(others(report)).toEqual(["failed prod--shop.tasks--a.one-dead"]);
    expect(error).toMatchObject({ code: "NOT_PERMITTED" });
    expect(error?.message).toContain(
      `gcloud pubsub topics add-iam-policy-binding prod--shop.tasks--a.one-dead --project=p --member=serviceAccount:ACCOUNT --role=roles/pubsub.admin`,
    );
    expect(error?.message).toContain(
      `gcloud projects add-iam-policy-binding p --member=${AGENT} --role=roles/pubsub.publisher and pass grants: "project"`,
    );
    cloud.before = () => undefined;
    expect((await new Deployment(cloud, [ONE]).plan()).changes.find(({ name }) => name === DEAD)).toMatchObject({
      action: "update",
      fields: [{ field: "labels.taskroute-grant", from: "missing", to: undefined }],
    });
    await new Deployment(cloud, [ONE]).apply();
    expect(cloud.policies.get(DEAD)?.bindings).toHaveLength(1);
    expect((await new Deployment(cloud, [ONE]).plan()).isEmpty).toBe(true);
  });

  it("is looked after on what exists when it is asked for, beside what others have granted", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [ONE]).apply({ grants: "project" });
    expect(cloud.policies.size).toBe(0);
    expect(methods(cloud)).not.toContain("projectNumber p");
    const theirs = { role: "roles/pubsub.viewer", members: ["user:a@b.example"] };
    cloud.policies.set(DEAD, { etag: "7", bindings: [theirs] });
    let raced = false;
    cloud.before = ({ method, name }) => {
      if (method !== "setPolicy" || name !== DEAD || raced) return;
      raced = true;
      cloud.policies.set(DEAD, { etag: "8", bindings: [theirs, theirs] });
    };
    const report = await new Deployment(cloud, [ONE]).apply({ grants: "resource" });
    expect(resultOf(report, DEAD)).toMatchObject({
      status: "done",
      note: "the grant of Pub/Sub's service agent was missing",
    });
    expect(cloud.policies.get(DEAD)?.bindings).toHaveLength(3);
    const again = await new Deployment(cloud, [ONE]).apply({ grants: "resource" });
    expect(resultOf(again, DEAD)).toMatchObject({ status: "unchanged" });
  });

  it("whose agent cannot be named keeps everything from being made", async () => {
    const cloud = new FakeCloud();
    cloud.number = denied;
    await expect(new Deployment(cloud, [ONE]).apply()).rejects.toThrow();
    expect(cloud.names()).toEqual([]);
  });
});

describe("a lost race", () => {
  it("with a winner that made the same is settled; it may be an earlier try whose answer was lost", async () => {
    const cloud = new FakeCloud();
    cloud.after = ({ method, name }) => {
      if (method !== "create" || name !== DEAD) return;
      cloud.after = () => undefined;
      throw grpcError("UNAVAILABLE", "connection lost");
    };
    const report = await new Deployment(cloud, [ONE]).apply();
    expect(others(report)).toEqual(["settled prod--shop.tasks--a.one-dead"]);
    expect(resultOf(report, DEAD).note).toBe("another writer was first, and made it as it should be");
    expect(cloud.policies.get(DEAD)?.bindings).toHaveLength(1);
  });

  it("with a winner that made it otherwise is made up for, and says in which fields", async () => {
    const cloud = new FakeCloud();
    const slower = new Deployment(cloud, [route("a.one", { ackDeadline: 20 })]);
    cloud.before = async ({ method, name }) => {
      if (method !== "create" || name !== SUB) return;
      cloud.before = () => undefined;
      await new Deployment(cloud, [route("a.one", { ackDeadline: 30 })]).apply();
    };
    const report = await slower.apply();
    expect(resultOf(report, SUB)).toMatchObject({
      status: "done",
      note: "another writer was first; its settings differed in ackDeadlineSeconds",
    });
    expect(cloud.resources.get(SUB)?.settings.ackDeadlineSeconds).toBe(20);
  });

  it("with a newer deployment is left to that", async () => {
    const cloud = new FakeCloud();
    const numbered = (number: string, ackDeadline: number) =>
      new Deployment(cloud, [route("a.one", { ackDeadline })], { env: { TASKS_GENERATION: number } });
    cloud.before = async ({ method, name }) => {
      if (method !== "create" || name !== SUB) return;
      cloud.before = () => undefined;
      await numbered("5", 30).apply();
    };
    const report = await numbered("4", 20).apply();
    expect(resultOf(report, SUB)).toMatchObject({
      status: "skipped",
      note: expect.stringContaining("a newer deployment (5)"),
    });
    expect(cloud.resources.get(SUB)?.settings.ackDeadlineSeconds).toBe(30);
  });

  it("with a newer deployment that begins meanwhile ends every write that has not begun", async () => {
    const cloud = new FakeCloud();
    const numbered = (number: string, ackDeadline: number) =>
      new Deployment(cloud, [route("a.one", { ackDeadline }), route("a.two", { ackDeadline })], {
        env: { TASKS_GENERATION: number },
      });
    await numbered("3", 20).apply();
    cloud.after = async ({ method, kind }) => {
      if (method !== "update" || kind !== "subscription") return;
      cloud.after = () => undefined;
      await numbered("5", 50).apply();
    };
    const report = await numbered("4", 40).apply({ concurrency: 1 });
    const skipped = report.results.filter(({ status }) => status === "skipped");
    expect(skipped.map(({ note }) => note)).toEqual(["a newer deployment (5) has begun meanwhile"]);
    const deadlines = cloud.names("subscription").map((name) => cloud.resources.get(name)?.settings.ackDeadlineSeconds);
    expect(deadlines.toSorted()).toEqual([50, 50, 60, 60]);
  });

  it("with somebody else's resource is a failure", async () => {
    const cloud = new FakeCloud();
    cloud.before = ({ method, name }) => {
      if (method === "create" && name === TOPIC) cloud.resources.set(TOPIC, { kind: "topic", name, settings: {} });
    };
    const report = await new Deployment(cloud, [ONE]).apply();
    expect(resultOf(report, TOPIC)).toMatchObject({ status: "failed" });
  });

  it("of an update with a deletion is made up for", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [ONE]).apply();
    cloud.tamper(JOB, { schedule: "1 1 1 1 1" });
    cloud.before = ({ method }) => method === "update" && cloud.resources.delete(JOB);
    const report = await new Deployment(cloud, [ONE]).apply();
    expect(resultOf(report, JOB)).toMatchObject({ status: "done" });
    expect(cloud.names("job")).toEqual([JOB]);
  });

  it("of two deletions is settled", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [ONE]).apply();
    cloud.before = ({ method }) => method === "delete" && cloud.resources.delete(JOB);
    const report = await new Deployment(cloud, []).apply({ prune: true });
    expect(resultOf(report, JOB)).toMatchObject({ status: "settled", note: "it was gone already" });
  });
});
