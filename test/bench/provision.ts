import { type Config, resolveConfig } from "../../src/core/config.ts";
import { createTasks, TaskRoute } from "../../src/index.ts";
import type { Cloud } from "../../src/provision/cloud.ts";
import { desiredState } from "../../src/provision/desired.ts";
import { googleCloud } from "../../src/provision/gcp.ts";
import { provisionerOf } from "../../src/provision/provisioner.ts";
import { message, startChild } from "./child.ts";
import { type CallCount, counting, naiveApply } from "./provision-naive.ts";
import type { ProvisionServer } from "./provision-server.ts";
import { exactly, spread } from "./statistics.ts";
import type { Row, Section } from "./table.ts";

/** How much to measure. */
export interface ProvisionEffort {
  /** Routes in the list. */
  readonly routes: number;
  /** Warm plans. */
  readonly plans: number;
}

/** Milliseconds that are added to every call. */
const LATENCY = 20;
/** Routes of the naive loop, whose time grows by the route. */
const NAIVE_ROUTES = 25;
/** Administrative calls that apply makes in a minute at most; the quota of a project is 6000. */
const PER_MINUTE = 5400;

const SECONDS = ["seconds", "naive", "s"] as const;

interface Measured {
  readonly ms: number;
  readonly cpu: number;
  readonly calls: number;
}

async function measured(count: CallCount, work: () => Promise<unknown>): Promise<Measured> {
  const before = { calls: count.calls, cpu: process.cpuUsage(), at: performance.now() };
  await work();
  const { user, system } = process.cpuUsage(before.cpu);
  return { ms: performance.now() - before.at, cpu: (user + system) / 1000, calls: count.calls - before.calls };
}

function environment(port: number, namespace: string): Readonly<Record<string, string>> {
  return {
    GCP_PROJECT_ID: "bench",
    GCP_PROJECT_NUMBER: "42",
    TASKS_NAMESPACE: namespace,
    TASKS_EMULATOR_HOST: `127.0.0.1:${port}`,
    CLOUD_RUN_SERVICE_URL: "https://bench.example",
    TASKS_SERVICE_ACCOUNT: "push@bench.iam.gserviceaccount.com",
  };
}

function routesOf(count: number): readonly TaskRoute<string>[] {
  return Array.from({ length: count }, (_, index) => new TaskRoute({ path: `bench.r${index}`, run: () => undefined }));
}

/** First and second run of the naive loop, in milliseconds for each route. */
async function naive(port: number): Promise<{ readonly first: number; readonly second: number }> {
  const config = resolveConfig(environment(port, "naive"));
  const desired = desiredState({
    routes: routesOf(NAIVE_ROUTES),
    config,
    defaultVia: "pubsub",
    isOff: () => false,
  });
  const cloud = googleCloud(config);
  const count = { calls: 0 };
  await cloud.list("topic", "projects/bench");
  const first = await measured(count, () => naiveApply(cloud, desired));
  const second = await measured(count, () => naiveApply(cloud, desired));
  await cloud.close();
  return { first: first.ms / NAIVE_ROUTES, second: second.ms / NAIVE_ROUTES };
}

function applyRow(applied: Measured, naiveMs: number): Row {
  // The first minute's calls go at once, and the others when the minute is over.
  const least = Math.floor((applied.calls - 1) / PER_MINUTE) * 60;
  return {
    label: "first apply",
    ours: applied.ms / 1000,
    base: naiveMs / 1000,
    result: exactly(applied.ms / 1000),
    ...(least > 0 ? { target: { bound: "at most", value: least * 1.15 } as const } : {}),
  };
}

/** Provisioning of many routes, with a service as far away as a cloud is, beside a loop that asks for one after the other. */
export async function benchProvision({ routes: amount, plans }: ProvisionEffort): Promise<Section[]> {
  const child = startChild("provision-server.ts", [String(LATENCY)], []);
  const { port } = await message<ProvisionServer>(child);
  try {
    const slow = await naive(port);
    const count: CallCount = { calls: 0 };
    const cloud = (config: Config): Cloud => counting(googleCloud(config), count);
    const tasks = createTasks({ routes: routesOf(amount), env: environment(port, "bench") });
    const provisioner = provisionerOf(tasks.runtime, { cloud });
    const applied = await measured(count, () => provisioner.provision({ concurrency: 64 }));
    const warm: Measured[] = [];
    for (let plan = 0; plan < plans; plan++) warm.push(await measured(count, () => provisioner.plan()));
    const [calls = 0] = warm.map((plan) => plan.calls);
    const atMost = (value: number) => ({ bound: "at most", value }) as const;
    const seconds = warm.map(({ ms }) => ms / 1000);
    return [
      {
        title: `provisioning ${amount} routes, seconds, ${LATENCY} ms added to every call`,
        columns: SECONDS,
        rows: [
          applyRow(applied, slow.first * amount),
          {
            label: "warm plan",
            ours: spread(seconds).median,
            base: (slow.second * amount) / 1000,
            result: spread(seconds),
            target: atMost(1),
          },
        ],
        note: `naive: create, catch ALREADY_EXISTS, update, one route after the other; ${NAIVE_ROUTES} routes, scaled`,
      },
      {
        title: `provisioning ${amount} routes, what a warm plan takes`,
        columns: ["figure", "", "median"],
        rows: [
          { label: "calls", ours: calls, result: exactly(calls), target: atMost(10) },
          {
            label: "ms of CPU",
            ours: spread(warm.map(({ cpu }) => cpu)).median,
            result: spread(warm.map(({ cpu }) => cpu)),
            target: atMost(1000),
          },
        ],
        note: `the first apply made ${applied.calls} calls; ${PER_MINUTE} a minute are what it allows itself`,
      },
    ];
  } finally {
    child.disconnect();
  }
}
