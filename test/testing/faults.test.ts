import { beforeEach, describe, expect, it } from "vitest";
import { Discard, type TaskContext, TaskRoute } from "../../src/index.ts";
import { createTestTasks } from "../../src/testing/index.ts";
import { openPostOffice, type PostOffice } from "./post-office.ts";

let office: PostOffice;
beforeEach(() => {
  office = openPostOffice();
});

const open = () => createTestTasks({ routes: [office.sendMail, office.closeAccount, office.report] });

/** Deliveries in short: what each came to, and when, in seconds since the beginning. */
function course(delivered: readonly { at: Date; outcome: { type: string }; acknowledged: boolean }[]): unknown[] {
  const start = Date.parse("2026-01-01T00:00:00Z");
  return delivered.map(({ at, outcome, acknowledged }) => [
    (at.getTime() - start) / 1000,
    `${outcome.type}${acknowledged ? "" : ", not acknowledged"}`,
  ]);
}

describe("redeliverLast", () => {
  it("delivers once more what was acknowledged, with the same ids and attempt", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "later" });
    await tasks.deliverAll();
    const first = tasks.delivered[1];
    const again = await tasks.redeliverLast();
    expect(again).toEqual({ ...first, at: tasks.now });
    expect(office.sent).toEqual(["later#2", "later#2"]);
    await tasks.redeliverLast();
    expect(office.sent.length).toBe(3);
    expect(tasks.enqueued.length).toBe(1);
  });

  it("shows the task itself the same ids", async () => {
    const seen: unknown[] = [];
    const look = ({ taskId, messageId, attempt, scheduledFor, enqueuedAt }: TaskContext) =>
      void seen.push({ taskId, messageId, attempt, scheduledFor, enqueuedAt });
    const tick = new TaskRoute({ path: "tick", schedule: "0 9 * * *", run: (_payload, ctx) => look(ctx) });
    const task = new TaskRoute({ path: "task", run: (_payload, ctx) => look(ctx) });
    const tasks = createTestTasks({ routes: [tick, task] });
    await tasks.enqueue(task);
    await tasks.deliverNext();
    await tasks.advance(100);
    await tasks.redeliverLast();
    await tasks.runSchedule(tick);
    await tasks.advance(100);
    await tasks.redeliverLast(tick);
    await tasks.redeliverLast(tick);
    const [task1, task2, tick1, ...ticks] = seen;
    expect(task2).toEqual(task1);
    expect(ticks).toEqual([tick1, tick1]);
    expect(tick1).toMatchObject({ scheduledFor: new Date("2026-01-01T00:01:40Z"), enqueuedAt: undefined });
  });

  it("is held up neither by a dedupe key nor by the delay that the task once had", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "ada" }, { dedupeKey: "k", delay: 60 });
    await tasks.deliverAll();
    await tasks.redeliverLast();
    expect(office.sent).toEqual(["ada#1", "ada#1"]);
  });

  it("takes the last one of a route", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "ada" });
    await tasks.enqueue(office.closeAccount, { userId: "42" });
    await tasks.deliverNext();
    await tasks.deliverNext();
    await tasks.redeliverLast(office.sendMail);
    expect(office.sent).toEqual(["ada#1", "ada#1"]);
  });

  it("is retried like any delivery when it fails", async () => {
    let runs = 0;
    const flaky = new TaskRoute({
      path: "flaky",
      run: () => {
        runs += 1;
        if (runs === 2) throw new Error("not twice");
      },
    });
    const tasks = createTestTasks({ routes: [flaky] });
    await tasks.enqueue(flaky);
    await tasks.deliverNext();
    expect((await tasks.redeliverLast()).outcome).toMatchObject({ error: new Error("not twice") });
    const [first] = tasks.delivered;
    expect(tasks.pending).toMatchObject([{ messageId: first?.messageId, taskId: first?.taskId, attempt: 2 }]);
    expect(course(await tasks.deliverAll())).toEqual([[10, "done"]]);
  });

  it.each([
    { name: "there was none", task: undefined, text: /redeliverLast: expected a delivery, got none so far/ },
    {
      name: "it comes again by itself",
      task: "later",
      text: /"mail.sendMail" whose outcome is failed; it comes again/,
    },
  ])("fails the test when $name", async ({ task, text }) => {
    const tasks = open();
    if (task !== undefined) {
      await tasks.enqueue(office.sendMail, { to: task });
      await tasks.deliverNext();
    }
    const error = await tasks.redeliverLast().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "NO_DELIVERY", message: expect.stringMatching(text) });
  });
});

