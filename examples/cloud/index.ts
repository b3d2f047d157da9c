/**
 * The whole way through Google Cloud, without a cloud account: the list of routes becomes topics, subscriptions, queues and a
 * job; a task is published by Google's own client, pushed with a signed token, fails, is retried, and ends in the dead-letter
 * topic, from where it is redriven. `startEmulator` and `env` are all that a deployment leaves out.
 */
import { once } from "node:events";
import express from "express";
import { createTasks, Discard, silentLogger, TaskRoute } from "taskroute";
import { cloudTasks } from "taskroute/cloud-tasks";
import { startEmulator } from "taskroute/emulator";
import { expressHandler } from "taskroute/express";
import { renderPlan } from "taskroute/provision";
import { pubsub } from "taskroute/pubsub";
import { z } from "zod";
import { freePort } from "../free-port.ts";

const reached = new Map<string, () => void>();
/** Resolves when the service has printed a line. */
const printed = (line: string) => new Promise<void>((resolve) => reached.set(line, resolve));
function say(line: string): void {
  console.log(line);
  reached.get(line)?.();
}

let addressKnown = false;

const sendParcel = new TaskRoute({
  path: "shipping.sendParcel",
  payload: z.object({ orderId: z.string() }),
  minRetryDelay: 0,
  run: ({ orderId }, { attempt }) => {
    if (!addressKnown) throw new Discard(`order ${orderId} has no address`);
    if (attempt === 1) throw new Error("the carrier does not answer");
    say(`parcel of order ${orderId} sent in attempt ${attempt}`);
  },
});

const remind = new TaskRoute({
  path: "shipping.remind",
  via: "cloud-tasks",
  payload: z.object({ orderId: z.string() }),
  queue: { ratePerSecond: 50 },
  run: ({ orderId }) => say(`customer of order ${orderId} reminded`),
});

const nightly = new TaskRoute({ path: "shipping.nightly", schedule: "0 3 * * *", run: () => {} });

const emulator = await startEmulator();
const port = await freePort();
const tasks = createTasks({
  routes: [sendParcel, remind, nightly],
  backend: [pubsub(), cloudTasks()],
  namespace: "shop",
  logger: silentLogger,
  env: {
    ...emulator.env,
    GCP_PROJECT_ID: "my-project",
    CLOUD_RUN_SERVICE_URL: `http://127.0.0.1:${port}`,
    TASKS_SERVICE_ACCOUNT: "push@my-project.iam.gserviceaccount.com",
  },
  hooks: {
    finished: ({ name, attempt, outcome }) => {
      if (outcome.type === "failed") say(`${name}: attempt ${attempt} failed, it will be retried`);
      if (outcome.type === "discarded") say(`${name}: ${outcome.reason}, kept as a dead letter`);
    },
  },
});

console.log(renderPlan(await tasks.plan()));
await tasks.provision();
console.log(`after provisioning there is nothing left to do: ${(await tasks.plan()).isEmpty}`);

const app = express();
app.post("/tasks/pubsub", expressHandler(tasks));
const server = app.listen(port, "127.0.0.1");
await once(server, "listening");

const parked = printed("sendParcel: discarded, kept as a dead letter");
const run = await tasks.enqueue(sendParcel, { orderId: "7" });
await parked;
const letters = await tasks.deadLetters.list();
for (const { error, kwargs } of letters) console.log("dead letter:", error, kwargs);

addressKnown = true;
const sent = printed("parcel of order 7 sent in attempt 2");
const redriven = await tasks.deadLetters.redrive(run.id);
await sent;
console.log("redriven:", redriven);

const reminded = printed("customer of order 7 reminded");
await tasks.enqueue(remind, { orderId: "7" }, { delay: 1, dedupeKey: "remind-7" });
const second = await tasks.enqueue(remind, { orderId: "7" }, { delay: 1, dedupeKey: "remind-7" });
console.log("a second reminder was enqueued:", !second.deduplicated);
await reminded;

await tasks.close();
server.close();
await emulator.close();

// Output:
//   + topic dev--shop.tasks--shipping.sendParcel-dead
//   + topic dev--shop.tasks--shipping.sendParcel
//   + topic dev--shop.tasks--shipping.remind-dead
//   + topic dev--shop.tasks--shipping.nightly-dead
//   + topic dev--shop.tasks--shipping.nightly
//   + subscription dev--shop.tasks--shipping.sendParcel-dead-sub
//   + subscription dev--shop.tasks--shipping.sendParcel-sub
//   + subscription dev--shop.tasks--shipping.remind-dead-sub
//   + subscription dev--shop.tasks--shipping.nightly-dead-sub
//   + subscription dev--shop.tasks--shipping.nightly-sub
//   + queue dev--shop--shipping-remind
//   + job dev--shop-scheduler--shipping-nightly
// Plan: 12 to create.
// after provisioning there is nothing left to do: true
// sendParcel: discarded, kept as a dead letter
// dead letter: Discard: order 7 has no address { orderId: '7' }
// sendParcel: attempt 1 failed, it will be retried
// parcel of order 7 sent in attempt 2
// redriven: true
// a second reminder was enqueued: false
// customer of order 7 reminded
