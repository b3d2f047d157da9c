import { defineConfig } from "vitest/config";

const docs = ["test/docs.test.ts", "test/examples.test.ts"];
const pack = ["test/package.test.ts"];
const contract = ["test/contracts/**/*.test.ts"];

/** Docs, examples and the package are tested against a fresh build; everything else runs on the sources. */
const built = "test/support/build.ts";

export default defineConfig({
  test: {
    maxWorkers: 2,
    // A machine under load is no reason to fail: no test asserts a time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The JSON report is what a continuous integration run counts.
    reporters: ["default", ["json", { outputFile: ".cache/vitest.json" }]],
    projects: [
      { test: { name: "unit", include: ["test/**/*.test.ts"], exclude: [...contract, ...docs, ...pack] } },
      { test: { name: "contract", include: contract } },
      { test: { name: "docs", include: docs, globalSetup: built } },
      { test: { name: "package", include: pack, globalSetup: built } },
    ],
  },
});
