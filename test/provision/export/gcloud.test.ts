import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toGcloudScript } from "../../../src/provision/export/index.ts";
import { comment, quote } from "../../../src/provision/export/shell.ts";
import { desiredOf, route } from "../scene.ts";
import { type Answers, type Call, record } from "./recorded-gcloud.ts";
import { EVERYTHING, everything, GRANTING, RUNTIME, VARIATION } from "./scene.ts";

/** Calls as text, without their flags. */
function wordsOf(calls: readonly Call[]): readonly string[] {
  return calls.map(({ words }) => words.join(" "));
}

describe("a text in the script", () => {
  const text = fc
    .oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^['"\\$`!\n\t ~*?#&|;<>(){}[\]^=a-]{0,16}$/))
    .filter((one) => !one.includes("\0"));

  it("is what the program gets, whatever it holds", () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 24 }), (words) => {
        const got = execFileSync("sh", ["-c", `printf '%s\\0' ${words.map(quote).join(" ")}`], { encoding: "utf8" });
        expect(got.split("\0").slice(0, -1)).toEqual(words);
      }),
      { numRuns: 50 },
    );
  });

  it("stays as it is where nothing in it means anything to a shell", () => {
    expect(quote("projects/p/topics/a--b.c_d")).toBe("projects/p/topics/a--b.c_d");
  });

  it("is refused with a NUL character, which no argument can hold", () => {
    expect(() => quote("a\0b")).toThrow("expected text without NUL characters, which no program takes");
  });

  it("is one line as a comment, whatever it holds", () => {
    fc.assert(fc.property(text, (one) => !/[\n\r]/.test(comment(one))));
  });
});

describe("the script", () => {
  it("is the same text in whatever order the routes are listed", () => {
    const shuffled = fc.shuffledSubarray([...EVERYTHING], { minLength: EVERYTHING.length });
    const text = toGcloudScript(everything(), GRANTING);
    fc.assert(
      fc.property(shuffled, (routes) => toGcloudScript(desiredOf(routes, VARIATION), GRANTING) === text),
      { numRuns: 20 },
    );
  });

  it("makes what is not there, and changes what is", () => {
    const script = toGcloudScript(desiredOf([route("a")]));
    const verbs = (there: boolean) =>
      wordsOf(record(script, { there }).calls).filter((words) => !/describe|add-iam/.test(words));
    expect(verbs(false)).toEqual([
      "pubsub topics create prod--shop.tasks--a",
      "pubsub topics create prod--shop.tasks--a-dead",
      "pubsub subscriptions create prod--shop.tasks--a-dead-sub",
      "pubsub subscriptions create prod--shop.tasks--a-sub",
    ]);
    expect(verbs(true)).toEqual(verbs(false).map((words) => words.replace("create", "update")));
  });

  it("makes what a resource depends on first", () => {
    const desired = everything();
    const made = wordsOf(record(toGcloudScript(desired), { there: false }).calls)
      .filter((words) => words.includes(" create "))
      .map((words) => words.slice(words.lastIndexOf(" ") + 1));
    const at = (name: string) => made.indexOf(name.slice(name.lastIndexOf("/") + 1));
    for (const { name, dependsOn } of desired.resources)
      for (const other of dependsOn) expect(at(other)).toBeLessThan(at(name));
  });

  it("stops at the first call that fails, and says so", () => {
    const { calls, status } = record(toGcloudScript(desiredOf([route("a")])), { there: false, failing: "create" });
    expect(status).toBe(1);
    expect(wordsOf(calls).filter((words) => words.includes("create"))).toHaveLength(1);
  });

  it("stops where the number of the project cannot be read", () => {
    const { calls, status } = record(toGcloudScript(desiredOf([route("a")])), { there: false, failing: "projects" });
    expect([status, calls.length]).toEqual([1, 1]);
  });

  it("asks for nothing that it does not need", () => {
    const desired = desiredOf([route("a", { via: "cloud-tasks" })], { env: { TASKS_SERVICE_ACCOUNT: "" } });
    expect(wordsOf(record(toGcloudScript(desired), { there: true }).calls).join("\n")).not.toContain("projects");
  });
});

