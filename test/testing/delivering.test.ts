import { beforeEach, describe, expect, it } from "vitest";
import { Busy, RetryAfter, TaskRoute, VirtualClock } from "../../src/index.ts";
import { createTestTasks, type TestOptions } from "../../src/testing/index.ts";
import { openPostOffice, type PostOffice } from "./post-office.ts";

let office: PostOffice;
beforeEach(() => {
  office = openPostOffice();
});

const START = Date.parse("2026-01-01T00:00:00Z");
const atSecond = (seconds: number): Date => new Date(START + seconds * 1000);

function open(options: TestOptions = {}) {
  return createTestTasks({ routes: [office.sendMail, office.closeAccount, office.report], ...options });
}

describe("deliverNext", () => {
  it("delivers nothing until it is called, and then one task", async () => {
    const tasks = open();
    await tasks.enqueueMany(office.sendMail, [{ payload: { to: "ada" } }, { payload: { to: "bob" } }]);
    expect(office.sent).toEqual([]);
    await tasks.deliverNext();
    expect(office.sent).toEqual(["ada#1"]);
  });

  it("tells what was delivered and what it came to", async () => {
    const tasks = open();
    const at = new Date("2026-05-01T09:00:00Z");
    const { id } = await tasks.enqueue(office.sendMail, { to: "ada", at }, { delay: 5 });
    await tasks.advance(5);
    const delivered = await tasks.deliverNext(office.sendMail);
    expect(delivered).toEqual({
      path: "mail.sendMail",
      payload: { to: "ada", at: at.toISOString() },
      taskId: id,
      attempt: 1,
      at: atSecond(5),
      outcome: { type: "done", result: 3 },
      acknowledged: true,
      mishap: undefined,
      messageId: expect.stringMatching(/^\d{16}$/),
      scheduledFor: undefined,
    });
    expect(tasks.delivered).toEqual([delivered]);
    expect(tasks.succeeded).toEqual([delivered]);
  });

  it("tells what a task threw, and throws it no further", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "later" });
    const { outcome, acknowledged } = await tasks.deliverNext();
    expect(outcome).toEqual({ type: "failed", error: new Error("later bounced"), retryAfter: undefined });
    expect(acknowledged).toBe(false);
    expect(tasks.succeeded).toEqual([]);
    expect(tasks.pending).toMatchObject([{ attempt: 2, due: atSecond(10) }]);
  });

  it("takes the task that fell due first, of a route if one is named", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "second" }, { delay: 2 });
    await tasks.enqueue(office.sendMail, { to: "first" }, { delay: 1 });
    await tasks.enqueue(office.closeAccount, { userId: "42" }, { delay: 3 });
    await tasks.advance(3);
    expect((await tasks.deliverNext(office.closeAccount)).payload).toEqual({ userId: "42" });
    await tasks.deliverNext();
    await tasks.deliverNext();
    expect(office.sent).toEqual(["first#1", "second#1"]);
  });

  it.each([
    {
      name: "nothing waits",
      delay: undefined,
      text: "deliverNext: expected a task that is due, got none; nothing waits at all",
    },
    {
      name: "something waits for later",
      delay: 60,
      text: `deliverNext: expected a task that is due, got none; waiting are
  mail.sendMail { to: 'ada' } due in 60 s
move time first, with advance(60)`,
    },
  ])("fails the test when $name", async ({ delay, text }) => {
    const tasks = open();
    if (delay !== undefined) await tasks.enqueue(office.sendMail, { to: "ada" }, { delay });
    const error = await tasks.deliverNext().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "NO_DELIVERY", message: text });
  });

  it("says what else is due when nothing of the route is", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "ada" });
    await expect(
      tasks.deliverNext(office.closeAccount),
    ).rejects.toThrow(`deliverNext: expected a task of "accounts.closeAccount" that is due, got none; waiting are
  mail.sendMail { to: 'ada' } due now`);
  });

  it("refuses a route that is not in the list, and a closed client", async () => {
    const tasks = open();
    const stranger = { path: "mail.sendMale" as "mail.sendMail" };
    await expect(tasks.deliverNext(stranger)).rejects.toMatchObject({ code: "UNKNOWN_ROUTE" });
    await tasks.enqueue(office.sendMail, { to: "ada" });
    await tasks.close();
    await expect(tasks.deliverNext()).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("deliverAll", () => {
  it("follows retries, delays and what tasks enqueue, on the virtual clock", async () => {
    const tasks = open();
    await tasks.enqueue(office.closeAccount, { userId: "later" }, { delay: 3600 });
    const delivered = await tasks.deliverAll();
    expect(delivered.map(({ path, attempt, at }) => [path, attempt, at])).toEqual([
      ["accounts.closeAccount", 1, atSecond(3600)],
      ["mail.sendMail", 1, atSecond(3660)],
      ["mail.sendMail", 2, atSecond(3670)],
    ]);
    expect(tasks.now).toEqual(atSecond(3670));
    expect(tasks.pending).toEqual([]);
  });

  it("follows RetryAfter and Busy as well", async () => {
    const thrown = [new Busy("", { retryAfter: 30 }), new RetryAfter(100)];
    const picky = new TaskRoute({
      path: "picky",
      run: () => {
        const next = thrown.shift();
        if (next !== undefined) throw next;
      },
    });
    const tasks = createTestTasks({ routes: [picky] });
    await tasks.enqueue(picky);
    const delivered = await tasks.deliverAll();
    expect(delivered.map(({ attempt, at, outcome }) => [attempt, at, outcome.type])).toEqual([
      [1, atSecond(0), "busy"],
      [1, atSecond(30), "failed"],
      [2, atSecond(130), "done"],
    ]);
  });

  it("fails the test when a task ends as a dead letter, once its neighbours have finished", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "never" });
    await tasks.enqueue(office.sendMail, { to: "ada" }, { delay: 86_400 });
    await expect(tasks.deliverAll()).rejects.toMatchObject({
      code: "TASK_FAILED",
      cause: new Error("never bounced"),
      message: `deliverAll: expected every task to succeed in the end, got a dead letter
  mail.sendMail { to: 'never' }
    exhausted in attempt 3: Error: never bounced
see cause, or pass { allowDeadLetters: true } if the test is about them`,
    });
    expect(office.sent).toEqual(["ada#1"]);
  });

  it.each([
    { name: "the call", client: {}, call: { allowDeadLetters: true } },
    { name: "the client", client: { allowDeadLetters: true }, call: {} },
  ])("lets a task end as a dead letter if $name allows it", async ({ client, call }) => {
    const tasks = open(client);
    await tasks.enqueue(office.sendMail, { to: "" });
    await tasks.deliverAll(call);
    expect(await tasks.deadLetters.list()).toMatchObject([{ path: "mail.sendMail", reason: "discarded" }]);
  });

  it("does not hold earlier dead letters against a test", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "" });
    await tasks.deliverAll({ allowDeadLetters: true });
    await tasks.enqueue(office.sendMail, { to: "ada" });
    await tasks.deliverAll();
    const [letter] = await tasks.deadLetters.list();
    await tasks.deadLetters.redrive(letter?.taskId ?? "");
    await expect(tasks.deliverAll()).rejects.toMatchObject({ code: "TASK_FAILED" });
  });

  it("ends an endless loop, and names the tasks that come again and again", async () => {
    const loop: TaskRoute<"loops.ping", { n?: number }> = new TaskRoute({
      path: "loops.ping",
      run: ({ n = 0 }: { n?: number }, ctx) => ctx.enqueue(loop, { n: n + 1 }),
    });
    const tasks = createTestTasks({ routes: [loop, office.sendMail] });
    await tasks.enqueue(office.sendMail, { to: "ada" });
    await tasks.enqueue(loop);
    const error = await tasks.deliverAll({ limit: 20 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "TIMEOUT",
      message: `deliverAll: expected an end within 20 deliveries, got none; delivered were, each with its last
  19 × loops.ping { n: 18 } attempt 1: done
  1 × mail.sendMail { to: 'ada' } attempt 1: done
still waiting are
  loops.ping { n: 19 } due now
see whether a task enqueues itself or is Busy again and again, or raise limit`,
    });
    expect(tasks.delivered.length).toBe(20);
  });

  it("refuses options that do not exist, or that make no sense", async () => {
    const tasks = open();
    await expect(tasks.deliverAll({ limit: 1, ...{ limits: 2 } })).rejects.toThrow(
      /unknown option limits, did you mean/,
    );
    await expect(tasks.deliverUntil(tasks.now, { limit: 0 })).rejects.toThrow(
      /deliverUntil: expected limit to be a whole/,
    );
  });

  it("takes as many as the limit says when that is all", async () => {
    const tasks = open();
    await tasks.enqueueMany(
      office.sendMail,
      Array.from({ length: 20 }, () => ({ payload: { to: "ada" } })),
    );
    expect(await tasks.deliverAll({ limit: 20 })).toHaveLength(20);
  });

  it("waits for a delivery that was begun beside it", async () => {
    const { promise, resolve: finish } = Promise.withResolvers<void>();
    const slow = new TaskRoute({ path: "slow", run: () => promise });
    const tasks = createTestTasks({ routes: [slow, office.sendMail] });
    await tasks.enqueue(slow);
    await tasks.enqueue(office.sendMail, { to: "ada" }, { delay: 0.5 });
    const one = tasks.deliverNext();
    const all = tasks.deliverAll();
    expect(tasks.running).toMatchObject([{ path: "slow" }]);
    await tasks.advance(1);
    finish();
    const [mail, ...others] = await all;
    expect([mail?.path, mail?.at, others]).toEqual(["mail.sendMail", atSecond(1), []]);
    expect(tasks.delivered).toEqual([await one, mail]);
  });
});

