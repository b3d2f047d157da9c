// Run by `node --test`, see runners.test.ts.
import assert from "node:assert/strict";
import { it } from "node:test";
import { TaskRoute } from "../../src/index.ts";
import { assertDrained, assertSucceeded, createTestTasks, pushRequest } from "../../src/testing/index.ts";

let charges = 0;
const charge = new TaskRoute({
  path: "orders.charge",
  maxAttempts: 3,
  run: (_payload: { order?: string }) => {
    charges += 1;
  },
});

it("charges once more when the task is delivered once more", async () => {
  const tasks = createTestTasks({ routes: [charge] });
  await tasks.enqueue(charge, { order: "7" }, { delay: 60 });
  tasks.failNext();
  await tasks.deliverAll();
  await tasks.redeliverLast();
  assert.equal(charges, 2);
  assertSucceeded(tasks, charge, { order: "7" });
  assertDrained(tasks);
});

it("fails with a text that tells what was there", { skip: process.env.FAIL === undefined }, async () => {
  const tasks = createTestTasks({ routes: [charge] });
  await tasks.enqueue(charge, { order: "7" });
  assertSucceeded(tasks, charge, { order: "7" });
});

it("leaves nothing behind that keeps the process", async () => {
  const tasks = createTestTasks({ routes: [charge] });
  await tasks.enqueue(charge, {}, { delay: 3600 });
  await tasks.advance(1);
  assert.match((await pushRequest(charge, {})).body, /deliveryAttempt/);
});