describe("a job", () => {
  const verbs = (off: boolean, answers: Answers): readonly string[] => {
    const desired = desiredOf([route("a", { schedule: "0 9 * * *" })], { off: off ? ["a"] : [] });
    const { calls } = record(toGcloudScript(desired), answers);
    return calls
      .map(({ words }) => words)
      .filter(([group]) => group === "scheduler")
      .map(([, , verb = ""]) => verb);
  };
  const marker = "Enqueues a. taskroute:prod/shop";

  it.each<[string, boolean, Answers, readonly string[]]>([
    ["is made", false, { there: false }, ["create"]],
    ["is made and paused when the switch is off", true, { there: false }, ["create", "pause"]],
    ["that runs is changed", false, { there: true, job: { state: "ENABLED", description: marker } }, ["update"]],
    [
      "that runs is paused when the switch is off",
      true,
      { there: true, job: { state: "ENABLED", description: marker } },
      ["update", "pause"],
    ],
    [
      "that is paused is not paused again, which would be refused",
      true,
      { there: true, job: { state: "PAUSED", description: `${marker} switched-off` } },
      ["update"],
    ],
    [
      "that a switch has paused is resumed when it is on",
      false,
      { there: true, job: { state: "PAUSED", description: `${marker} switched-off` } },
      ["update", "resume"],
    ],
    [
      "that somebody has paused stays paused",
      false,
      { there: true, job: { state: "PAUSED", description: marker } },
      ["update"],
    ],
  ])("%s", (_, off, answers, expected) => {
    expect(verbs(off, answers).slice(1)).toEqual(expected);
  });
});

describe("the grants of the script", () => {
  it("are those of the options, for service agents by the number of the project", () => {
    const script = toGcloudScript(desiredOf([route("a"), route("b", { via: "cloud-tasks" })]), GRANTING);
    const { calls } = record(script, { there: true });
    const granted = calls
      .filter(({ words }) => words.includes("add-iam-policy-binding"))
      .map(({ words, flags }) =>
        `${words.filter((word) => word !== "add-iam-policy-binding").join(" ")}: ${flags.get("member")} ${flags.get("role")} ${flags.get("condition") ?? ""}`.trim(),
      );
    const pubsub = "serviceAccount:service-123456@gcp-sa-pubsub.iam.gserviceaccount.com";
    const tasks = "serviceAccount:service-123456@gcp-sa-cloudtasks.iam.gserviceaccount.com";
    const push = "push@p.iam.gserviceaccount.com";
    const runtime = `serviceAccount:${RUNTIME}`;
    expect(granted.sort()).toEqual(
      [
        `run services shop: serviceAccount:${push} roles/run.invoker None`,
        `iam service-accounts ${push}: ${pubsub} roles/iam.serviceAccountTokenCreator None`,
        `iam service-accounts ${push}: ${tasks} roles/iam.serviceAccountUser None`,
        `iam service-accounts ${push}: ${runtime} roles/iam.serviceAccountUser None`,
        `pubsub topics prod--shop.tasks--a-dead: ${pubsub} roles/pubsub.publisher`,
        `pubsub subscriptions prod--shop.tasks--a-sub: ${pubsub} roles/pubsub.subscriber`,
        `pubsub topics prod--shop.tasks--a: ${runtime} roles/pubsub.publisher`,
        `pubsub topics prod--shop.tasks--a-dead: ${runtime} roles/pubsub.publisher`,
        `pubsub topics prod--shop.tasks--b-dead: ${runtime} roles/pubsub.publisher`,
        `pubsub subscriptions prod--shop.tasks--a-dead-sub: ${runtime} roles/pubsub.subscriber`,
        `pubsub subscriptions prod--shop.tasks--b-dead-sub: ${runtime} roles/pubsub.subscriber`,
        `tasks queues prod--shop--b: ${runtime} roles/cloudtasks.enqueuer`,
      ].sort(),
    );
  });

  it("are made once for the project where that is asked for", () => {
    const { calls } = record(toGcloudScript(desiredOf([route("a")]), { grants: "project" }), { there: true });
    const granted = calls.filter(({ words }) => words.includes("add-iam-policy-binding") && words[0] !== "iam");
    expect(granted.map(({ words, flags }) => [...words, flags.get("role"), flags.get("condition")])).toEqual([
      ["projects", "add-iam-policy-binding", "p", "roles/pubsub.publisher", "None"],
      ["projects", "add-iam-policy-binding", "p", "roles/pubsub.subscriber", "None"],
    ]);
  });

  it("follow the push account, which is made where that is asked for", () => {
    const env = { TASKS_SERVICE_ACCOUNT: "shop-push@p.iam.gserviceaccount.com" };
    const script = toGcloudScript(desiredOf([route("a")], { env }), { createPushServiceAccount: true });
    const account = (there: boolean) =>
      wordsOf(record(script, { there }).calls).filter((words) => /^iam service-accounts (describe|create)/.test(words));
    expect(account(true)).toEqual(["iam service-accounts describe shop-push@p.iam.gserviceaccount.com"]);
    expect(account(false)).toEqual([...account(true), "iam service-accounts create shop-push"]);
  });
});
