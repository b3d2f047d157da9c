import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "oxc-parser";
import { describe, expect, it } from "vitest";
import { importCycle, violations } from "./support/layers.ts";

const src = join(import.meta.dirname, "../src");
const files = globSync("**/*.ts", { cwd: src }).map((file) => file.replaceAll("\\", "/"));
const sources = new Map(files.map((file) => [file, readFileSync(join(src, file), "utf8")]));
const source = (file: string): string => sources.get(file) ?? "";

describe("src", () => {
  it("imports across layers only where the layers allow it", () => {
    expect(files.flatMap((file) => violations(file, source(file)))).toEqual([]);
  });

  it("has no cycle of imports at run time", () => {
    expect(importCycle(sources)).toBeUndefined();
  });

  it("keeps every file within 300 lines", () => {
    expect(files.filter((file) => source(file).split("\n").length > 301)).toEqual([]);
  });

  it("has a public root of re-exports only", () => {
    const { body } = parseSync("index.ts", source("index.ts")).program;
    const others = body.filter((statement) => !("source" in statement && statement.type.startsWith("Export")));
    expect(body.length).toBeGreaterThan(0);
    expect(others.map((statement) => source("index.ts").slice(statement.start, statement.end))).toEqual([]);
  });
});

describe("the rules for imports", () => {
  it.each([
    ["core/tasks.ts", 'import { execute } from "./execute.ts";'],
    ["core/route.ts", 'import type { StandardSchemaV1 } from "@standard-schema/spec";'],
    ["core/schedule.ts", 'const { CronExpressionParser } = await import("cron-parser");'],
    ["push/oidc.ts", 'const { OAuth2Client } = await import("google-auth-library");'],
    ["push/shared-secret.ts", 'import { timingSafeEqual } from "node:crypto";'],
    ["adapters/express.ts", 'import type { RequestHandler } from "express"; export { nodeHandler } from "./node.ts";'],
    ["backends/local.ts", 'import { Engine } from "../engine/engine.ts";'],
    ["google/clients.ts", 'const { v1 } = await import("@google-cloud/pubsub");'],
    ["backends/pubsub.ts", 'import { Publisher } from "../google/publisher.ts";'],
    ["provision/cloud.ts", 'import { explained } from "../google/status.ts";'],
    ["emulator/pubsub.ts", 'import { Engine } from "../engine/engine.ts";'],
    ["create-tasks.ts", 'const { local } = await import("./backends/local.ts");'],
  ])("allow in %s: %s", (file, code) => {
    expect(violations(file, code)).toEqual([]);
  });

  it.each([
    ["core/tasks.ts", 'import { local } from "../backends/local.ts";'],
    ["core/tasks.ts", 'import type { Engine } from "../engine/engine.ts";'],
    ["core/tasks.ts", 'type Engine = import("../engine/engine.ts").Engine;'],
    ["core/tasks.ts", 'import { randomUUID } from "node:crypto";'],
    ["core/route.ts", 'import { z } from "zod";'],
    ["core/route.ts", 'const { z } = await import("zod");'],
    ["core/schedule.ts", 'import { CronExpressionParser } from "cron-parser";'],
    ["core/cron.ts", 'const { CronExpressionParser } = await import("cron-parser");'],
    ["push/oidc.ts", 'import { OAuth2Client } from "google-auth-library";'],
    ["push/oidc.ts", 'import { type OAuth2Client } from "google-auth-library";'],
    ["push/handle.ts", 'const { OAuth2Client } = await import("google-auth-library");'],
    ["push/handle.ts", 'export { nodeHandler } from "../adapters/node.ts";'],
    ["adapters/express.ts", 'import { Router } from "express";'],
    ["adapters/express.ts", 'export * from "./fastify.ts";'],
    ["backends/local.ts", 'import { immediate } from "./immediate.ts";'],
    ["backends/local-http.ts", 'import { handle } from "../push/index.ts";'],
    ["backends/pubsub.ts", 'const { v1 } = await import("@google-cloud/pubsub");'],
    ["google/clients.ts", 'import { v1 } from "@google-cloud/pubsub";'],
    ["google/publisher.ts", 'import type { v1 } from "@google-cloud/pubsub";'],
    ["google/publisher.ts", 'import { Engine } from "../engine/engine.ts";'],
    ["emulator/pubsub.ts", 'import { explained } from "../google/status.ts";'],
    ["provision/plan.ts", 'import { pubsub } from "../backends/pubsub.ts";'],
    ["engine/engine.ts", 'import { local } from "../backends/local.ts";'],
    ["stores/sqlite.ts", 'import { memory } from "./memory.ts";'],
    ["create-tasks.ts", "await import(name);"],
    ["helpers.ts", "export const one = 1;"],
  ])("refuse in %s: %s", (file, code) => {
    expect(violations(file, code)).toHaveLength(1);
  });

  it("see a cycle through a dynamic import, and none through a type", () => {
    const back = (code: string) =>
      new Map([
        ["a.ts", 'export * from "./b.ts";'],
        ["b.ts", code],
      ]);
    expect(importCycle(back('const a = await import("./a.ts");'))).toEqual(["a.ts", "b.ts", "a.ts"]);
    expect(importCycle(back('import type { A } from "./a.ts";'))).toBeUndefined();
  });
});
