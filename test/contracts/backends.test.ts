import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { cloudTasks } from "../../src/backends/cloud-tasks.ts";
import { immediate } from "../../src/backends/immediate.ts";
import { local } from "../../src/backends/local.ts";
import { localHttp } from "../../src/backends/local-http.ts";
import { pubsub } from "../../src/backends/pubsub.ts";
import type { BackendFactory } from "../../src/core/backend.ts";
import { Tasks } from "../../src/core/tasks.ts";
import { startEmulator } from "../../src/emulator/index.ts";
import { Endpoint } from "../backends/endpoint.ts";
import { describeBackend } from "./backend.ts";
import type { BackendSubject } from "./backend-subject.ts";

/** A path for a queue in a folder of its own, and what takes it away again. */
function queueFolder(): { readonly file: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "taskroute-"));
  return { file: join(folder, "queue.db"), remove: () => rmSync(folder, { recursive: true }) };
}

/** Every implementation, by its file in src/backends and, where there are several of it, what is its own. */
const subjects: Record<string, BackendSubject> = {
  immediate: { inline: true, durable: false, open: () => ({ backend: immediate() }) },
  local: { inline: false, durable: false, open: () => ({ backend: local() }) },
  "local on file": {
    inline: false,
    durable: true,
    open() {
      const { file, remove } = queueFolder();
      return { backend: local({ file }), close: async () => remove() };
    },
  },
  "local-http": {
    inline: false,
    durable: false,
    async open() {
      const endpoint = await Endpoint.open();
      return {
        backend: localHttp({ url: endpoint.url }),
        serve: (tasks) => endpoint.serve(tasks),
        close: () => endpoint.stop(),
      };
    },
  },
  pubsub: inTheCloud(pubsub(), { countsNacks: true }),
  "cloud-tasks": inTheCloud(cloudTasks()),
  "local-http on file": {
    inline: false,
    durable: true,
    async open() {
      const endpoint = await Endpoint.open();
      const { file, remove } = queueFolder();
      return {
        backend: localHttp({ url: endpoint.url, file }),
        serve: (tasks) => endpoint.serve(tasks),
        async close() {
          await endpoint.stop();
          remove();
        },
      };
    },
  },
};

/** One of Google Cloud, which the emulator stands for: with Google's clients, provisioning and signed pushes on the way. */
function inTheCloud(backend: BackendFactory, own: Partial<BackendSubject> = {}): BackendSubject {
  return {
    inline: false,
    durable: true,
    sharesClock: true,
    ...own,
    async open(clock) {
      const emulator = await startEmulator({ clock, iam: "strict" });
      const endpoint = await Endpoint.open();
      return {
        backend,
        env: {
          ...emulator.env,
          GCP_PROJECT_ID: "demo",
          CLOUD_RUN_SERVICE_URL: new URL(endpoint.url).origin,
          TASKS_SERVICE_ACCOUNT: "push@demo.iam.gserviceaccount.com",
          TASKS_DEFERRAL_QUEUE: "true",
        },
        serve: (tasks) => endpoint.serve(tasks),
        prepare: (tasks) => new Tasks(tasks.runtime).provision(),
        async close() {
          await endpoint.stop();
          await emulator.close();
        },
      };
    },
  };
}

it("every backend is held to the contract", () => {
  const files = globSync("*.ts", { cwd: join(import.meta.dirname, "../../src/backends") });
  const held = new Set(Object.keys(subjects).map((name) => name.split(" ")[0]));
  expect([...held].sort()).toEqual(files.map((file) => basename(file, ".ts")).sort());
});

for (const [name, subject] of Object.entries(subjects)) describeBackend(name, subject);