describe("failNext", () => {
  it("fails deliveries before the task runs, each of which uses up an attempt", async () => {
    const tasks = open();
    tasks.failNext(2);
    await tasks.enqueue(office.sendMail, { to: "ada" });
    expect(course(await tasks.deliverAll())).toEqual([
      [0, "failed, not acknowledged"],
      [10, "failed, not acknowledged"],
      [30, "done"],
    ]);
    expect(office.sent).toEqual(["ada#3"]);
    expect(tasks.delivered[0]).toMatchObject({ mishap: "failure", outcome: { error: { name: "InjectedFailure" } } });
  });

  it("comes before what is asked for after it", async () => {
    const tasks = open();
    tasks.failNext();
    tasks.dropNext();
    await tasks.enqueue(office.sendMail, { to: "ada" });
    await tasks.deliverAll();
    expect(tasks.delivered.map(({ mishap }) => mishap)).toEqual(["failure", "drop", undefined]);
  });
});

describe("dropNext", () => {
  it("loses acknowledgements: the task has run, and comes again after its ack deadline", async () => {
    const tasks = open();
    tasks.dropNext();
    await tasks.enqueue(office.sendMail, { to: "ada" });
    expect(course(await tasks.deliverAll())).toEqual([
      [0, "done, not acknowledged"],
      [310, "done"],
    ]);
    expect(office.sent).toEqual(["ada#1", "ada#1"]);
    expect(tasks.succeeded.length).toBe(1);
  });
});

describe("duplicateNext", () => {
  it("delivers once more what was acknowledged", async () => {
    const tasks = open();
    tasks.duplicateNext();
    await tasks.enqueue(office.sendMail, { to: "ada" });
    await tasks.deliverNext();
    expect(tasks.pending).toMatchObject([{ messageId: tasks.delivered[0]?.messageId, attempt: 1 }]);
    await tasks.deliverNext();
    expect(office.sent).toEqual(["ada#1", "ada#1"]);
    expect(tasks.pending).toEqual([]);
  });
});

describe("reorderNext", () => {
  it("puts the next task behind the others that are due", async () => {
    const tasks = open();
    tasks.reorderNext();
    for (const to of ["a", "b", "c"]) await tasks.enqueue(office.sendMail, { to });
    await tasks.deliverAll();
    expect(office.sent).toEqual(["b#1", "c#1", "a#1"]);
  });

  it("delivers it all the same when there are no others, or when it is asked for by name", async () => {
    const tasks = open();
    tasks.reorderNext();
    await tasks.enqueue(office.sendMail, { to: "a" });
    await tasks.deliverNext();
    tasks.reorderNext();
    await tasks.enqueue(office.sendMail, { to: "b" });
    await tasks.redeliverLast();
    expect(office.sent).toEqual(["a#1", "a#1"]);
    expect((await tasks.runSchedule(office.report)).path).toBe("reports.report");
  });
});

describe("two deliveries that are begun at once", () => {
  it("are of two messages, or one of them fails", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "a" });
    await tasks.deliverNext();
    tasks.reorderNext();
    const again = tasks.redeliverLast();
    const next = tasks.deliverNext();
    await expect(again).rejects.toMatchObject({ code: "NO_DELIVERY" });
    expect((await next).acknowledged).toBe(true);
    expect(office.sent).toEqual(["a#1", "a#1"]);
  });
});

