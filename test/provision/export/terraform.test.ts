import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ExportOptions, toTerraform } from "../../../src/provision/export/index.ts";
import { labelOf, literal } from "../../../src/provision/export/terraform-address.ts";
import { desiredOf, route } from "../scene.ts";
import { EVERYTHING, everything, GRANTING, RUNTIME, template, VARIATION } from "./scene.ts";
import { evaluated, readModule } from "./terraform-module.ts";

/** Every role that a module grants: who, what, on what; sorted. */
function grantsIn(text: string): readonly string[] {
  return readModule(text)
    .resources.filter(({ type }) => type.endsWith("_iam_member"))
    .map(({ arguments: of }) => {
      const on = ["topic", "subscription", "name", "service_account_id", "project"].find((name) => of.has(name)) ?? "";
      return `${of.get("member")} ${of.get("role")} ${of.get(on)}`.replace(/^serviceAccount:/, "");
    })
    .sort();
}

const PUBSUB_AGENT = "service-123456@gcp-sa-pubsub.iam.gserviceaccount.com";
const TASKS_AGENT = "service-123456@gcp-sa-cloudtasks.iam.gserviceaccount.com";
const PUSH = "push@p.iam.gserviceaccount.com";
const TOPIC = "projects/p/topics/prod--shop.tasks--";
const SUBSCRIPTION = "projects/p/subscriptions/prod--shop.tasks--";

describe("labels of blocks", () => {
  const names = fc.stringMatching(/^[A-Za-z0-9._~+%/-]{1,12}$/);

  it("are legal, whatever the name", () => {
    fc.assert(fc.property(fc.oneof(names, fc.string()), (name) => /^[A-Za-z_][A-Za-z0-9_-]*$/.test(labelOf(name))));
  });

  it("differ where names do", () => {
    const close = fc.array(fc.constantFrom(".", "_", "a", "__"), { maxLength: 4 }).map((parts) => `a${parts.join("")}`);
    const differ = fc.property(fc.uniqueArray(fc.oneof(close, names), { maxLength: 200 }), (all) => {
      expect(new Set(all.map(labelOf)).size).toBe(all.length);
    });
    fc.assert(differ, { numRuns: 200 });
  });

  it.each([
    ["prod--shop.tasks--mail.send_now-sub", "prod--shop_tasks--mail_send__now-sub"],
    ["email-queue", "email-queue"],
    // What a dot and an underscore side by side, or another character, would make ambiguous.
    ["a._b", "a_b___6a778d8279bd377b"],
    ["1st", "_1st___44990518176bc8cb"],
  ])("of %s is %s", (name, label) => {
    expect(labelOf(name)).toBe(label);
  });
});

it("templates evaluate to the text that they are made from", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[$%{}"a]{0,12}$/));
  fc.assert(
    fc.property(text, (one) => {
      const unquote = (expression: string) => expression.slice(1, -1);
      expect(evaluated(literal(one), unquote)).toBe(one);
    }),
  );
});

describe("the module", () => {
  it("is the same text in whatever order the routes are listed", () => {
    const shuffled = fc.shuffledSubarray([...EVERYTHING], { minLength: EVERYTHING.length });
    const text = toTerraform(everything(), GRANTING);
    fc.assert(
      fc.property(shuffled, (routes) => toTerraform(desiredOf(routes, VARIATION), GRANTING) === text),
      { numRuns: 20 },
    );
  });

  it("refers to what a resource depends on, so that Terraform makes that first", () => {
    const desired = everything();
    const { resources } = readModule(toTerraform(desired));
    for (const { name, dependsOn } of desired.resources) {
      const block = resources.find(({ arguments: of }) => of.get("name") === name.slice(name.lastIndexOf("/") + 1));
      const references = JSON.stringify(block?.body).match(/\$\{google_pubsub_topic\.[^}]+\.id\}/g) ?? [];
      expect(references).toHaveLength(dependsOn.length);
    }
  });

  it("has the present values as defaults of its variables, and no variable that is not used", () => {
    const text = toTerraform(everything(), GRANTING);
    const { variables } = readModule(text);
    expect(Object.fromEntries(Object.entries(variables).map(([name, it]) => [name, it.default]))).toEqual({
      cloud_run_service: "shop",
      project_id: "p",
      queue_location: "us-central1",
      runtime_service_account: RUNTIME,
      scheduler_location: "europe-west1",
      service_url: "https://shop.example",
    });
    for (const name of Object.keys(variables)) expect(text).toContain(`\${var.${name}}`);
  });

  it("moves to another project, region and URL by its variables alone", () => {
    const text = toTerraform(everything(), GRANTING)
      .replace('"default": "p"', '"default": "q"')
      .replace('"default": "us-central1"', '"default": "asia-east1"')
      .replace('"default": "https://shop.example"', '"default": "https://shop.test"');
    const queue = readModule(text).resources.find(({ address }) => address.endsWith(".prod--shop-deferral"));
    expect([queue?.arguments.get("project"), queue?.arguments.get("location")]).toEqual(["q", "asia-east1"]);
    const values = readModule(text).resources.flatMap(({ arguments: of }) => [...of.values()]);
    expect(values.filter((value) => /projects\/p\/|shop\.example/.test(String(value)))).toEqual([]);
    expect(values).toContain("https://shop.test/tasks/pubsub");
  });

  it("is nothing but itself for no routes", () => {
    expect(Object.keys(JSON.parse(toTerraform(desiredOf([]))))).toEqual(["//", "terraform"]);
  });
});

