import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { isTasksError, TaskRoute } from "../../src/index.ts";
import { createTestTasks, pushRequest, taskMatchers } from "../../src/testing/index.ts";
import { TestTasks } from "../../src/testing/test-tasks.ts";
import { codeBlocks } from "../support/markdown.ts";
import { codeIn, tableUnder } from "../support/tables.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (page: string): string => readFileSync(join(root, "docs", page), "utf8");
const guide = read("guides/testing.md");

/** What the first cells of a table name, without their parameters. */
function named(page: string, heading: string): string[] {
  return tableUnder(page, heading).flatMap(([cell]) => codeIn(cell).map((code) => code.replace(/\(.*/, "")));
}

/** The options that something knows: it lists them when it refuses one that is like none of them. */
async function knownOptions(give: (unknown: object) => unknown): Promise<string[]> {
  try {
    await give({ qqqqqqqqqqqqqqqqqq: 1 });
  } catch (error) {
    if (!isTasksError(error, "INVALID_OPTION")) throw error;
    return error.message.replace(/^.*known are /, "").split(", ");
  }
  return expect.unreachable("expected a refusal");
}

const route = new TaskRoute({ path: "guide", run: () => {} });

describe("the guide on testing", () => {
  it("names every option of a push request", async () => {
    const known = await knownOptions((options) => pushRequest(route, {}, options));
    expect(named(guide, "## One's own endpoint").sort()).toEqual(known.sort());
  });

  it("names every option that createTasks does not have, and the reference the others", async () => {
    const known = await knownOptions((options) => createTestTasks({ routes: [route], ...options }));
    const shared = named(read("reference/route-options.md"), "## Options of createTasks");
    const own = named(guide, "## Options");
    const absent = ["backend", "cloud", "provision"];
    expect([...new Set([...own, ...shared])].filter((option) => !absent.includes(option)).sort()).toEqual(known.sort());
  });

  it("names every matcher", () => {
    expect(named(guide, "## Matchers")).toEqual(Object.keys(taskMatchers));
  });
});

describe("the code of the guides", () => {
  const workspace = join(root, ".cache/guides");

  /** Writes the modules of a page that need neither another runner nor a port, on the sources; returns their names. */
  function writeModules(page: string): string[] {
    const names: string[] = [];
    for (const { info, code, line } of codeBlocks(read(page))) {
      if (info[0] !== "ts" || /from "(vitest|express)"/.test(code)) continue;
      const name = info.find((word) => word.startsWith("file="))?.slice("file=".length) ?? `line-${line}.ts`;
      const onSources = code
        .replaceAll('"taskroute/testing"', JSON.stringify(join(root, "src/testing/index.ts")))
        .replaceAll('"taskroute"', JSON.stringify(join(root, "src/index.ts")));
      writeFileSync(join(workspace, page, name), onSources);
      names.push(name);
    }
    return names;
  }

  it.each(["guides/testing.md", "guides/idempotency.md"])("%s does what its assertions say", (page) => {
    rmSync(join(workspace, page), { recursive: true, force: true });
    mkdirSync(join(workspace, page), { recursive: true });
    const names = writeModules(page);
    expect(names.length).toBeGreaterThan(5);
    const imports = names.map((name) => `await import("./${name}");`).join("\n");
    writeFileSync(join(workspace, page, "all.ts"), `${imports}\nexport {};\n`);
    const { status, stderr } = spawnSync(process.execPath, ["--no-warnings", "all.ts"], {
      cwd: join(workspace, page),
      env: { NODE_ENV: "test" },
      encoding: "utf8",
      timeout: 100_000,
    });
    expect([status, stderr]).toEqual([0, ""]);
  });
});

describe("the reference", () => {
  it("names every member of the client of a test", () => {
    const members = Object.getOwnPropertyNames(TestTasks.prototype).filter(
      (name) => !/^(constructor|close)$/.test(name),
    );
    expect(named(read("reference/api.md"), "### The client of a test").sort()).toEqual([...members, "clock"].sort());
  });
});
