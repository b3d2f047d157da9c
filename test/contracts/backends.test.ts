import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { immediate } from "../../src/backends/immediate.ts";
import { local } from "../../src/backends/local.ts";
import { localHttp } from "../../src/backends/local-http.ts";
import { Endpoint } from "../backends/endpoint.ts";
import { describeBackend } from "./backend.ts";
import type { BackendSubject } from "./backend-subject.ts";

/** Every implementation, by its file in src/backends and, where there are several of it, what is its own. */
const subjects: Record<string, BackendSubject> = {
  immediate: { inline: true, open: () => ({ backend: immediate() }) },
  local: { inline: false, open: () => ({ backend: local() }) },
  "local on file": {
    inline: false,
    open() {
      const folder = mkdtempSync(join(tmpdir(), "taskroute-"));
      return {
        backend: local({ file: join(folder, "queue.db") }),
        close: async () => rmSync(folder, { recursive: true }),
      };
    },
  },
  "local-http": {
    inline: false,
    async open() {
      const endpoint = await Endpoint.open();
      return {
        backend: localHttp({ url: endpoint.url }),
        serve: (tasks) => endpoint.serve(tasks),
        close: () => endpoint.stop(),
      };
    },
  },
};

it("every backend is held to the contract", () => {
  const files = globSync("*.ts", { cwd: join(import.meta.dirname, "../../src/backends") });
  const held = new Set(Object.keys(subjects).map((name) => name.split(" ")[0]));
  expect([...held].sort()).toEqual(files.map((file) => basename(file, ".ts")).sort());
});

for (const [name, subject] of Object.entries(subjects)) describeBackend(name, subject);
