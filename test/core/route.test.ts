import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { TasksErrorCode } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { refusalOf } from "../support/refusal.ts";
import { createScene } from "../support/scene.ts";

const run = (): void => {};
const scheduled = { schedule: "0 9 * * *" };

/** Constructs as a caller without a compiler does. */
function construct(options: unknown): TaskRoute<string> {
  return Reflect.construct(TaskRoute, [options]) as TaskRoute<string>;
}

describe("a route of path and run alone", () => {
  it("has every default", () => {
    expect(new TaskRoute({ path: "accounts.sendWelcomeEmail", run }).settings).toEqual({
      args: [],
      ackDeadline: 300,
      minRetryDelay: 10,
      maxRetryDelay: 600,
      maxAttempts: 10,
      schedule: undefined,
      scheduleTimezone: "UTC",
      schedulePayload: {},
      overlap: undefined,
      lockTtl: 330,
      via: undefined,
      ordered: false,
      queue: {},
      maxConcurrency: undefined,
      killSwitch: undefined,
    });
  });

  it("is named after the last segment of its path, and has no schedule", () => {
    const route = new TaskRoute({ path: "accounts.emails.sendWelcomeEmail", run });
    expect(route).toMatchObject({ name: "sendWelcomeEmail", isScheduled: false, schema: undefined });
  });
});

