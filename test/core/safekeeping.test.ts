import { afterEach, describe, expect, it } from "vitest";
import { local } from "../../src/backends/local.ts";
import type { Environment } from "../../src/core/config.ts";
import type { Delivery, Transport } from "../../src/core/delivery.ts";
import { Discard, RetryAfter } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";

const PRODUCTION: Environment = {
  K_SERVICE: "shop",
  TASKS_NAMESPACE: "shop",
  TASKS_ENVIRONMENT: "prod",
  SWITCH: "off",
};

function arriving(taskName: string, transport: Transport): Delivery {
  return {
    transport,
    taskId: "t1",
    taskName,
    args: [],
    kwargs: {},
    enqueuedAt: undefined,
    messageId: "m1",
    attempt: 1,
    scheduled: false,
    scheduledFor: undefined,
    publishTime: undefined,
    receivedAt: Date.now(),
    attributes: {},
  };
}

const givesUp = new TaskRoute({ path: "x.givesUp", run: () => Promise.reject(new Discard()) });
const lastAttempt = new TaskRoute({ path: "x.last", maxAttempts: 1, run: () => Promise.reject(new Error("boom")) });
const later = new TaskRoute({ path: "x.later", run: () => Promise.reject(new RetryAfter(5)) });
const off = new TaskRoute({ path: "x.off", killSwitch: "SWITCH", run: () => {} });

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((tasks) => tasks.close()));
});

function client(env: Environment) {
  const tasks = createTasks({
    routes: [givesUp, lastAttempt, later, off],
    backend: local({ allowInProduction: true }),
    logger: silentLogger,
    env,
  });
  opened.push(tasks);
  return tasks;
}

describe("a message that a service holds, with a backend in memory", () => {
  it.each<[what: string, route: string, transport: Transport, env: Environment, outcome: object]>([
    ["stays with Pub/Sub when its task gives up", "givesUp", "pubsub", PRODUCTION, { type: "failed" }],
    ["stays with Cloud Tasks in its last attempt", "last", "cloud-tasks", PRODUCTION, { type: "failed" }],
    ["stays with Pub/Sub while switched off", "off", "pubsub", PRODUCTION, { type: "busy", reason: "switched-off" }],
    ["is parked when the backend itself delivered it", "givesUp", "local", PRODUCTION, { type: "discarded" }],
    ["is parked outside production", "givesUp", "pubsub", { SWITCH: "off" }, { type: "discarded" }],
    ["is parked outside production while switched off", "off", "pubsub", { SWITCH: "off" }, { type: "discarded" }],
  ])("%s", async (_what, route, transport, env, outcome) => {
    const { runtime } = client(env);
    expect(await runtime.executor.execute(arriving(route, transport))).toMatchObject(outcome);
  });

  it.each<[what: string, transport: Transport, env: Environment, taken: boolean]>([
    ["is not created anew in production for RetryAfter", "pubsub", PRODUCTION, false],
    ["is created anew outside it", "pubsub", {}, true],
  ])("%s", async (_what, transport, env, taken) => {
    const { runtime } = client(env);
    expect(await runtime.enqueuer.deferAgain(arriving("later", transport), later, 5)).toBe(taken);
  });
});
