import { describe, expect, it } from "vitest";
import type { Config } from "../../src/core/config.ts";
import { TaskContract } from "../../src/core/contract.ts";
import type { AnyRoute } from "../../src/core/declaration.ts";
import type { ProvisionOptions } from "../../src/core/provisioning.ts";
import { createTasks, local, oidc, sharedSecret } from "../../src/index.ts";
import { provisionerOf } from "../../src/provision/provisioner.ts";
import { FakeCloud, grpcError } from "./fake-cloud.ts";
import { ENV, idOf, route } from "./scene.ts";

type Options = Omit<Parameters<typeof createTasks>[0], "routes" | "context">;

function scene(routes: readonly AnyRoute[], options: Options = {}) {
  const cloud = new FakeCloud();
  const configs: Config[] = [];
  const tasks = createTasks({ routes, env: ENV, ...options });
  const connect = (config: Config) => {
    configs.push(config);
    return cloud;
  };
  return { cloud, configs, provisioner: provisionerOf(tasks.runtime, { cloud: connect }) };
}

const ONE = route("a.one", { schedule: "* * * * *", killSwitch: "ONE" });

describe("a provisioner", () => {
  it("plans, provisions and destroys, and closes what it has opened each time", async () => {
    const { cloud, provisioner } = scene([ONE]);
    expect((await provisioner.plan()).changes).toHaveLength(5);
    expect((await provisioner.provision()).results.every(({ status }) => status === "done")).toBe(true);
    expect((await provisioner.plan()).isEmpty).toBe(true);
    expect((await provisioner.destroy()).results.every(({ status }) => status === "done")).toBe(true);
    expect(cloud.names()).toEqual([]);
    expect(cloud.closed).toBe(4);
  });

  it("pauses the jobs of routes whose kill switch is off", async () => {
    const { cloud, provisioner } = scene([ONE], { env: { ...ENV, ONE: "off" } });
    await provisioner.provision();
    expect(cloud.names("job").map((name) => cloud.resources.get(name)?.settings.state)).toEqual(["PAUSED"]);
  });

  it("throws what failed, with the report as its cause, and closes all the same", async () => {
    const { cloud, provisioner } = scene([ONE]);
    cloud.before = ({ method, kind }) => {
      if (method === "create" && kind === "job") throw grpcError("INVALID_ARGUMENT", "Schedule is bad.");
    };
    await expect(provisioner.provision()).rejects.toMatchObject({
      code: "PROVISION_FAILED",
      message: expect.stringMatching(
        /^provision: expected all of 5 resources to be done, got 1 that failed\n {2}- job /,
      ),
      cause: { results: expect.any(Array) },
    });
    expect(cloud.closed).toBe(1);
  });

  it.each<[text: string, error: Error, code: string, said: RegExp]>([
    [
      "no permission",
      grpcError("PERMISSION_DENIED", "denied"),
      "NOT_PERMITTED",
      /roles\/pubsub.viewer on projects\/p.*gcloud projects add-iam-policy-binding p/,
    ],
    [
      "no credentials",
      new Error("Could not load the default credentials."),
      "NO_CREDENTIALS",
      /gcloud auth application-default login/,
    ],
    ["no quota", grpcError("RESOURCE_EXHAUSTED", "Quota exceeded"), "QUOTA_EXHAUSTED", /raise it in the console/],
    [
      "no such project",
      grpcError("NOT_FOUND", "Requested project not found or user does not have access to it (project=p)."),
      "INVALID_CONFIG",
      /GCP_PROJECT_ID/,
    ],
  ])("with %s says so once, and what to do", async (_, error, code, said) => {
    const { cloud, provisioner } = scene([ONE], { clock: new (await import("./hasty-clock.ts")).HastyClock() });
    cloud.before = () => {
      throw error;
    };
    await expect(provisioner.plan()).rejects.toMatchObject({ code, message: expect.stringMatching(said) });
  });

  it("in a wrong region names the variable of the region", async () => {
    const { cloud, provisioner } = scene([ONE]);
    cloud.before = ({ kind }) => {
      if (kind === "job") throw grpcError("NOT_FOUND", "Location 'europe-west1' is not a valid location.");
    };
    await expect(provisioner.plan()).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringContaining("set SCHEDULER_LOCATION to one"),
    });
  });

  it("does without the services that no route needs", async () => {
    const { cloud, provisioner } = scene([route("a.one")]);
    cloud.before = ({ kind }) => {
      if (kind === "job" || kind === "queue")
        throw grpcError(
          "PERMISSION_DENIED",
          "Cloud Tasks API has not been used in project p before or it is disabled.",
        );
    };
    expect((await provisioner.plan()).changes).toHaveLength(4);
  });

  it("of a list with contracts provisions the routes alone, and deletes nothing", async () => {
    const { cloud, provisioner } = scene([ONE, new TaskContract({ path: "b.far" })]);
    await provisioner.provision();
    expect(cloud.names().filter((name) => idOf(name).includes("far"))).toEqual([]);
    for (const act of [
      () => provisioner.plan({ prune: true }),
      () => provisioner.provision({ prune: true }),
      () => provisioner.destroy(),
    ])
      await expect(act()).rejects.toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringContaining('contract "b.far"'),
      });
    expect(cloud.names()).toHaveLength(5);
  });

  it("destroys without listing everything anew before each deletion, whichever deployment it is", async () => {
    const routes = [ONE, route("b.two"), route("c.three", { via: "cloud-tasks" })];
    const { cloud, provisioner } = scene(routes, { env: { ...ENV, TASKS_GENERATION: "3" } });
    await provisioner.provision();
    cloud.calls.length = 0;
    await provisioner.destroy({ concurrency: 1 });
    expect(cloud.names()).toEqual([]);
    // Four for what there is; one for the queue, which goes after the topic that says which deployment was here.
    expect(cloud.calls.filter(({ method }) => method === "list")).toHaveLength(5);
  });

  it("destroys without knowing where it was pushed to", async () => {
    const { cloud, provisioner } = scene([ONE]);
    await provisioner.provision();
    const bare = createTasks({ routes: [ONE], env: { ...ENV, CLOUD_RUN_SERVICE_URL: "", TASKS_SERVICE_ACCOUNT: "" } });
    await provisionerOf(bare.runtime, { cloud: () => cloud }).destroy();
    expect(cloud.names()).toEqual([]);
  });

  it.each<[text: string, options: Options, refused: boolean]>([
    ["a secret of the environment", { env: { ...ENV, TASKS_PUSH_SECRET: "sixteen-characters" } }, true],
    ["a secret in code", { auth: sharedSecret("sixteen-characters") }, true],
    ["oidc() beside a secret", { auth: oidc(), env: { ...ENV, TASKS_PUSH_SECRET: "sixteen-characters" } }, false],
    ["nothing said", {}, false],
  ])("over Pub/Sub with %s: refused %s", async (_, options, refused) => {
    const planned = scene([ONE], options).provisioner.plan();
    if (refused)
      await expect(planned).rejects.toMatchObject({ code: "INVALID_CONFIG", message: /which it cannot send/ });
    else expect((await planned).changes).toHaveLength(5);
  });

  it.each<[options: Record<string, unknown>, text: string]>([
    [{ concurrency: 0 }, "expected concurrency to be a whole number of 1–64, got 0"],
    [{ concurrency: 65 }, "expected concurrency"],
    [{ callsPerMinute: 6001 }, "expected callsPerMinute to be a whole number of 1–6000"],
    [{ grants: "none" }, 'expected grants to be "resource" or "project"'],
    [{ prune: "yes" }, "expected prune to be true or false"],
    [{ purge: true }, "unknown option purge"],
  ])("refuses %o", async (options, text) => {
    const { cloud, provisioner } = scene([ONE]);
    await expect(provisioner.provision(options as ProvisionOptions)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining(text),
    });
    expect(cloud.calls).toEqual([]);
  });
});

describe("tasks.plan()", () => {
  it("asks for everything that is missing before it asks anybody", async () => {
    const tasks = createTasks({ routes: [ONE], env: { TASKS_NAMESPACE: "shop" } });
    await expect(tasks.plan()).rejects.toMatchObject({ code: "INVALID_CONFIG", message: /^environment: 3 problems/ });
  });

  it("takes a local backend for a stand-in of Pub/Sub", async () => {
    const tasks = createTasks({ routes: [ONE], env: { TASKS_NAMESPACE: "shop" }, backend: local() });
    await expect(tasks.provision()).rejects.toMatchObject({ message: /to which messages are pushed/ });
    await tasks.close();
  });
});
