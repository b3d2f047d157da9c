import { AssertionError } from "node:assert";
import { beforeEach, describe, expect, it } from "vitest";
import { silentLogger, TaskRoute } from "../../src/index.ts";
import {
  assertDelivered,
  assertDrained,
  assertEnqueued,
  assertSucceeded,
  createTestTasks,
  type TaskMatchers,
  taskMatchers,
} from "../../src/testing/index.ts";
import { openPostOffice, type PostOffice } from "./post-office.ts";

expect.extend(taskMatchers);

declare module "vitest" {
  interface Matchers<R> extends TaskMatchers<R> {}
}

let office: PostOffice;
beforeEach(() => {
  office = openPostOffice();
});

const open = () => createTestTasks({ routes: [office.sendMail, office.closeAccount, office.report] });

/** The text with which something fails. */
function textOf(act: () => void): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  return expect.unreachable("expected a failure");
}

describe("toHaveEnqueued", () => {
  it("holds for a task that was enqueued, whatever became of it, by some of its payload", async () => {
    const tasks = open();
    const at = new Date("2026-05-01T09:00:00Z");
    await tasks.enqueue(office.sendMail, { to: "ada@example.com", at });
    for (const _ of ["before", "after"]) {
      expect(tasks).toHaveEnqueued(office.sendMail);
      expect(tasks).toHaveEnqueued(office.sendMail, { to: "ada@example.com" });
      expect(tasks).toHaveEnqueued(office.sendMail, { to: /@example\.com$/g, at });
      expect(tasks).toHaveEnqueued(office.sendMail, { to: expect.stringContaining("ada") });
      expect(tasks).not.toHaveEnqueued(office.sendMail, { to: "bob" });
      expect(tasks).not.toHaveEnqueued(office.closeAccount);
      await tasks.deliverAll();
    }
  });

  it("does not hold for a tick, nor for what a redelivery brings again", async () => {
    const tasks = open();
    await tasks.runSchedule(office.report);
    expect(tasks).not.toHaveEnqueued(office.report);
    expect(tasks).toHaveDelivered(office.report);
  });

  it.each([
    {
      name: "nothing was enqueued",
      enqueued: [],
      text: "expected \"mail.sendMail\" to be enqueued with\n  { to: 'ada' }\ngot nothing at all",
    },
    {
      name: "other payloads were, the nearest first",
      enqueued: [{ to: "bob", at: "2026-01-01" }, { to: "eve" }, { to: "carl" }],
      text: `expected "mail.sendMail" to be enqueued with
  { to: 'ada' }
got
  mail.sendMail { to: 'bob', at: '2026-01-01' }
    to: expected 'ada', got 'bob'
  mail.sendMail { to: 'eve' }
    to: expected 'ada', got 'eve'
  mail.sendMail { to: 'carl' }
    to: expected 'ada', got 'carl'`,
    },
  ])("tells when $name", async ({ enqueued, text }) => {
    const tasks = open();
    for (const payload of enqueued) await tasks.enqueue(office.sendMail, payload);
    expect(textOf(() => expect(tasks).toHaveEnqueued(office.sendMail, { to: "ada" }))).toBe(text);
  });

  it("puts the payload with the fewest differences first", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "bob" });
    await tasks.enqueue(office.sendMail, { to: "ada", at: "2026-01-01" });
    const text = textOf(() => expect(tasks).toHaveEnqueued(office.sendMail, { to: "ada", at: "2026-01-02" }));
    expect(text.split("\n").slice(3)).toEqual([
      "  mail.sendMail { to: 'ada', at: '2026-01-01' }",
      "    at: expected '2026-01-02', got '2026-01-01'",
      "  mail.sendMail { to: 'bob' }",
      "    to: expected 'ada', got 'bob'",
      "    at: expected '2026-01-02', got undefined",
    ]);
  });

  it("tells what was enqueued of other routes, those with a like name first", async () => {
    const remind = new TaskRoute({ path: "mail.remind", run: () => {} });
    const send = new TaskRoute({ path: "mail.resend", run: () => {} });
    const zero = new TaskRoute({ path: "accounts.zero", run: () => {} });
    const tasks = createTestTasks({ routes: [remind, send, zero] });
    await tasks.enqueue(zero);
    await tasks.enqueue(send, { n: 1 });
    expect(textOf(() => expect(tasks).toHaveEnqueued(remind))).toBe(
      `expected "mail.remind" to be enqueued, got none of it, but
  mail.resend { n: 1 }
  accounts.zero {}`,
    );
  });

  it("tells what it found when that was not expected", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "ada" });
    expect(textOf(() => expect(tasks).not.toHaveEnqueued(office.sendMail))).toBe(
      "expected \"mail.sendMail\" not to be enqueued, got\n  mail.sendMail { to: 'ada' }",
    );
    expect(textOf(() => expect(tasks).not.toHaveEnqueued(office.sendMail, { to: expect.any(String) }))).toBe(
      "expected \"mail.sendMail\" not to be enqueued with\n  { to: Any<String> }\ngot\n  mail.sendMail { to: 'ada' }",
    );
  });

  it("keeps to 80 columns, and shows ten at most", async () => {
    const big = new TaskRoute({ path: "imports.importFile", run: () => {} });
    const tasks = createTestTasks({ routes: [big] });
    const payload = {
      file: "gs://bucket/folder/file-of-some-length.csv",
      columns: ["name", "email", "city", "street"],
    };
    for (let count = 0; count < 12; count++) await tasks.enqueue(big, payload);
    const text = textOf(() => expect(tasks).toHaveEnqueued(big, { file: "other.csv" }));
    const lines = text.split("\n");
    expect(lines.filter((line) => line.length > 80 && !line.includes(": expected"))).toEqual([]);
    expect(lines.filter((line) => line === "  imports.importFile")).toHaveLength(10);
    expect(lines.at(-1)).toBe("  … and 2 more");
  });
});

