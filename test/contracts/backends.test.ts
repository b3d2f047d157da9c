import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { immediate } from "../../src/backends/immediate.ts";
import { local } from "../../src/backends/local.ts";
import { localHttp } from "../../src/backends/local-http.ts";
import { Endpoint } from "../backends/endpoint.ts";
import { describeBackend } from "./backend.ts";
import type { BackendSubject } from "./backend-subject.ts";

/** Every implementation, by its file in src/backends. */
const subjects: Record<string, BackendSubject> = {
  immediate: { inline: true, open: () => ({ backend: immediate() }) },
  local: { inline: false, open: () => ({ backend: local() }) },
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
  expect(Object.keys(subjects).sort()).toEqual(files.map((file) => basename(file, ".ts")).sort());
});

for (const [name, subject] of Object.entries(subjects)) describeBackend(name, subject);