describe("the grants", () => {
  const mail = (options: ExportOptions) => grantsIn(toTerraform(desiredOf([route("mail.send")]), options));

  it("are what Google's service agents need, unless more is asked for", () => {
    expect(mail({})).toEqual([
      `${PUBSUB_AGENT} roles/iam.serviceAccountTokenCreator projects/-/serviceAccounts/${PUSH}`,
      `${PUBSUB_AGENT} roles/pubsub.publisher ${TOPIC}mail.send-dead`,
      `${PUBSUB_AGENT} roles/pubsub.subscriber ${SUBSCRIPTION}mail.send-sub`,
    ]);
  });

  it("let the push account call the service, and the service enqueue and read its dead letters", () => {
    expect(mail(GRANTING).filter((grant) => !grant.startsWith(PUBSUB_AGENT))).toEqual([
      `${PUSH} roles/run.invoker shop`,
      `${RUNTIME} roles/pubsub.publisher ${TOPIC}mail.send`,
      `${RUNTIME} roles/pubsub.publisher ${TOPIC}mail.send-dead`,
      `${RUNTIME} roles/pubsub.subscriber ${SUBSCRIPTION}mail.send-dead-sub`,
    ]);
  });

  it("are made once for the project where that is asked for", () => {
    expect(mail({ grants: "project" }).slice(1)).toEqual([
      `${PUBSUB_AGENT} roles/pubsub.publisher p`,
      `${PUBSUB_AGENT} roles/pubsub.subscriber p`,
    ]);
  });

  it("let tasks of Cloud Tasks push as the push account, which the environment names, or the options", () => {
    const mailed = [route("mail.send", { via: "cloud-tasks" })];
    const desired = desiredOf(mailed, { env: { TASKS_SERVICE_ACCOUNT: "" } });
    const queue = "projects/p/locations/europe-west1/queues/prod--shop--mail-send";
    expect(grantsIn(toTerraform(desired, { runtimeServiceAccount: RUNTIME }))).toEqual([
      `${RUNTIME} roles/cloudtasks.enqueuer ${queue}`,
      `${RUNTIME} roles/pubsub.publisher ${TOPIC}mail.send-dead`,
    ]);
    const named = { runtimeServiceAccount: RUNTIME, pushServiceAccount: PUSH };
    const granted = [
      `${TASKS_AGENT} roles/iam.serviceAccountUser projects/-/serviceAccounts/${PUSH}`,
      `${RUNTIME} roles/cloudtasks.enqueuer ${queue}`,
      `${RUNTIME} roles/iam.serviceAccountUser projects/-/serviceAccounts/${PUSH}`,
      `${RUNTIME} roles/pubsub.publisher ${TOPIC}mail.send-dead`,
    ];
    expect(grantsIn(toTerraform(desired, named))).toEqual(granted);
    expect(grantsIn(toTerraform(desiredOf(mailed), { runtimeServiceAccount: RUNTIME }))).toEqual(granted);
  });

  it("let the service enqueue into queues that others make, and delayed messages out of them", () => {
    const queue = "projects/other/locations/us-east1/queues/shared";
    const desired = desiredOf([route("mail.send", { via: "cloud-tasks", queue }), route("mail.bulk")], {
      env: { TASKS_DEFERRAL_QUEUE: queue },
    });
    expect(desired.foreignQueues).toEqual([{ name: queue, routes: ["mail.send", "mail.bulk"] }]);
    const granted = grantsIn(toTerraform(desired, { runtimeServiceAccount: RUNTIME }));
    expect(granted).toEqual(
      expect.arrayContaining([
        `${TASKS_AGENT} roles/iam.serviceAccountUser projects/-/serviceAccounts/${PUSH}`,
        `${RUNTIME} roles/cloudtasks.enqueuer ${queue}`,
        `${PUSH} roles/pubsub.publisher ${TOPIC}mail.bulk`,
      ]),
    );
    expect(granted).not.toContain(`${PUSH} roles/pubsub.publisher ${TOPIC}mail.send`);
  });

  it("let the push account publish delayed messages to the topics that have any", () => {
    const desired = desiredOf([route("mail.send"), route("mail.bulk", { via: "cloud-tasks" })], VARIATION);
    const published = (options: ExportOptions) =>
      grantsIn(toTerraform(desired, options)).filter((it) => it.startsWith(PUSH));
    expect(published({})).toEqual([`${PUSH} roles/pubsub.publisher ${TOPIC}mail.send`]);
    // It is the same account, and may already.
    expect(published({ runtimeServiceAccount: PUSH })).toContain(`${PUSH} roles/pubsub.publisher ${TOPIC}mail.send`);
    expect(new Set(published({ runtimeServiceAccount: PUSH })).size).toBe(
      published({ runtimeServiceAccount: PUSH }).length,
    );
  });
});

