import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  assertNaming,
  assertPath,
  deferralQueueName,
  fnv1a64,
  type Naming,
  priorityQueueName,
  resourceNames,
  taskName,
} from "../../src/core/names.ts";

const gyrinx: Naming = { environment: "prod", namespace: "gyrinx" };

const letter = fc.constantFrom(..."abcxyzABCXYZ");
const wordCharacter = fc.constantFrom(..."abcxyzABCXYZ0189");
const word = fc.string({ unit: wordCharacter, minLength: 1, maxLength: 6 });
const prefix = fc
  .tuple(letter, fc.array(fc.tuple(fc.constantFrom("-", "_", ""), word), { maxLength: 3 }))
  .map(([first, rest]) => first + rest.map(([separator, text]) => separator + text).join(""));
const naming = fc
  .record({ environment: prefix, namespace: prefix })
  .filter(({ environment }) => !environment.toLowerCase().startsWith("goog"));
const segment = (maxLength: number) => fc.string({ unit: fc.constantFrom(..."abcXYZ019_-"), minLength: 1, maxLength });
const path = fc.array(fc.oneof(segment(12), segment(300)), { minLength: 1, maxLength: 6 }).map((all) => all.join("."));
const longPath = path.map((text) => `${text}.${"segment".repeat(80)}`);

