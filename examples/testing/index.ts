/**
 * Testing tasks. The assertions are Node's own, and go into the tests of any framework as they stand. No server, no port,
 * no waiting.
 */
import assert from "node:assert/strict";
import { createTasks, Discard, immediate, isTasksError, silentLogger, TaskRoute } from "taskroute";
import { assertDrained, assertSucceeded, createTestTasks } from "taskroute/testing";
import { z } from "zod";

// What is tested: two tasks, the first of which enqueues the second.

const outbox: string[] = [];

const sendMail = new TaskRoute({
  path: "mail.sendMail",
  payload: z.object({ to: z.email(), at: z.coerce.date() }),
  run: ({ to, at }) => {
    if (to.endsWith("@blocked.example")) throw new Discard("the address is blocked");
    outbox.push(`${to} at ${at.getUTCHours()}`);
  },
});

const closeAccount = new TaskRoute({
  path: "accounts.closeAccount",
  payload: z.object({ userId: z.string(), email: z.email() }),
  run: async ({ userId, email }, ctx) => {
    await ctx.enqueue(sendMail, { to: email, at: new Date("2026-01-01T09:00:00Z") });
    return { closed: userId };
  },
});

const routes = [sendMail, closeAccount];

// 1. Run inline: when `enqueue` resolves, the task has run, and so has everything that it enqueued.
{
  const tasks = createTasks({ routes, backend: immediate(), logger: silentLogger });
  const run = await tasks.enqueue(closeAccount, { userId: "42", email: "ada@example.com" });
  assert.deepEqual(await run.result(), { closed: "42" });
  assert.deepEqual(outbox, ["ada@example.com at 9"]);
  console.log("a task that returns, and the task that it enqueued");
}

// 2. A failure is an outcome, not an exception: the test looks at what a service would see.
{
  const tasks = createTasks({ routes, backend: immediate(), logger: silentLogger });
  const run = await tasks.enqueue(sendMail, { to: "bob@blocked.example", at: new Date(0) });
  const outcome = await run.outcome();
  assert.equal(outcome.type, "discarded");
  const [letter] = await tasks.deadLetters.list();
  assert.equal(letter?.error, "Discard: the address is blocked");
  console.log("a task that gives up, and its dead letter");
}

// 3. Or an exception, where that reads better.
{
  const backend = immediate({ throwOnFailure: true });
  const tasks = createTasks({ routes, backend, logger: silentLogger });
  await assert.rejects(tasks.enqueue(sendMail, { to: "bob@blocked.example", at: new Date(0) }), /blocked/);
  console.log("the same, thrown");
}

// 4. A payload that its schema refuses never gets as far as the task.
{
  const tasks = createTasks({ routes, backend: immediate(), logger: silentLogger });
  await assert.rejects(
    tasks.enqueue(sendMail, { to: "nobody", at: new Date(0) }),
    (error) => isTasksError(error, "INVALID_PAYLOAD") && /to: /.test(error.message),
  );
  console.log("a payload that is refused");
}

// 5. The test kit goes step by step: nothing is delivered, and no time passes, unless the test says so.
{
  outbox.length = 0;
  const tasks = createTestTasks({ routes });
  await tasks.enqueue(closeAccount, { userId: "42", email: "ada@example.com" }, { delay: 3600 });
  await tasks.advance(3600);
  await tasks.deliverNext();
  assert.deepEqual(outbox, []); // enqueued, and not sent yet
  tasks.failNext();
  await tasks.deliverAll(); // the retry included
  assertSucceeded(tasks, sendMail, { to: /@example/ });
  assertDrained(tasks);
  console.log(
    `two tasks, an hour and ${(tasks.now.getTime() - Date.UTC(2026, 0, 1, 1)) / 1000} s from now, in no time`,
  );

  // 6. What every queue does now and then.
  await tasks.redeliverLast(sendMail);
  console.log(`a task that is not safe to run twice: ${outbox.length} mails`);
}

// Output:
// a task that returns, and the task that it enqueued
// a task that gives up, and its dead letter
// the same, thrown
// a payload that is refused
// two tasks, an hour and 10 s from now, in no time
// a task that is not safe to run twice: 2 mails
