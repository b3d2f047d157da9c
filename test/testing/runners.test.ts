import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/** Runs the tests of a file by Node's own runner. */
function underNodeTest(
  file: string,
  env: Readonly<Record<string, string>> = {},
): { status: number | null; text: string } {
  const { PATH = "" } = process.env;
  const { status, stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=tap", file], {
    env: { NODE_ENV: "test", PATH, ...env },
    encoding: "utf8",
    timeout: 100_000,
  });
  return { status, text: stdout };
}

describe("the kit under node:test", () => {
  const file = fileURLToPath(import.meta.resolve("./under-node-test.ts"));

  it("works as it does here, and lets the process end", () => {
    const { status, text } = underNodeTest(file);
    expect([status, text.match(/^# (?:pass|fail) \d+$/gm)], text).toEqual([0, ["# pass 2", "# fail 0"]]);
  });

  it("tells what was there instead of what was expected", () => {
    const { status, text } = underNodeTest(file, { FAIL: "yes" });
    expect(status).toBe(1);
    expect(text).toContain('expected "orders.charge" to succeed with');
    expect(text).toContain("got nothing at all");
  });
});