describe("resourceNames", () => {
  it("are those of the reference for its tasks", () => {
    expect(resourceNames(gyrinx, "gyrinx.core.tasks.send_welcome_email")).toEqual({
      topicName: "prod--gyrinx.tasks--gyrinx.core.tasks.send_welcome_email",
      subscriptionName: "prod--gyrinx.tasks--gyrinx.core.tasks.send_welcome_email-sub",
      deadLetterTopicName: "prod--gyrinx.tasks--gyrinx.core.tasks.send_welcome_email-dead",
      deadLetterSubscriptionName: "prod--gyrinx.tasks--gyrinx.core.tasks.send_welcome_email-dead-sub",
      queueName: "prod--gyrinx--gyrinx-core-tasks-send-welcome-email",
      schedulerJobName: "prod--gyrinx-scheduler--gyrinx-core-tasks-send_welcome_email",
    });
    expect(resourceNames(gyrinx, "gyrinx.core.tasks.cleanup_old_data").schedulerJobName).toBe(
      "prod--gyrinx-scheduler--gyrinx-core-tasks-cleanup_old_data",
    );
  });

  it("carry no underscore in a queue name, not even that of the environment or the namespace", () => {
    const { queueName } = resourceNames({ environment: "my_dev", namespace: "web_shop" }, "a_b.c_d");
    expect(queueName).toBe("my-dev--web-shop--a-b-c-d");
  });

  it("are legal in characters and length, however long the path", () => {
    fc.assert(
      fc.property(naming, fc.oneof(path, longPath), (owner, task) => {
        const names = resourceNames(owner, task);
        for (const id of [
          names.topicName,
          names.subscriptionName,
          names.deadLetterTopicName,
          names.deadLetterSubscriptionName,
        ]) {
          expect(id).toMatch(/^(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}$/i);
        }
        expect(names.queueName).toMatch(/^[A-Za-z0-9-]{1,100}$/);
        expect(names.schedulerJobName).toMatch(/^[A-Za-z0-9_-]{1,500}$/);
      }),
    );
  });

  it("stay related when shortened: each of the four Pub/Sub names is the topic and its suffix", () => {
    fc.assert(
      fc.property(naming, longPath, (owner, task) => {
        const names = resourceNames(owner, task);
        expect(names.subscriptionName).toBe(`${names.topicName}-sub`);
        expect(names.deadLetterTopicName).toBe(`${names.topicName}-dead`);
        expect(names.deadLetterSubscriptionName).toBe(`${names.topicName}-dead-sub`);
      }),
    );
  });

  it("keep the owner readable when shortened", () => {
    fc.assert(
      fc.property(naming, longPath, (owner, task) => {
        const { environment, namespace } = owner;
        const names = resourceNames(owner, task);
        expect(names.topicName.startsWith(`${environment}--${namespace}.tasks--`)).toBe(true);
        expect(names.queueName.startsWith(`${environment}--${namespace}--`.replaceAll("_", "-"))).toBe(true);
        expect(names.schedulerJobName.startsWith(`${environment}--${namespace}-scheduler--`)).toBe(true);
      }),
    );
  });

  it("differ for two paths unless these flatten to the same text", () => {
    fc.assert(
      fc.property(naming, path, path, fc.boolean(), (owner, one, other, long) => {
        const [a, b] = long ? [`${"x".repeat(600)}${one}`, `${"x".repeat(600)}${other}`] : [one, other];
        const [left, right] = [resourceNames(owner, a), resourceNames(owner, b)];
        expect(left.topicName === right.topicName).toBe(a === b);
        expect(left.schedulerJobName === right.schedulerJobName).toBe(
          a.replaceAll(".", "-") === b.replaceAll(".", "-"),
        );
        expect(left.queueName === right.queueName).toBe(a.replace(/[._]/g, "-") === b.replace(/[._]/g, "-"));
      }),
    );
  });

  it("give away their owner: no owner's queues begin with the prefix of another, but for _ and -", () => {
    fc.assert(
      fc.property(naming, naming, path, (one, other, task) => {
        const owned = (owner: Naming): string => `${owner.environment}--${owner.namespace}--`.replaceAll("_", "-");
        fc.pre(owned(one) !== owned(other));
        expect(resourceNames(one, task).queueName.startsWith(owned(other))).toBe(false);
      }),
    );
  });

  it("flatten a.b-c and a.b.c to one scheduler job, which a registry has to refuse", () => {
    expect(resourceNames(gyrinx, "a.b-c").schedulerJobName).toBe(resourceNames(gyrinx, "a.b.c").schedulerJobName);
  });

  it.each([
    ["topicName", 246],
    ["subscriptionName", 250],
    ["deadLetterSubscriptionName", 255],
    ["queueName", 100],
    ["schedulerJobName", 500],
  ] as const)("%s is whole up to %d characters, and shortened from the next on", (kind, limit) => {
    const longest = "x".repeat(limit - resourceNames(gyrinx, "x")[kind].length + 1);
    const whole = resourceNames(gyrinx, longest)[kind];
    expect(whole).toHaveLength(limit);
    expect(whole).toContain(longest);
    const cut = resourceNames(gyrinx, `${longest}x`)[kind];
    expect(cut).toHaveLength(limit);
    expect(cut).not.toContain(longest);
  });

  it("never change: a shortened name finds the resource of an earlier deployment", () => {
    const names = resourceNames(gyrinx, `gyrinx.${"a-rather-long-segment.".repeat(30)}send_welcome_email`);
    const lead = "a-rather-long-segment.".repeat(9);
    expect(names.topicName).toBe(`prod--gyrinx.tasks--gyrinx.${lead}a-ra-17299acd23c3e11c`);
    expect(names.queueName).toMatch(/^prod--gyrinx--gyrinx-a-rather-long-segment-.*-segm-3ac99eeb88f9436d$/);
    expect(names.schedulerJobName).toMatch(/^prod--gyrinx-scheduler--gyrinx-a-rather-.*-lon-5194d2a52e528ed9$/);
  });

  it("refuse a naming and a path that cannot be used", () => {
    expect(() => resourceNames({ environment: "google", namespace: "x" }, "a")).toThrow("goog");
    expect(() => resourceNames(gyrinx, "a..b")).toThrow("an empty segment");
  });
});

describe("fnv1a64", () => {
  it.each([
    ["", "cbf29ce484222325"],
    ["a", "af63dc4c8601ec8c"],
    ["foobar", "85944171f73967e8"],
  ])("of %j is %s, as published with the algorithm", (text, hash) => {
    expect(fnv1a64(text)).toBe(hash);
  });
});

