import { describe, expect, it } from "vitest";
import { assertDone } from "../../src/provision/failures.ts";
import { FakeCloud, grpcError } from "./fake-cloud.ts";
import { Deployment, idOf, route } from "./scene.ts";

const BEFORE = [
  route("a.one", { schedule: "0 9 * * *" }),
  route("a.two", { ordered: true, schedule: "1 * * * *", killSwitch: "OFF" }),
  route("m.away", { schedule: "0 1 * * *" }),
  route("m.back", { via: "cloud-tasks", schedule: "0 2 * * *" }),
  route("z.gone", { schedule: "0 3 * * *" }),
];
const AFTER = [
  route("a.one", { schedule: "5 9 * * *", ackDeadline: 30, maxAttempts: 3 }),
  route("a.two", { schedule: "1 * * * *" }),
  route("m.away", { via: "cloud-tasks", schedule: "0 1 * * *" }),
  route("m.back", { schedule: "0 2 * * *", killSwitch: "OFF" }),
  route("n.new", { schedule: "0 4 * * *", killSwitch: "OFF" }),
];
const OPTIONS = { prune: true, replace: true } as const;

/** A service whose every route is to change, and the deployment that changes it. */
async function service(): Promise<{ readonly cloud: FakeCloud; readonly deploy: () => Deployment }> {
  const cloud = new FakeCloud();
  await new Deployment(cloud, BEFORE, { off: ["a.two"] }).apply();
  cloud.calls.length = 0;
  return { cloud, deploy: () => new Deployment(cloud, AFTER, { off: ["m.back", "n.new"] }) };
}

/** What is not as it should be. */
async function left(cloud: FakeCloud, deployment: Deployment): Promise<readonly string[]> {
  const { changes } = await deployment.plan(OPTIONS);
  const open = changes.filter(({ action }) => action !== "keep" && action !== "skip");
  const granted = (name: string, role: string) =>
    cloud.policies.get(name)?.bindings.some((binding) => binding.role === role) === true;
  const ungranted = deployment.desired.resources.filter(
    (wanted) => "agentRole" in wanted && wanted.agentRole !== undefined && !granted(wanted.name, wanted.agentRole),
  );
  return [
    ...open.map(({ action, name }) => `${action} ${idOf(name)}`),
    ...ungranted.map(({ name }) => `grant on ${idOf(name)}`),
  ];
}

/** What may happen to one call, and whether the apply is to get over it by itself. */
const MISHAPS: readonly [name: string, tolerated: boolean, arm: (ending: AbortController) => Mishap][] = [
  ["is refused", false, () => ({ at: "before", act: refuse })],
  ["takes effect, and its answer is lost", true, () => ({ at: "after", act: lose })],
  ["is the last one before the caller's signal", true, (ending) => ({ at: "before", act: () => ending.abort() })],
];

interface Mishap {
  readonly at: "before" | "after";
  act(): void;
}

function refuse(): never {
  throw grpcError("PERMISSION_DENIED", "User not authorized to perform this action.");
}

function lose(): never {
  throw grpcError("UNAVAILABLE", "The connection was lost.");
}

describe("whichever call", () => {
  it.each(MISHAPS)("%s, it is said, and the next apply leaves nothing to do", async (_, tolerated, arm) => {
    const whole = await service();
    await whole.deploy().apply(OPTIONS);
    const most = whole.cloud.calls.length;
    expect(await left(whole.cloud, whole.deploy())).toEqual([]);
    const lists = 4;
    // What is listed, and the project's number, are asked for before anything is written.
    for (let index = lists + 1; index < most; index++) {
      const { cloud, deploy } = await service();
      const ending = new AbortController();
      const { at, act } = arm(ending);
      let calls = 0;
      cloud[at] = () => {
        if (calls++ === index) act();
      };
      const report = await deploy().apply({ ...OPTIONS, signal: ending.signal });
      if (tolerated) assertDone("provision", report);
      else expect(() => assertDone("provision", report)).toThrow();
      cloud.before = () => undefined;
      cloud.after = () => undefined;
      assertDone("provision", await deploy().apply(OPTIONS));
      expect(await left(cloud, deploy()), `after call ${index}`).toEqual([]);
    }
  });
});

