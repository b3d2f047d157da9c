import { spawn } from "node:child_process";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { expectedOutput, matchOutput } from "./support/output.ts";

const root = resolve(import.meta.dirname, "..");
const examples = globSync("examples/*/index.ts", { cwd: root }).sort();

describe("examples", () => {
  it("are one folder each, with an index.ts", () => {
    const folders = readdirSync(resolve(root, "examples"), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    expect(examples).toEqual(folders.map(({ name }) => `examples/${name}/index.ts`).sort());
  });

  it.each(examples)("%s prints the output that ends it", { timeout: 240_000 }, async (file) => {
    const expected = expectedOutput(readFileSync(resolve(root, file), "utf8"));
    expect(expected, "the file ends in a comment that starts with `// Output:`").toBeDefined();
    const { stdout, stderr, code } = await run(file);
    expect(matchOutput(stdout, expected ?? []), stderr).toEqual(expected);
    expect(code, stderr).toBe(0);
  });
});

/** Runs an example the way a reader does: from the root of the repository, with none of the variables of a test run. */
async function run(file: string): Promise<{ stdout: string; stderr: string; code: number | null }> {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (!["PATH", "HOME", "TMPDIR"].includes(name)) delete env[name];
  const child = spawn(process.execPath, [file], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 200_000,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((done, fail) => {
    child.on("error", fail).on("close", (code) => done({ stdout, stderr, code }));
  });
}

describe("the output of an example", () => {
  it.each([
    ["enqueued <uuid>", "enqueued 0b8f8a3e-7f3c-4c1c-9b7a-3d0f6f2c9a11"],
    ["attempt <n> of 3 after <ms> ms", "attempt 2 of 3 after 10.25 ms"],
    ["at <time>", "at 2024-01-15T10:30:00.000Z"],
    ["listening on …", "listening on http://127.0.0.1:41233"],
    ["a (b) [c] $1.00", "a (b) [c] $1.00"],
  ])("%j stands for %j", (pattern, line) => {
    expect(matchOutput(`${line}\n`, [pattern])).toEqual([pattern]);
  });

  it.each([
    ["enqueued <uuid>", "enqueued 42"],
    ["attempt <n>", "attempt 2 of 3"],
    ["at <time>", "at noon"],
    ["a.c", "abc"],
  ])("%j does not stand for %j", (pattern, line) => {
    expect(matchOutput(line, [pattern])).toEqual([line]);
  });

  it("is the comment at the end of the file, and nothing else", () => {
    expect(expectedOutput("run();\n\n// Output:\n// one\n//\n//   two\n")).toEqual(["one", "", "  two"]);
    expect(expectedOutput("// Output:\n// one\nrun();\n")).toBeUndefined();
    expect(expectedOutput("run();\n")).toBeUndefined();
  });
});