describe("the push account", () => {
  it("is looked up, or made where that is asked for", () => {
    const found = readModule(toTerraform(everything()));
    expect(found.data.map(({ address }) => address)).toContain("google_service_account.push");
    const made = readModule(toTerraform(desiredOf([route("mail.send")], ACCOUNT), { createPushServiceAccount: true }));
    expect(made.data.map(({ address }) => address)).toEqual(["google_project.project"]);
    const account = made.resources.find(({ type }) => type === "google_service_account");
    expect(account?.arguments.get("account_id")).toBe("shop-push");
    const subscription = made.resources.find(({ address }) => address.endsWith("mail_send-sub"));
    expect(subscription?.body).toMatchObject({
      push_config: { oidc_token: { service_account_email: `\${google_service_account.push.email}` } },
    });
  });

  const ACCOUNT = { env: { TASKS_SERVICE_ACCOUNT: "shop-push@p.iam.gserviceaccount.com" } };

  it.each<[ExportOptions, string]>([
    [{ createPushServiceAccount: true }, "expected an account ID@p.iam.gserviceaccount.com to make"],
    [{ pushServiceAccount: "other@p.iam.gserviceaccount.com" }, "expected pushServiceAccount to be the account that"],
    [{ grants: "none" as "project" }, 'expected grants to be "resource" or "project"'],
    [{ readsDeadLetters: "yes" as never }, "expected readsDeadLetters to be true or false"],
    [{ runtimeAccount: "x" } as ExportOptions, "export: unknown option runtimeAccount; known are cloudRunService, "],
  ])("and other options are refused when they do not fit: %j", (options, text) => {
    expect(() => toTerraform(desiredOf([route("mail.send")]), options)).toThrow(text);
  });
});

it("holds the resources that a template for background jobs on Cloud Tasks has", () => {
  const addresses = readModule(toTerraform(template(), GRANTING)).resources.map(({ address }) => address);
  expect(addresses).toEqual(
    expect.arrayContaining([
      "google_cloud_tasks_queue.email-queue",
      "google_cloud_tasks_queue.webhook-queue",
      "google_cloud_tasks_queue.webhook-queue-priority",
      "google_cloud_scheduler_job.prod--shop-scheduler--jobs-cleanup",
      "google_cloud_run_v2_service_iam_member.push_shop",
      "google_service_account_iam_member.cloudtasks-agent_push",
    ]),
  );
});