describe("an option", () => {
  const accepted: readonly [options: object, settings: object][] = [
    [{ ackDeadline: 10 }, { ackDeadline: 10, lockTtl: 40 }],
    [{ ackDeadline: 1800 }, { ackDeadline: 1800 }],
    [{ ackDeadline: 600, via: "pubsub" }, { ackDeadline: 600 }],
    [{ ackDeadline: 15, via: "cloud-tasks" }, { ackDeadline: 15 }],
    [
      { minRetryDelay: 0, maxRetryDelay: 0 },
      { minRetryDelay: 0, maxRetryDelay: 0 },
    ],
    [{ minRetryDelay: 3600 }, { minRetryDelay: 3600, maxRetryDelay: 3600 }],
    [
      { minRetryDelay: 600, via: "pubsub" },
      { minRetryDelay: 600, maxRetryDelay: 600 },
    ],
    [{ maxAttempts: 1 }, { maxAttempts: 1 }],
    [{ maxAttempts: 100 }, { maxAttempts: 100 }],
    [{ maxConcurrency: 1 }, { maxConcurrency: 1 }],
    [{ args: ["userId", "message"] }, { args: ["userId", "message"] }],
    [
      { ...scheduled, scheduleTimezone: "Europe/London", overlap: "allow", lockTtl: 5 },
      { schedule: "0 9 * * *", scheduleTimezone: "Europe/London", overlap: "allow", lockTtl: 5 },
    ],
    [{ queue: "mail" }, { queue: { name: "mail", managed: true } }],
    [
      { queue: "projects/p/locations/europe-west2/queues/mail" },
      { queue: { name: "projects/p/locations/europe-west2/queues/mail", managed: false } },
    ],
    [{ queue: { name: "mail", managed: false } }, { queue: { name: "mail", managed: false } }],
    [
      { queue: { priorities: { high: { ratePerSecond: 500, minRetryDelay: 5 }, "very-low": { name: "slow" } } } },
      {
        queue: {
          priorities: { high: { ratePerSecond: 500, minRetryDelay: 5 }, "very-low": { name: "slow", managed: true } },
        },
      },
    ],
    [{ ordered: true }, { ordered: true }],
    [
      { queue: { ratePerSecond: 500, maxConcurrent: 5000, maxDoublings: 16, maxRetryDuration: 0, logSampling: 1 } },
      { queue: { ratePerSecond: 500, maxConcurrent: 5000, maxDoublings: 16, maxRetryDuration: 0, logSampling: 1 } },
    ],
    [{ killSwitch: "ENABLE_MAIL" }, { killSwitch: { env: "ENABLE_MAIL", onDemand: "park" } }],
    [{ killSwitch: { env: "MAIL", onDemand: "skip" } }, { killSwitch: { env: "MAIL", onDemand: "skip" } }],
  ];

  it.each(accepted)("is taken: %j", (options, settings) => {
    expect(new TaskRoute({ path: "x.a", run, ...options }).settings).toMatchObject(settings);
  });

  const outOfRange: readonly (readonly [option: string, wrong: readonly unknown[], context?: object])[] = [
    ["ackDeadline", [9, 1801, Number.NaN, Number.POSITIVE_INFINITY, "300", null]],
    ["ackDeadline", [9, 601], { via: "pubsub" }],
    ["ackDeadline", [14, 1801], { via: "cloud-tasks" }],
    ["minRetryDelay", [-1, 3601, "10"]],
    ["minRetryDelay", [601], { maxRetryDelay: 600 }],
    ["minRetryDelay", [601], { via: "pubsub" }],
    ["maxRetryDelay", [-1, 3601]],
    ["maxRetryDelay", [601], { via: "pubsub" }],
    ["maxAttempts", [0, 101, 1.5, -1, "10"]],
    ["maxConcurrency", [0, 1.5, -1, "1"]],
    ["overlap", ["wait", true], scheduled],
    ["lockTtl", [0, 86_401], scheduled],
    ["scheduleTimezone", [""], scheduled],
    ["schedulePayload", ["text", [1], 5], scheduled],
    ["schedule", ["", 5]],
    ["via", ["kafka", "cloudtasks"]],
    ["args", ["userId", [1], [""], ["a", "a"], ["__proto__"]]],
    ["payload", [{}, "text", () => true, { "~standard": {} }]],
    ["queue", [5, ["mail"]]],
    ["killSwitch", [5, null]],
  ];

  it.each(
    outOfRange.flatMap(([option, wrong, context]) => wrong.map((value) => [option, value, context ?? {}] as const)),
  )("%s is refused: %j beside %j", (option, value, context) => {
    const text = refusalOf(() => construct({ path: "x.a", run, ...context, [option]: value }), "INVALID_OPTION");
    expect(text).toContain('TaskRoute "x.a"');
    expect(text).toMatch(new RegExp(`expected ${option} to be .*, got `));
  });

  const nested: readonly [options: object, text: string][] = [
    [{ queue: "under_score" }, "expected name to be a queue id"],
    [{ queue: { name: "projects/p/queues/q" } }, "expected name to be a queue id"],
    [{ queue: { managed: "yes" } }, "expected managed to be true or false"],
    [{ queue: { ratePerSecond: 0 } }, "expected ratePerSecond to be more than 0 and at most 500"],
    [{ queue: { ratePerSecond: 501 } }, "expected ratePerSecond to be a number of 0–500"],
    [{ queue: { maxConcurrent: 5001 } }, "expected maxConcurrent to be a whole number of 1–5000"],
    [{ queue: { maxDoublings: 17 } }, "expected maxDoublings to be a whole number of 0–16"],
    [{ queue: { maxRetryDuration: -1 } }, "expected maxRetryDuration to be a number of 0–2678400 seconds"],
    [{ queue: { logSampling: 1.1 } }, "expected logSampling to be a number of 0–1"],
    [{ queue: { priorities: ["high"] } }, "expected priorities to be an object of settings by name"],
    [{ queue: { priorities: { under_score: {} } } }, "expected priorities to be named with 1–20 letters"],
    [{ queue: { priorities: { high: 5 } } }, 'queue priority "high": expected an object of settings, got 5'],
    [
      { queue: { priorities: { high: { maxConcurrent: 0 } } } },
      "expected maxConcurrent to be a whole number of 1–5000",
    ],
    [
      { queue: { priorities: { high: { minRetryDelay: 9, maxRetryDelay: 8 } } } },
      "expected minRetryDelay to be at most maxRetryDelay (8)",
    ],
    [{ ordered: "yes" }, "expected ordered to be true or false"],
    [{ ordered: true, via: "cloud-tasks" }, 'expected ordered to be left out with via: "cloud-tasks"'],
    [{ killSwitch: "not a name" }, "expected env to be the name of an environment variable"],
    [{ killSwitch: { env: "MAIL", onDemand: "drop" } }, 'expected onDemand to be "park" or "skip"'],
  ];

  it.each(nested)("is refused within an option: %j", (options, text) => {
    expect(refusalOf(() => new TaskRoute({ path: "x.a", run, ...options }), "INVALID_OPTION")).toContain(text);
  });

  const misspelt: readonly [options: object, text: string][] = [
    [{ ackDeadine: 30 }, 'TaskRoute "x.a": unknown option ackDeadine, did you mean ackDeadline?'],
    [{ MaxAttempts: 3 }, 'TaskRoute "x.a": unknown option MaxAttempts, did you mean maxAttempts?'],
    [
      { queue: { ratePersecond: 1 } },
      'TaskRoute "x.a" queue: unknown option ratePersecond, did you mean ratePerSecond?',
    ],
    [
      { killSwitch: { env: "MAIL", ondemand: "skip" } },
      'TaskRoute "x.a" killSwitch: unknown option ondemand, did you mean onDemand?',
    ],
    [{ priorities: 1, zzz: 1 }, "unknown option priorities; known are path, payload,"],
  ];

  it.each(misspelt)("that does not exist is refused with the one meant: %j", (options, text) => {
    expect(refusalOf(() => new TaskRoute({ path: "x.a", run, ...options }), "INVALID_OPTION")).toContain(text);
  });

  it.each(["scheduleTimezone", "schedulePayload", "overlap", "lockTtl"])("%s needs a schedule", (option) => {
    const text = refusalOf(() => construct({ path: "x.a", run, [option]: {} }), "INVALID_OPTION");
    expect(text).toContain(option);
  });
});

