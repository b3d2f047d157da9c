import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { entries } from "../.config/entries.ts";
import { cloudTasks } from "../src/backends/cloud-tasks.ts";
import { pubsub } from "../src/backends/pubsub.ts";
import { isProduction, VARIABLES } from "../src/core/config.ts";
import { parseCron } from "../src/core/cron.ts";
import { resourceNames } from "../src/core/names.ts";
import type { Outcome } from "../src/core/outcome.ts";
import { createTasks, immediate, isTasksError, local, localHttp, silentLogger, TaskRoute } from "../src/index.ts";
import { createPushHandler, responseOf } from "../src/push/index.ts";
import { codeIn, tableUnder } from "./support/tables.ts";

const root = resolve(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** What the first cells of a table name, in its order. */
function named(page: string, heading?: string): string[] {
  return tableUnder(read(`docs/${page}`), heading).map(([cell]) => codeIn(cell)[0] ?? "");
}

/** The members of a union of texts, as its declaration in `src/` lists them. */
function membersOf(file: string, type: string): string[] {
  const [, body = ""] = new RegExp(`export type ${type} =([\\s\\S]*?);\n\n`).exec(read(`src/${file}`)) ?? [];
  return [...body.matchAll(/"([^"]+)"/g)].map(([, member = ""]) => member);
}

const run = (): void => {};
const route = new TaskRoute({ path: "docs.drift", run });
const client = (options: object = {}) =>
  createTasks({ routes: [route], backend: local(), logger: silentLogger, env: {}, ...options });

/** The options that something knows: it lists them when it refuses one that is like none of them. */
async function knownOptions(give: (unknown: object) => unknown): Promise<string[]> {
  try {
    await give({ qqqqqqqqqqqqqqqq: 1 });
  } catch (error) {
    if (!isTasksError(error, "INVALID_OPTION")) throw error;
    return error.message.replace(/^.*known are /, "").split(", ");
  }
  return expect.unreachable("expected a refusal");
}

describe("the tables of options", () => {
  // A schema-less object cannot be refused by the compiler and the library at once: `give` goes around the compiler.
  const make = (options: object) => new TaskRoute({ path: "docs.drift", run, ...options });

  it.each([
    { heading: "# Route options", give: make },
    { heading: "## Queue", give: (queue: object) => make({ queue }) },
    { heading: "## Kill switch", give: (killSwitch: object) => make({ killSwitch }) },
    { heading: "## Options of createTasks", give: client },
    { heading: "### Options of cloud", give: (cloud: object) => client({ cloud }).runtime.config },
  ])("$heading names every option, and no other", async ({ heading, give }) => {
    expect(named("reference/route-options.md", heading).sort()).toEqual((await knownOptions(give)).sort());
  });

  it("## Options of enqueue names every option, and no other", async () => {
    const known = await knownOptions((options) => client().enqueue(route, {}, options));
    expect(named("reference/route-options.md", "## Options of enqueue").sort()).toEqual(known.sort());
  });

  it("name every option of the push handler, and no other", async () => {
    const known = await knownOptions((options) => createPushHandler(client(), options));
    expect(named("guides/push-handler.md", "## Options").sort()).toEqual(known.sort());
  });

  it("give the defaults of numbers", () => {
    const rows = tableUnder(read("docs/reference/route-options.md"), "# Route options");
    const numbers = rows.filter(([, byDefault]) => /^\d+$/.test(byDefault ?? ""));
    const settings = Object.fromEntries(Object.entries(route.settings));
    expect(numbers.length).toBeGreaterThan(3);
    for (const [option, byDefault] of numbers) expect(settings[codeIn(option)[0] ?? ""]).toBe(Number(byDefault));
  });
});

describe("the tables of the environment", () => {
  it("name every variable, in the order of the configuration", () => {
    expect(named("reference/environment.md")).toEqual(Object.keys(VARIABLES));
  });

  it("name what marks production", () => {
    const marks = named("reference/environment.md", "## Production");
    expect(marks.length).toBeGreaterThan(3);
    for (const mark of marks) expect(isProduction({ [mark]: "production" }), mark).toBe(true);
  });
});

describe("the tables of errors and reasons", () => {
  it.each([
    ["reference/errors.md", "# Errors", "core/errors.ts", "TasksErrorCode"],
    ["reference/statuses.md", "## Reasons of 429", "core/outcome.ts", "BusyReason"],
    ["reference/statuses.md", "## Reasons of 400", "core/outcome.ts", "RejectReason"],
  ])("%s, %s: as in %s", (page, heading, file, type) => {
    expect(named(page, heading).sort()).toEqual(membersOf(file, type).sort());
  });

  it("name every reason of a dead letter", () => {
    const reasons = membersOf("core/outcome.ts", "ParkReason");
    expect(named("guides/retries-and-errors.md", "## Dead letters").sort()).toEqual(reasons.sort());
  });
});

describe("the table of statuses", () => {
  const outcomes: Outcome[] = [
    { type: "done", result: undefined },
    { type: "skipped", reason: "overlap" },
    { type: "discarded", reason: "exhausted", error: undefined },
    { type: "rejected", reason: "malformed", error: undefined },
    { type: "denied", detail: "" },
    { type: "refused", status: 405 },
    { type: "refused", status: 413 },
    { type: "busy", reason: "draining", retryAfter: 10 },
    { type: "failed", error: undefined, retryAfter: undefined },
  ];

  it("gives every outcome the status that it is answered with", () => {
    const rows = tableUnder(read("docs/reference/statuses.md"), "# Statuses");
    expect(rows.map(([status, outcome]) => [Number(status), ...codeIn(outcome)])).toEqual(
      outcomes.map((outcome) => [responseOf(outcome).status, outcome.type]),
    );
  });
});

describe("the table of capabilities", () => {
  const factories = [immediate(), local(), localHttp(), pubsub(), cloudTasks()];

  it.each(factories.map((factory, column) => ({ factory, column: column + 2 })))(
    "is right in column $column",
    ({ factory, column }) => {
      const { backend } = client({ backend: factory, env: { GCP_PROJECT_ID: "demo" } }).runtime;
      const rows = tableUnder(read("docs/reference/backends.md"), "## Capabilities");
      const documented = rows.map((row) => [codeIn(row[0])[0], row[column] === "yes"]);
      expect(Object.fromEntries(documented)).toEqual(backend.capabilities);
    },
  );
});

describe("the table of names", () => {
  it("holds what is derived", () => {
    const rows = tableUnder(read("docs/reference/names.md"), "# Names");
    const naming = { environment: "prod", namespace: "gyrinx" };
    expect(Object.fromEntries(rows.map(([property, , name]) => [codeIn(property)[0], codeIn(name)[0]]))).toEqual(
      resourceNames(naming, "gyrinx.core.tasks.send_welcome_email"),
    );
  });
});

describe("the tables of cron", () => {
  const page = read("docs/guides/schedules.md");

  it("hold expressions that are taken", () => {
    const expressions = tableUnder(page, "## Cron").map(([cell]) => codeIn(cell)[0] ?? "");
    expect(expressions.length).toBeGreaterThan(5);
    for (const expression of expressions) expect(parseCron(expression).expression).toBe(expression);
  });

  it("hold expressions that are refused", () => {
    const refused = tableUnder(page.slice(page.indexOf("Refused when")));
    expect(refused.length).toBeGreaterThan(5);
    for (const [cell] of refused) expect(() => parseCron(codeIn(cell)[0] ?? ""), cell).toThrow(/expected/);
  });
});

describe("the tables of exports", () => {
  /** The names that a module exports: what it declares, and what it passes on. */
  function exportsOf(source: string): string[] {
    const text = read(source);
    const declared = [...text.matchAll(/^export (?:async )?(?:function|const|class|interface|type) (\w+)/gm)];
    const passedOn = [...text.matchAll(/^export (?:type )?\{([^}]+)\}/gm)].flatMap(([, list = ""]) => list.split(","));
    const names = passedOn.map((name) => name.replace(/^\s*type /, "").trim());
    return [...declared.map(([, name = ""]) => name), ...names].filter((name) => name !== "");
  }

  it.each(entries)("$specifier", ({ specifier, source }) => {
    const page = read("docs/reference/api.md");
    const start = page.indexOf(`## \`${specifier}\`\n`);
    expect(start).toBeGreaterThan(0);
    const section = page.slice(start).split(/\n#{2,3} (?!`taskroute`)/)[0] ?? "";
    const documented = section.match(/^\| `.*$/gm)?.flatMap((row) => codeIn(row.split(" | ")[0])) ?? [];
    expect(documented.sort()).toEqual(exportsOf(source).sort());
  });
});
