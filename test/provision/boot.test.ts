import { describe, expect, it } from "vitest";
import type { Environment } from "../../src/core/config.ts";
import { resourceNames } from "../../src/core/names.ts";
import type { BootProvisioning, Provisioner, ProvisionOptions } from "../../src/core/provisioning.ts";
import { Runtime } from "../../src/core/runtime.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { immediate } from "../../src/index.ts";
import { provisionerOf } from "../../src/provision/provisioner.ts";
import { recordLog } from "../support/log.ts";
import { FakeCloud, grpcError } from "./fake-cloud.ts";
import { HastyClock } from "./hasty-clock.ts";
import { ENV, route } from "./scene.ts";

const RUN = { K_SERVICE: "shop", K_REVISION: "shop-00004-abc" };
const ROUTES = [route("a.one", { schedule: "0 9 * * *" })];

let services = 0;

/** A service of its own: a process provisions once for each. */
function scene(provision: "on-boot" | BootProvisioning, env: Environment = RUN, namespace = `boot${services++}`) {
  const cloud = new FakeCloud();
  const log = recordLog();
  const asked: ProvisionOptions[] = [];
  const clock = new HastyClock();
  const make = (routes = ROUTES, { time = clock as Runtime["clock"], variables = env } = {}) =>
    new Runtime(
      {
        routes,
        env: { ...ENV, ...variables, TASKS_NAMESPACE: namespace },
        backend: immediate({ allowInProduction: true }),
        provision,
        logger: log.logger,
        clock: time,
      },
      {
        chooseBackend: () => immediate(),
        loadProvisioner: async (runtime): Promise<Provisioner> => {
          const made = provisionerOf(runtime, { cloud: () => cloud });
          return {
            plan: (options) => made.plan(options),
            destroy: (options) => made.destroy(options),
            provision(options = {}) {
              asked.push(options);
              return made.provision(options);
            },
          };
        },
      },
    );
  const settled = async () => {
    while (log.lines.every(({ message }) => !message.includes("at boot")))
      await new Promise((resolve) => setImmediate(resolve));
  };
  return { cloud, log, asked, make, settled, namespace };
}

const messages = ({ lines }: ReturnType<typeof recordLog>) =>
  lines.filter(({ message }) => message.includes("at boot")).map(({ level, message }) => `${level}: ${message}`);

describe("provisioning at boot", () => {
  it("makes what is missing, off the request path, and says so", async () => {
    const { cloud, log, make, settled } = scene("on-boot");
    const held = Promise.withResolvers<void>();
    cloud.before = () => held.promise;
    const runtime = make();
    await runtime.start();
    expect(runtime.executor.admit()).toBeUndefined();
    expect(cloud.names()).toEqual([]);
    held.resolve();
    await settled();
    expect(cloud.names()).toHaveLength(5);
    expect(messages(log)).toEqual(["info: provisioned at boot"]);
  });

  it("does nothing where the process is no service of Cloud Run", async () => {
    const { cloud, make } = scene({ when: "on-boot", required: true }, {});
    await make().start();
    expect(cloud.calls).toEqual([]);
  });

  it("happens once in a process, however often the list is evaluated", async () => {
    const { asked, make } = scene({ when: "on-boot", required: true });
    await Promise.all([make().start(), make().start()]);
    await make().start();
    expect(asked).toHaveLength(1);
  });

  it("asks neither for deletions nor for replacements", async () => {
    const { asked, make } = scene({ when: "on-boot", required: true });
    await make().start();
    expect(asked).toEqual([{ signal: expect.any(AbortSignal) }]);
  });

  it("deletes nothing and replaces nothing, and names what it has left", async () => {
    const { cloud, log, make, namespace } = scene({ when: "on-boot", required: true });
    await make([...ROUTES, route("a.gone")]).start();
    const { subscriptionName } = resourceNames({ environment: "prod", namespace }, "a.one");
    cloud.tamper(`projects/p/subscriptions/${subscriptionName}`, { enableMessageOrdering: true });
    const before = cloud.names();
    await make().start();
    expect(cloud.names()).toEqual(before);
    expect(cloud.calls.filter(({ method }) => method === "delete")).toEqual([]);
    expect(log.lines.find(({ level }) => level === "warn")?.fields).toEqual({
      skipped: [expect.stringContaining("enableMessageOrdering cannot be changed")],
    });
  });

  it("does not undo what a newer revision has made", async () => {
    const { cloud, make, namespace } = scene({ when: "on-boot", required: true });
    const newer = { ...RUN, K_REVISION: "shop-00005-xyz" };
    await make([route("a.one", { ackDeadline: 99 }), route("a.two")], { variables: newer }).start();
    await make().start();
    const { subscriptionName } = resourceNames({ environment: "prod", namespace }, "a.one");
    expect(cloud.resources.get(`projects/p/subscriptions/${subscriptionName}`)?.settings.ackDeadlineSeconds).toBe(99);
    expect(cloud.names("job")).toEqual([]);
  });

  it("that fails is logged, and keeps nothing from starting", async () => {
    const { cloud, log, make, settled } = scene("on-boot");
    cloud.before = () => {
      throw grpcError("PERMISSION_DENIED", "User not authorized to perform this action.");
    };
    const runtime = make();
    await runtime.start();
    await settled();
    expect(messages(log)).toEqual(["error: provisioning at boot failed; the service goes on with what there is"]);
    expect(JSON.stringify(log.lines)).toContain("gcloud projects add-iam-policy-binding");
    expect(runtime.executor.admit()).toBeUndefined();
  });

  it("that is required takes no work before it is done, and none when it fails", async () => {
    const { cloud, make } = scene({ when: "on-boot", required: true });
    const held = Promise.withResolvers<void>();
    cloud.before = async () => {
      await held.promise;
      throw grpcError("PERMISSION_DENIED", "User not authorized to perform this action.");
    };
    const runtime = make(ROUTES, { time: new VirtualClock() });
    const starting = runtime.start();
    const admitted = Promise.resolve(runtime.executor.admit());
    held.resolve();
    await expect(starting).rejects.toMatchObject({ code: "NOT_PERMITTED" });
    expect(await admitted).toMatchObject({ type: "busy" });
  });

  it("is given up after its time-out, and begins nothing after that", async () => {
    const { cloud, log, make } = scene({ when: "on-boot", timeout: 30, required: true });
    const held = Promise.withResolvers<void>();
    cloud.before = () => held.promise;
    const clock = new VirtualClock();
    const starting = make(ROUTES, { time: clock }).start();
    const refused = expect(starting).rejects.toMatchObject({ code: "TIMEOUT" });
    await clock.advance(30_000);
    await refused;
    held.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    expect(cloud.names()).toEqual([]);
    expect(messages(log)).toEqual(["error: provisioning at boot failed, and the service takes no work"]);
  });
});