describe("crashDuring", () => {
  it("lets the process die after the task and before the acknowledgement: the task comes again at once", async () => {
    let memory = new Set<string>();
    const routes = [office.sendMail, office.closeAccount];
    const tasks = createTestTasks({ routes, onCrash: () => (memory = new Set()) });
    memory.add("something");
    tasks.crashDuring(office.sendMail);
    await tasks.enqueue(office.closeAccount, { userId: "42" });
    const delivered = await tasks.deliverAll();
    expect(course(delivered)).toEqual([
      [0, "done"],
      [60, "done, not acknowledged"],
      [60, "done"],
    ]);
    expect(delivered.map(({ mishap, attempt }) => [mishap, attempt])).toEqual([
      [undefined, 1],
      ["crash", 1],
      [undefined, 1],
    ]);
    expect(office.sent).toEqual(["42#1", "42#1"]);
    expect(memory.size).toBe(0);
  });

  it("takes with it what else was under way", async () => {
    const { promise, resolve: finish } = Promise.withResolvers<void>();
    const slow = new TaskRoute({ path: "slow", run: () => promise });
    const tasks = createTestTasks({ routes: [slow, office.sendMail] });
    await tasks.enqueue(slow);
    await tasks.enqueue(office.sendMail, { to: "ada" });
    tasks.crashDuring(office.sendMail);
    const running = tasks.deliverNext(slow);
    await tasks.deliverNext(office.sendMail);
    expect(await running).toMatchObject({
      acknowledged: false,
      mishap: "crash",
      outcome: { error: { name: "ProcessDied" } },
    });
    finish();
    expect((await tasks.deliverAll()).map(({ path }) => path).sort()).toEqual(["mail.sendMail", "slow"]);
  });

  it("loses nothing in the last attempt", async () => {
    const tasks = open();
    tasks.failNext(2);
    await tasks.enqueue(office.sendMail, { to: "ada" });
    await tasks.deliverNext();
    await tasks.advance(10);
    await tasks.deliverNext();
    await tasks.advance(20);
    tasks.crashDuring(office.sendMail);
    expect(course(await tasks.deliverAll())).toEqual([
      [30, "done, not acknowledged"],
      [30, "done"],
    ]);
    expect(await tasks.deadLetters.list()).toEqual([]);
  });

  it("waits for the route that it names", async () => {
    const tasks = open();
    tasks.crashDuring(office.closeAccount);
    await tasks.enqueue(office.sendMail, { to: "ada" });
    expect((await tasks.deliverNext()).acknowledged).toBe(true);
    expect(() => tasks.crashDuring({ path: "nobody" as "mail.sendMail" })).toThrow(/"nobody"/);
  });
});

describe("crashNow", () => {
  it("ends a task where it stands, without its finally, a dead letter or an attempt", async () => {
    const told: string[] = [];
    const charge = new TaskRoute({
      path: "charge",
      maxAttempts: 1,
      maxConcurrency: 1,
      run: async (_payload, { attempt }) => {
        told.push(`charge ${attempt}`);
        try {
          if (told.length === 1) await tasks.crashNow();
        } catch {
          told.push("caught");
        } finally {
          told.push("finally");
        }
      },
    });
    const tasks = createTestTasks({ routes: [charge], onCrash: () => told.push("crash") });
    await tasks.enqueue(charge);
    const { outcome, acknowledged, mishap } = await tasks.deliverNext();
    expect([outcome.type, acknowledged, mishap]).toEqual(["failed", false, "crash"]);
    expect((await tasks.deliverNext()).acknowledged).toBe(true);
    expect(told).toEqual(["charge 1", "crash", "charge 1", "finally"]);
    expect(await tasks.deadLetters.list()).toEqual([]);
  });

  it("fails the test outside of a task", async () => {
    await expect(open().crashNow()).rejects.toThrow(/crashNow: expected to be called by a task/);
  });

  it("is not taken for a task that discards itself", async () => {
    const bad = new TaskRoute({
      path: "bad",
      run: () => {
        throw new Discard("no use");
      },
    });
    const tasks = createTestTasks({ routes: [bad], allowDeadLetters: true });
    tasks.crashDuring(bad);
    await tasks.enqueue(bad);
    expect(course(await tasks.deliverAll())).toEqual([
      [0, "discarded, not acknowledged"],
      [0, "discarded"],
    ]);
    expect((await tasks.deadLetters.list()).length).toBe(1);
  });
});