describe("deliverUntil", () => {
  it("delivers what falls due until a moment, each at its own, and stops there", async () => {
    const tasks = open();
    for (const delay of [30, 10, 61]) await tasks.enqueue(office.sendMail, { to: String(delay) }, { delay });
    const delivered = await tasks.deliverUntil(atSecond(60));
    expect(delivered.map(({ at }) => at)).toEqual([atSecond(10), atSecond(30)]);
    expect(tasks.now).toEqual(atSecond(60));
    expect(tasks.pending).toMatchObject([{ payload: { to: "61" } }]);
  });

  it("delivers what is due at that very moment", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "ada" }, { delay: 60 });
    expect(await tasks.deliverUntil(atSecond(60))).toHaveLength(1);
  });

  it("does not go back, and ends a loop at one moment", async () => {
    const tasks = open();
    await expect(tasks.deliverUntil(atSecond(-1))).rejects.toMatchObject({ code: "INVALID_OPTION" });
    const loop: TaskRoute<"loop", object> = new TaskRoute({ path: "loop", run: (_, ctx) => ctx.enqueue(loop, {}) });
    const looping = createTestTasks({ routes: [loop] });
    await looping.enqueue(loop, {});
    await expect(looping.deliverUntil(atSecond(1), { limit: 5 })).rejects.toThrow(
      /deliverUntil: .*within 5 deliveries.*5 × loop/s,
    );
  });

  it("fails the test when a task ends as a dead letter", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "" });
    await expect(tasks.deliverUntil(atSecond(1))).rejects.toThrow(/deliverUntil: expected every task to succeed/);
  });
});