describe("a route that cannot be", () => {
  const cases: readonly [what: string, options: unknown, code: TasksErrorCode, text: string][] = [
    ["nothing", undefined, "INVALID_OPTION", "TaskRoute: expected an object of options, got undefined"],
    ["a text", "x.a", "INVALID_OPTION", 'TaskRoute: expected an object of options, got "x.a"'],
    ["no path", { run }, "INVALID_OPTION", "TaskRoute: expected path to be a text"],
    ["a path that is no text", { path: 5, run }, "INVALID_OPTION", "expected path to be a text"],
    ["a misspelt path", { pth: "x.a", run }, "INVALID_OPTION", "unknown option pth, did you mean path?"],
    ["an illegal path", { path: "x y", run }, "INVALID_NAME", "expected dotted segments"],
    ["no run", { path: "x.a" }, "INVALID_OPTION", "expected run to be a function, got undefined"],
    ["an illegal schedule", { path: "x.a", run, schedule: "99 99 * * *" }, "INVALID_SCHEDULE", 'TaskRoute "x.a": '],
    [
      "an unknown time zone",
      { path: "x.a", run, ...scheduled, scheduleTimezone: "Mars/Olympus" },
      "INVALID_SCHEDULE",
      "Mars/Olympus",
    ],
  ];

  it.each(cases)("is refused: %s", (_what, options, code, text) => {
    expect(refusalOf(() => construct(options), code)).toContain(text);
  });
});

describe("the payload of a scheduled route", () => {
  const payload = z.object({ region: z.string() });

  it("is refused at construction when its own schema refuses it at every tick", () => {
    const text = refusalOf(
      () => new TaskRoute({ path: "x.a", run, payload, ...scheduled, schedulePayload: { region: 5 } as never }),
      "INVALID_PAYLOAD",
    );
    expect(text).toMatch(/^scheduled payload of "x\.a": region: .*; set schedulePayload to what a tick should carry$/);
  });

  it("is refused when it is left out and the schema needs something", () => {
    expect(() => new TaskRoute({ path: "x.a", run, payload, ...scheduled })).toThrow(/scheduled payload of "x\.a"/);
  });

  it("is taken when the schema takes it", () => {
    const route = new TaskRoute({ path: "x.a", run, payload, ...scheduled, schedulePayload: { region: "eu" } });
    expect(route.settings.schedulePayload).toEqual({ region: "eu" });
  });

  it("is left to the first tick when the schema answers later", () => {
    const slow = z.object({ region: z.string() }).refine(async () => false);
    expect(
      () => new TaskRoute({ path: "x.a", run, payload: slow, ...scheduled, schedulePayload: { region: "eu" } }),
    ).not.toThrow();
  });
});

describe("the names of a route's resources", () => {
  const report = new TaskRoute({ path: "reports.daily", run, ...scheduled });
  const plain = new TaskRoute({ path: "reports.plain_one", run, queue: "literal" });

  it("are those of the list it stands in", () => {
    createTasks({ ...createScene().options, routes: [report, plain], environment: "prod", namespace: "shop" });
    expect(report).toMatchObject({
      topicName: "prod--shop.tasks--reports.daily",
      subscriptionName: "prod--shop.tasks--reports.daily-sub",
      deadLetterTopicName: "prod--shop.tasks--reports.daily-dead",
      deadLetterSubscriptionName: "prod--shop.tasks--reports.daily-dead-sub",
      queueName: "prod--shop--reports-daily",
      schedulerJobName: "prod--shop-scheduler--reports-daily",
      isScheduled: true,
    });
    expect(plain.queueName).toBe("literal");
  });

  it("have no scheduler job without a schedule", () => {
    expect(refusalOf(() => plain.schedulerJobName, "INVALID_OPTION")).toMatch(/expected a schedule .* got none/);
  });

  it("are not known to a route that stands in no list", () => {
    const alone = new TaskRoute({ path: "reports.alone", run });
    expect(refusalOf(() => alone.topicName, "INVALID_NAME")).toContain("list it first");
  });
});
