import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { AnyRoute } from "../../../src/core/declaration.ts";
import { type Emulator, startEmulator, VirtualClock } from "../../../src/emulator/index.ts";
import { toGcloudScript } from "../../../src/provision/export/index.ts";
import { googleCloud } from "../../../src/provision/gcp.ts";
import { configOf, Deployment, desiredOf, route, type Variation } from "../scene.ts";
import { type Call, record } from "./recorded-gcloud.ts";
import { everything, GRANTING } from "./scene.ts";

const run = promisify(execFile);
/** Where gcloud is; empty where it is not installed. */
const gcloud = spawnSync("sh", ["-c", "command -v gcloud"], { encoding: "utf8" }).stdout.trim();
const folder = mkdtempSync(join(tmpdir(), "gcloud-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(({ skip }) => skip(gcloud === "", "the gcloud command line is not installed"));

/** An installation of its own: no account, no project, no questions, nothing sent anywhere. */
const ENV = {
  ...process.env,
  CLOUDSDK_CONFIG: folder,
  CLOUDSDK_AUTH_DISABLE_CREDENTIALS: "true",
  CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: "true",
  CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: "true",
  CLOUDSDK_SURVEY_DISABLE_PROMPTS: "true",
};

/** What is provisioned first in the emulator, and what it is then changed to. */
const STEPS: readonly (readonly [readonly AnyRoute[], Variation])[] = [
  [routes(30, 5, "0 9 * * *"), { off: ["b.images"] }],
  [routes(60, 7.5, "30 9 * * MON"), { off: ["a.mail"], env: { TASKS_PUSH_PATH: "/push" } }],
];

function routes(ackDeadline: number, ratePerSecond: number, schedule: string): readonly AnyRoute[] {
  const queue = { ratePerSecond, maxConcurrent: 4, maxDoublings: 3, logSampling: 0.5 };
  // What a shell would take for its own, in the body of a job.
  const schedulePayload = { text: `it's $HOME "\\\n` };
  return [
    route("a.mail", { ackDeadline, minRetryDelay: 0.5, ordered: true, schedule, schedulePayload }),
    route("b.images", { via: "cloud-tasks", ackDeadline, schedule, queue }),
  ];
}

/** The flags that scripts give to each command, as `command --flag`. */
function usedBy(scripts: readonly string[]): ReadonlySet<string> {
  const switched = { state: "PAUSED", description: "x switched-off" };
  const calls = scripts.flatMap((script): readonly Call[] => [
    ...record(script, { there: false }).calls,
    ...record(script, { there: true }).calls,
    ...record(script, { there: true, job: switched }).calls,
  ]);
  const used = ({ words, flags }: Call) => {
    const command = words.slice(0, -1).join(" ");
    return flags.size === 0 ? [command] : [...flags.keys()].map((flag) => `${command} --${flag}`);
  };
  return new Set(calls.flatMap(used));
}

describe("gcloud", () => {
  it("knows the commands and flags that are not tried on the emulator", { timeout: 1_800_000 }, async () => {
    const account = { env: { TASKS_SERVICE_ACCOUNT: "shop-push@p.iam.gserviceaccount.com" } };
    const all = usedBy([
      toGcloudScript(everything(), GRANTING),
      toGcloudScript(desiredOf([route("a")], account), { createPushServiceAccount: true, grants: "project" }),
    ]);
    const tried = usedBy(STEPS.map(([list, variation]) => toGcloudScript(desiredOf(list, variation))));
    const untried = [...all].filter((one) => !tried.has(one) || one.startsWith("iam "));
    const commands = new Set(untried.map((one) => one.replace(/ --.*/, "")));
    expect([...commands]).toContain("run services add-iam-policy-binding");
    for (const command of commands) {
      const { stdout } = await run(gcloud, [...command.split(" "), "--help"], { env: ENV, maxBuffer: 2 ** 24 });
      const known = new Set([command, ...(stdout.match(/--[a-z][a-z-]*[a-z]/g) ?? []).map((it) => `${command} ${it}`)]);
      expect(untried.filter((one) => one.replace(/ --.*/, "") === command && !known.has(one))).toEqual([]);
    }
  });
});

/** Runs a script with the real gcloud against an emulator, which has no service accounts: those calls are left out. */
async function carryOut(script: string, emulator: Emulator): Promise<void> {
  const wrapper = `#!/bin/sh\ncase $1 in iam) exit 0 ;; *) exec '${gcloud}' "$@" ;; esac\n`;
  writeFileSync(join(folder, "gcloud"), wrapper, { mode: 0o755 });
  const endpoint = `http://${emulator.host}:${emulator.restPort}/`;
  await run("sh", ["-c", script], {
    env: {
      ...ENV,
      PATH: `${folder}${delimiter}${process.env.PATH}`,
      PROJECT_NUMBER: "123456",
      CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB: endpoint,
      CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDTASKS: endpoint,
      CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDSCHEDULER: endpoint,
    },
  });
}

describe("the script against the emulator", () => {
  it("makes what provisioning would, and then changes it to what provisioning would", {
    timeout: 1_800_000,
  }, async () => {
    const emulator = await startEmulator({ clock: new VirtualClock() });
    const cloud = googleCloud(configOf(emulator.env));
    try {
      for (const [list, variation] of STEPS) {
        const deployment = new Deployment(cloud, list, variation);
        await carryOut(toGcloudScript(deployment.desired), emulator);
        const { changes } = await deployment.plan();
        expect(changes.filter(({ action }) => action !== "keep")).toEqual([]);
        expect(changes).toHaveLength(deployment.desired.resources.length);
      }
      const { bindings } = await cloud.getPolicy("topic", "projects/p/topics/prod--shop.tasks--a.mail-dead");
      const agent = "serviceAccount:service-123456@gcp-sa-pubsub.iam.gserviceaccount.com";
      expect(bindings).toMatchObject([{ role: "roles/pubsub.publisher", members: [agent] }]);
    } finally {
      await cloud.close();
      await emulator.close();
    }
  });
});