describe("advance", () => {
  it("moves time and delivers nothing", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "ada" }, { delay: 60 });
    await tasks.advance(60);
    expect(tasks.now).toEqual(atSecond(60));
    expect(tasks.delivered).toEqual([]);
    expect(tasks.pending).toMatchObject([{ payload: { to: "ada" }, due: atSecond(60) }]);
    await tasks.deliverNext();
    expect(office.sent).toEqual(["ada#1"]);
  });

  it("is on the clock that the client was given", async () => {
    const clock = new VirtualClock(new Date("2030-01-01T00:00:00Z"));
    const tasks = open({ clock });
    expect(tasks.clock).toBe(clock);
    await tasks.advance(1.5);
    expect(tasks.now).toEqual(new Date("2030-01-01T00:00:01.500Z"));
  });
});

describe("what waits and what was enqueued", () => {
  it("are listed apart: what was delivered is still enqueued", async () => {
    const tasks = open();
    const { id } = await tasks.enqueue(office.closeAccount, { userId: "42" });
    await tasks.deliverNext();
    expect(tasks.enqueued).toEqual([
      { path: "accounts.closeAccount", payload: { userId: "42" }, taskId: id, at: atSecond(0), due: atSecond(0) },
      { path: "mail.sendMail", payload: { to: "42" }, taskId: expect.any(String), at: atSecond(0), due: atSecond(60) },
    ]);
    expect(tasks.pending).toEqual([
      {
        path: "mail.sendMail",
        payload: { to: "42" },
        taskId: tasks.enqueued[1]?.taskId,
        attempt: 1,
        due: atSecond(60),
        messageId: expect.any(String),
        scheduledFor: undefined,
      },
    ]);
  });

  it("hold a task once that was enqueued twice under one dedupe key", async () => {
    const tasks = open();
    const first = await tasks.enqueue(office.sendMail, { to: "ada" }, { dedupeKey: "k", dedupeWindow: 60 });
    const second = await tasks.enqueue(office.sendMail, { to: "ada" }, { dedupeKey: "k" });
    expect([second.id, second.deduplicated]).toEqual([first.id, true]);
    expect([tasks.enqueued.length, tasks.pending.length]).toEqual([1, 1]);
    await tasks.advance(60);
    await tasks.enqueue(office.sendMail, { to: "ada" }, { dedupeKey: "k" });
    expect(tasks.enqueued.length).toBe(2);
  });

  it("are the lists of that moment, not ones that grow", async () => {
    const tasks = open();
    const before = tasks.enqueued;
    await tasks.enqueue(office.sendMail, { to: "ada" });
    expect(before).toEqual([]);
  });
});