describe("a route that moves from Cloud Tasks to Pub/Sub", () => {
  const DEAD = "projects/p/topics/prod--shop.tasks--a.one-dead";

  it("has its dead-letter topic granted, which was there without", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [route("a.one", { via: "cloud-tasks" })]).apply();
    expect(cloud.policies.size).toBe(0);
    await new Deployment(cloud, [route("a.one")]).apply();
    expect(cloud.policies.get(DEAD)?.bindings).toMatchObject([{ role: "roles/pubsub.publisher" }]);
  });

  it("has a grant that fails marked beside the labels of others, so that it is made up for", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [route("a.one", { via: "cloud-tasks" })]).apply();
    cloud.tamper(DEAD, { labels: { ...(cloud.resources.get(DEAD)?.settings.labels as object), team: "blue" } });
    cloud.before = ({ method, name }) => {
      if (method === "setPolicy" && name === DEAD) throw grpcError("PERMISSION_DENIED", "no");
    };
    const report = await new Deployment(cloud, [route("a.one")]).apply();
    expect(report.results.filter(({ status }) => status === "failed")).toHaveLength(1);
    expect(cloud.resources.get(DEAD)?.settings.labels).toMatchObject({ team: "blue", "taskroute-grant": "missing" });
    cloud.before = () => undefined;
    await new Deployment(cloud, [route("a.one")]).apply();
    expect(cloud.policies.get(DEAD)?.bindings).toHaveLength(1);
    expect((await new Deployment(cloud, [route("a.one")]).plan()).isEmpty).toBe(true);
  });

  it("asks for no grant where the project has them", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [route("a.one", { via: "cloud-tasks" })]).apply();
    await new Deployment(cloud, [route("a.one")]).apply({ grants: "project" });
    expect(cloud.policies.size).toBe(0);
    expect(cloud.calls.map(({ method }) => method)).not.toContain("projectNumber");
  });
});

describe("a subscription whose dead-letter policy somebody has taken away", () => {
  const SUB = "projects/p/subscriptions/prod--shop.tasks--a.one-sub";

  it("gets it back with the grants that it takes", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, [route("a.one")]).apply({ grants: "project" });
    cloud.tamper(SUB, { deadLetterPolicy: undefined });
    await new Deployment(cloud, [route("a.one")]).apply();
    expect(cloud.policies.size).toBe(2);
  });
});

describe("an older deployment", () => {
  it("is kept from writing by a newer one that has deleted the topic which it looks at", async () => {
    const cloud = new FakeCloud();
    const routes = (ackDeadline: number) => [route("a.one", { ackDeadline }), route("b.one", { ackDeadline })];
    const numbered = (number: string, list: ReturnType<typeof routes>) =>
      new Deployment(cloud, list, { env: { TASKS_GENERATION: number } });
    await numbered("3", routes(20)).apply();
    cloud.after = async ({ method, kind }) => {
      if (method !== "update" || kind !== "subscription") return;
      cloud.after = () => undefined;
      await numbered("5", [route("b.one", { ackDeadline: 50 })]).apply({ prune: true });
    };
    const report = await numbered("4", routes(40)).apply({ concurrency: 1 });
    const skipped = report.results.filter(({ status }) => status === "skipped");
    expect(skipped.map(({ note }) => note)).toEqual(["a newer deployment (5) has begun meanwhile"]);
    const sub = cloud.resources.get("projects/p/subscriptions/prod--shop.tasks--b.one-sub");
    expect(sub?.settings.ackDeadlineSeconds).toBe(50);
  });
});

describe("a job that another process has paused", () => {
  const JOB = "projects/p/locations/europe-west1/jobs/prod--shop-scheduler--a-one";
  const LIST = [route("a.one", { schedule: "0 9 * * *" })];

  it.each(["PAUSED", "ENABLED"] as const)("or resumed at the same time is %s, and nothing fails", async (state) => {
    const cloud = new FakeCloud();
    const off = (is: boolean) => ({ off: is ? ["a.one"] : [] });
    await new Deployment(cloud, LIST, off(state === "ENABLED")).apply();
    cloud.before = ({ method }) => {
      if (method === "setPaused") cloud.tamper(JOB, { state });
    };
    assertDone("provision", await new Deployment(cloud, LIST, off(state === "PAUSED")).apply());
    expect(cloud.resources.get(JOB)?.settings.state).toBe(state);
  });

  it("is a failure where it is not so after all", async () => {
    const cloud = new FakeCloud();
    await new Deployment(cloud, LIST).apply();
    cloud.before = ({ method }) => {
      if (method === "setPaused") throw grpcError("FAILED_PRECONDITION", "Job must be in state ENABLED to be paused.");
    };
    const report = await new Deployment(cloud, LIST, { off: ["a.one"] }).apply();
    expect(() => assertDone("provision", report)).toThrow(/must be in state ENABLED/);
  });
});
