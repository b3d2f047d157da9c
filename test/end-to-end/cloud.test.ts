import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { v1 } from "@google-cloud/pubsub";
import express from "express";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { expressHandler } from "../../src/adapters/express.ts";
import { cloudTasks } from "../../src/backends/cloud-tasks.ts";
import { pubsub } from "../../src/backends/pubsub.ts";
import { Discard } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { Tasks } from "../../src/core/tasks.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { type Emulator, startEmulator } from "../../src/emulator/index.ts";
import { GoogleClients } from "../../src/google/clients.ts";
import { Recorder } from "../backends/recorder.ts";
import { QuickClock } from "../contracts/quick-clock.ts";
import { recordLog } from "../support/log.ts";
import { refusalOf } from "../support/refusal.ts";

/** What the push handler answered, in order. */
interface Service {
  readonly clock: QuickClock;
  readonly emulator: Emulator;
  readonly recorder: Recorder;
  readonly answers: number[];
  readonly env: Record<string, string>;
}

const PUSHER = "push@demo.iam.gserviceaccount.com";
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const mail = new TaskRoute({
  path: "shop.mail",
  payload: z.object({ to: z.string() }),
  maxAttempts: 2,
  minRetryDelay: 0,
  run: ({ to }, { attempt }) => {
    if (to === "nobody") throw new Discard("no such address");
    if (to === "slow" && attempt === 1) throw new Error("the mail server is busy");
    return { to, attempt };
  },
});
const invoice = new TaskRoute({ path: "shop.invoice", via: "cloud-tasks", run: (payload) => payload });
const report = new TaskRoute({ path: "shop.report", schedule: "*/5 * * * *", run: (_, ctx) => ctx.scheduledFor });
const sweep = new TaskRoute({ path: "shop.sweep", via: "cloud-tasks", schedule: "0 * * * *", run: () => {} });
const routes = [mail, invoice, report, sweep] as const;
type ShopTasks = Tasks<(typeof routes)[number]>;

async function service(): Promise<Service & { readonly serve: (tasks: ShopTasks) => void }> {
  const clock = new QuickClock();
  const emulator = await startEmulator({ clock, iam: "strict" });
  const answers: number[] = [];
  const app = express();
  const server: Server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(
    () => emulator.close(),
    () => server.closeAllConnections(),
    () => server.close(),
  );
  const env = {
    ...emulator.env,
    TASKS_ENVIRONMENT: "prod",
    TASKS_NAMESPACE: "shop",
    GCP_PROJECT_ID: "demo",
    CLOUD_RUN_SERVICE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    TASKS_SERVICE_ACCOUNT: PUSHER,
    TASKS_DEFERRAL_QUEUE: "true",
  };
  const serve = (tasks: ShopTasks) => {
    app.use((_request, response, next) => {
      response.on("finish", () => answers.push(response.statusCode));
      next();
    });
    app.post("/tasks/pubsub", expressHandler(tasks));
  };
  return { clock, emulator, recorder: new Recorder(), answers, env, serve };
}

function client({ clock, recorder, env }: Service, overrides: Record<string, string> = {}): ShopTasks {
  const tasks = createTasks({
    routes,
    backend: [pubsub(), cloudTasks()],
    clock,
    hooks: recorder.hooks,
    logger: recordLog().logger,
    env: { ...env, ...overrides },
  });
  closing.push(() => Promise.all([tasks.close(), clock.advance(60_000)]));
  return tasks;
}

describe("a service on Google Cloud", () => {
  it("goes the whole way from its list of routes to the 200 of an Express service", async () => {
    const shop = await service();
    const tasks = client(shop);
    await tasks.provision();
    expect((await tasks.plan()).isEmpty).toBe(true);
    shop.serve(tasks);
    await tasks.enqueue(mail, { to: "ada" });
    await tasks.enqueue(mail, { to: "slow" });
    await tasks.enqueue(invoice, { order: 7 });
    await shop.recorder.outcomes(3, "done");
    expect(shop.recorder.finished.filter(({ name }) => name === "mail").map(({ attempt }) => attempt)).toContain(2);
    await tasks.enqueue(mail, { to: "nobody" });
    await shop.recorder.outcomes(1, "discarded");
    expect(await tasks.deadLetters.list()).toMatchObject([{ path: "shop.mail", kwargs: { to: "nobody" } }]);
    expect(new Set(shop.answers)).toEqual(new Set([200, 500]));
  });

  it("runs its schedules, over a topic and straight to the handler, each tick under an id of its own", async () => {
    const shop = await service();
    const tasks = client(shop);
    await tasks.provision();
    shop.serve(tasks);
    // Step by step: a push whose deadline passes while it is on its way would come again.
    const start = shop.clock.now();
    for (let ticks = 1; ticks <= 12; ticks++) {
      await shop.clock.advanceTo(new Date(start + ticks * 5 * 60_000));
      await shop.recorder.outcomes(ticks < 12 ? ticks : 13, "done");
    }
    const hour = Array.from({ length: 12 }, (_, tick) => new Date(start + (tick + 1) * 5 * 60_000));
    const moments = hour.map((tick) => tick.toISOString().replace(/[-:]|\.\d+/g, ""));
    expect(shop.recorder.finished.map(({ taskId }) => taskId).toSorted()).toEqual(
      [
        ...moments.map((moment) => `scheduled-prod--shop--shop.report-${moment}`),
        `scheduled-prod--shop--shop.sweep-${moments.at(-1)}`,
      ].toSorted(),
    );
  });

  it("lets nobody in whose token another account has signed for", async () => {
    const shop = await service();
    const tasks = client(shop);
    await client(shop, { TASKS_SERVICE_ACCOUNT: "stranger@demo.iam.gserviceaccount.com" }).provision();
    shop.serve(tasks);
    await tasks.enqueue(mail, { to: "ada" });
    while (shop.answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(shop.answers[0]).toBe(403);
    expect(shop.recorder.started).toEqual([]);
    // Nothing is lost: once the subscription pushes as the right account, the message is taken.
    await tasks.provision();
    await Promise.all([shop.recorder.outcomes(1, "done"), shop.clock.advance(600_000)]);
  });

  it("says what to do about a topic that was deleted behind its back, and makes it anew", async () => {
    const shop = await service();
    const tasks = client(shop);
    await tasks.provision();
    shop.serve(tasks);
    const clients = new GoogleClients(tasks.runtime.config);
    closing.push(() => clients.close());
    const publisher: v1.PublisherClient = await clients.publisher();
    await publisher.deleteTopic({ topic: `projects/demo/topics/${tasks.names(mail).topicName}` });
    const refused = await tasks.enqueue(mail, { to: "ada" }).catch((error: unknown) => error);
    refusalOf(() => {
      throw refused;
    }, "NOT_PROVISIONED");
    expect(String(refused)).toContain("taskroute apply");
    // Its subscription hangs on a topic that is gone, which cannot be mended: it has to be made anew.
    const plan = await tasks.plan({ replace: true });
    const changed = plan.changes.filter(({ action }) => action !== "keep");
    expect(changed.map(({ action, kind }) => `${action} ${kind}`)).toEqual(["create topic", "replace subscription"]);
    await tasks.provision({ replace: true });
    await tasks.enqueue(mail, { to: "ada" });
    await shop.recorder.outcomes(1, "done");
  });
});