describe("all else of a client", () => {
  it("works as it does anywhere: results, context, middleware, hooks", async () => {
    const told: string[] = [];
    const greet = new TaskRoute({
      path: "greet",
      run: (_payload, ctx: { context: { name: string } }) => ctx.context.name,
    });
    const tasks = createTestTasks({
      routes: [greet],
      context: () => ({ name: "ada" }),
      middleware: [async (_info, next) => `hello ${await next()}`],
      hooks: {
        enqueued: ({ path }) => told.push(`enqueued ${path}`),
        started: ({ attempt }) => told.push(`started ${attempt}`),
        finished: ({ outcome }) => told.push(`finished ${outcome.type}`),
      },
    });
    const run = await tasks.enqueue(greet);
    await tasks.deliverAll();
    expect(await run.result()).toBe("hello ada");
    expect(told).toEqual(["enqueued greet", "started 1", "finished done"]);
  });

  it("parks what is switched off, and skips its ticks", async () => {
    const off = new TaskRoute({ path: "off", schedule: "0 9 * * *", killSwitch: "OFF_ENABLED", run: () => {} });
    const tasks = createTestTasks({ routes: [off], env: { OFF_ENABLED: "false" } });
    await tasks.enqueue(off);
    expect((await tasks.deliverNext()).outcome).toMatchObject({ type: "discarded", reason: "switched-off" });
    expect((await tasks.runSchedule(off)).outcome).toEqual({ type: "skipped", reason: "switched-off" });
    expect(await tasks.deadLetters.list()).toMatchObject([{ reason: "switched-off" }]);
  });
});