describe("toHaveDelivered and toHaveSucceeded", () => {
  it("tell a delivery from one that did its work", async () => {
    const tasks = open();
    await tasks.enqueue(office.sendMail, { to: "later" });
    expect(tasks).not.toHaveDelivered(office.sendMail);
    await tasks.deliverNext();
    expect(tasks).toHaveDelivered(office.sendMail, { to: "later" });
    expect(tasks).not.toHaveSucceeded(office.sendMail);
    expect(textOf(() => expect(tasks).toHaveSucceeded(office.sendMail, { to: "later" }))).toBe(
      `expected "mail.sendMail" to succeed with
  { to: 'later' }
got
  mail.sendMail { to: 'later' } attempt 1: failed, Error: later bounced`,
    );
    await tasks.deliverAll();
    expect(tasks).toHaveSucceeded(office.sendMail, { to: "later" });
  });

  it("say what the test let go wrong", async () => {
    const tasks = open();
    tasks.crashDuring(office.sendMail);
    await tasks.enqueue(office.sendMail, { to: "ada" });
    await tasks.deliverNext();
    expect(textOf(() => expect(tasks).toHaveSucceeded(office.sendMail))).toBe(
      "expected \"mail.sendMail\" to succeed, got\n  mail.sendMail { to: 'ada' } attempt 1: done (crash)",
    );
  });
});

describe("toBeDrained", () => {
  it("holds when nothing waits and nothing is under way", async () => {
    const tasks = open();
    expect(tasks).toBeDrained();
    await tasks.enqueue(office.sendMail, { to: "ada" });
    await tasks.deliverAll();
    expect(tasks).toBeDrained();
    expect(textOf(() => expect(tasks).not.toBeDrained())).toBe("expected tasks to be left, got none");
  });

  it("tells what is left", async () => {
    const { promise, resolve: finish } = Promise.withResolvers<void>();
    const slow = new TaskRoute({ path: "slow", run: () => promise });
    const tasks = createTestTasks({ routes: [slow, office.sendMail] });
    await tasks.enqueue(slow, {});
    await tasks.enqueue(office.sendMail, { to: "later" });
    await tasks.deliverNext(office.sendMail);
    await tasks.enqueue(office.sendMail, { to: "ada" }, { delay: 60.5 });
    const run = tasks.deliverNext();
    expect(textOf(() => expect(tasks).toBeDrained())).toBe(
      `expected no task to be left, got 3 tasks
  slow {} due now, under way
  mail.sendMail { to: 'later' } due in 10 s, attempt 2
  mail.sendMail { to: 'ada' } due in 60.5 s`,
    );
    finish();
    await run;
  });
});

describe("every matcher", () => {
  it("refuses a client that keeps no records, and a route that is not in the list", async () => {
    expect(textOf(() => expect({ logger: silentLogger }).toBeDrained())).toBe(
      "toBeDrained: expected a client of createTestTasks, got an object; createTasks makes clients that keep no records",
    );
    expect(textOf(() => expect(undefined).toHaveEnqueued(office.sendMail))).toMatch(/got undefined/);
    const stranger = new TaskRoute({ path: "mail.sendMale", run: () => {} });
    for (const matcher of ["toHaveEnqueued", "toHaveDelivered", "toHaveSucceeded"] as const)
      expect(textOf(() => expect(open())[matcher](stranger))).toMatch(/"mail.sendMale" \(listed is "mail.sendMail"\)/);
  });

  it("is an assertion as well, for runners without matchers, with the same text", async () => {
    const tasks = open();
    const pairs: [assertion: () => void, matcher: () => void][] = [
      [
        () => assertEnqueued(tasks, office.sendMail, { to: "bob" }),
        () => expect(tasks).toHaveEnqueued(office.sendMail, { to: "bob" }),
      ],
      [
        () => assertDelivered(tasks, office.sendMail, { to: "bob" }),
        () => expect(tasks).toHaveDelivered(office.sendMail, { to: "bob" }),
      ],
      [
        () => assertSucceeded(tasks, office.sendMail, { to: "bob" }),
        () => expect(tasks).toHaveSucceeded(office.sendMail, { to: "bob" }),
      ],
      [() => assertDrained(tasks), () => expect(tasks).toBeDrained()],
    ];
    await tasks.enqueue(office.sendMail, { to: "ada" });
    for (const [assertion, matcher] of pairs) {
      expect(assertion).toThrow(AssertionError);
      expect(textOf(assertion)).toBe(textOf(matcher));
    }
    await tasks.enqueue(office.sendMail, { to: "bob" });
    await tasks.deliverAll();
    for (const [assertion] of pairs) assertion();
  });

  it("points at the line of the test that fails", () => {
    try {
      assertEnqueued(open(), office.sendMail);
    } catch (error) {
      expect((error as Error).stack?.split("\n").find((line) => line.startsWith("    at "))).toContain(
        import.meta.filename,
      );
    }
    expect.assertions(1);
  });
});