describe("expireDeadline", () => {
  const waiting = (settle: (signal: AbortSignal) => Promise<void>) => {
    const reasons: unknown[] = [];
    const route = new TaskRoute({
      path: "waiting",
      ackDeadline: 60,
      run: async (_payload, { signal }) => {
        signal.addEventListener("abort", () => reasons.push(signal.reason));
        await settle(signal);
      },
    });
    return { reasons, route, tasks: createTestTasks({ routes: [route] }) };
  };

  it.each([
    {
      name: "heeds its signal",
      settle: (signal: AbortSignal) =>
        new Promise<void>((_done, fail) => signal.addEventListener("abort", () => fail(signal.reason))),
    },
    { name: "ignores its signal", settle: () => new Promise<void>(() => {}) },
  ])("aborts a task that $name, and has it retried", async ({ settle }) => {
    const { reasons, route, tasks } = waiting(settle);
    await tasks.enqueue(route);
    const run = tasks.deliverNext();
    await tasks.expireDeadline();
    expect((await run).outcome).toMatchObject({ type: "failed", error: { code: "TIMEOUT" } });
    expect(reasons).toMatchObject([{ code: "TIMEOUT" }]);
    expect(tasks.now).toEqual(new Date("2026-01-01T00:01:00Z"));
    expect(tasks.pending).toMatchObject([{ attempt: 2 }]);
  });

  it("works beside deliverAll as well", async () => {
    let runs = 0;
    const { route, tasks } = waiting(() => (++runs === 1 ? new Promise<void>(() => {}) : Promise.resolve()));
    await tasks.enqueue(route);
    const all = tasks.deliverAll();
    await tasks.expireDeadline();
    expect((await all).map(({ outcome }) => outcome.type)).toEqual(["failed", "done"]);
  });

  it("fails the test when nothing is under way", async () => {
    const { tasks } = waiting(async () => {});
    await expect(tasks.expireDeadline()).rejects.toThrow(/expireDeadline: expected a delivery under way, got none/);
  });
});

describe("a run that waits for the virtual clock", () => {
  it("ends once the test has moved it", async () => {
    const sleepy = new TaskRoute({
      path: "sleepy",
      run: () => new Promise<void>((done) => tasks.clock.setTimeout(done, 30_000)),
    });
    const tasks = createTestTasks({ routes: [sleepy] });
    await tasks.enqueue(sleepy);
    const run = tasks.deliverNext();
    await tasks.advance(30);
    expect((await run).outcome.type).toBe("done");
  });

  it("does not hang the test that forgot to", async () => {
    const sleepy: TaskRoute<"sleepy"> = new TaskRoute({
      path: "sleepy",
      run: () => new Promise<void>((done) => tasks.clock.setTimeout(done, 30_000)),
    });
    const tasks = createTestTasks({ routes: [sleepy], patience: 0.05 });
    await tasks.enqueue(sleepy);
    await expect(tasks.deliverNext()).rejects.toMatchObject({
      code: "TIMEOUT",
      message: expect.stringMatching(
        /^"sleepy": expected its run to end within 0.05 s of the machine's time.*advance\(\)/,
      ),
    });
    await tasks.close();
  });
});