describe("assertNaming", () => {
  it.each(["prod", "p", "Staging", "web-shop", "web_shop", "r2-d2", "a".repeat(30)])("accepts %s", (name) => {
    expect(() => assertNaming({ environment: name, namespace: name })).not.toThrow();
  });

  it.each([
    ["", "expected 1 to 30 characters, got 0"],
    ["a".repeat(31), "expected 1 to 30 characters, got 31"],
    ["2nd", 'expected a letter first, got "2"'],
    ["-prod", 'expected a letter first, got "-"'],
    ["a--b", 'expected single separators, got "--"'],
    ["a__b", 'expected single separators, got "__"'],
    ["a-_b", 'expected single separators, got "-_"'],
    ["prod-", 'expected a letter or digit last, got "-"'],
    ["prod_", 'expected a letter or digit last, got "_"'],
    ["pröd", 'expected letters, digits, - and _, got "ö"'],
    ["a.b", 'expected letters, digits, - and _, got "."'],
    ["a b", 'expected letters, digits, - and _, got " "'],
    ["prod\n", 'expected letters, digits, - and _, got "\\n"'],
  ])("refuses %j in both places: %s", (name, reason) => {
    expect(() => assertNaming({ environment: name, namespace: "x" })).toThrow(
      `environment ${JSON.stringify(name)}: ${reason}`,
    );
    expect(() => assertNaming({ environment: "x", namespace: name })).toThrow(
      `namespace ${JSON.stringify(name)}: ${reason}`,
    );
  });

  it.each(["goog", "google", "GOOGle", "Goog-dev"])(
    "refuses environment %s, since topics begin with it",
    (environment) => {
      expect(() => assertNaming({ environment, namespace: "x" })).toThrow(
        expect.objectContaining({ code: "INVALID_NAME", message: expect.stringContaining("does not start with goog") }),
      );
    },
  );

  it("accepts a namespace that starts with goog", () => {
    expect(() => assertNaming({ environment: "dev", namespace: "google-sync" })).not.toThrow();
  });
});

describe("assertPath", () => {
  it.each(["a", "accounts.sendWelcomeEmail", "gyrinx.core.tasks.send_welcome_email", "a--b.c", "0.-._"])(
    "accepts %s",
    (text) => {
      expect(() => assertPath(text)).not.toThrow();
    },
  );

  it.each([
    ["", "an empty segment"],
    [".", "an empty segment"],
    [".a", "an empty segment"],
    ["a.", "an empty segment"],
    ["a..b", "an empty segment"],
    ["a.b c", '"b c"'],
    ["a/b", '"a/b"'],
    ["a.é", '"é"'],
    ["a\n", '"a\\n"'],
  ])("refuses %j: got %s", (text, got) => {
    expect(() => assertPath(text)).toThrow(
      expect.objectContaining({ code: "INVALID_NAME", message: expect.stringContaining(`got ${got};`) }),
    );
  });
});

describe("taskName", () => {
  it.each([
    ["accounts.sendWelcomeEmail", "sendWelcomeEmail"],
    ["gyrinx.core.tasks.send_welcome_email", "send_welcome_email"],
    ["alone", "alone"],
  ])("of %s is %s", (text, name) => {
    expect(taskName(text)).toBe(name);
  });
});

describe("the names of further queues", () => {
  it("are those of the route's queue with its priority", () => {
    expect(priorityQueueName("mail", "high")).toBe("mail-high");
    expect(priorityQueueName("projects/p/locations/l/queues/mail", "high")).toBe(
      "projects/p/locations/l/queues/mail-high",
    );
  });

  it("are never longer than a queue id may be, and still differ", () => {
    const names = ["high", "low"].map((priority) => priorityQueueName("q".repeat(98), priority));
    expect(names.map(({ length }) => length)).toEqual([100, 100]);
    expect(new Set(names).size).toBe(2);
  });

  it("are that of the service for what is deferred", () => {
    expect(deferralQueueName({ environment: "prod_eu", namespace: "shop" })).toBe("prod-eu--shop-deferral");
  });
});
