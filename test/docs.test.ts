import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { anchors, codeBlocks, links } from "./support/markdown.ts";
import { typeErrors } from "./support/tsc.ts";

const root = resolve(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

const pages = ["README.md", ...globSync("docs/**/*.md", { cwd: root }).sort()];
const linked = [...pages, ".github/CONTRIBUTING.md", "CHANGELOG.md"].filter((file) => existsSync(join(root, file)));

describe("code of the docs", () => {
  // Inside the repository, so that the blocks find the package and its peers the way a service does.
  const workspace = join(root, ".cache/docs");
  let errors: string[] = [];

  beforeAll(() => {
    rmSync(workspace, { recursive: true, force: true });
    for (const page of pages) {
      for (const [name, code] of modules(page)) {
        const file = join(workspace, page, name);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, code);
      }
    }
    const config = { extends: relative(workspace, join(root, "tsconfig.json")), include: ["**/*.ts"], exclude: [] };
    writeFileSync(join(workspace, "tsconfig.json"), JSON.stringify(config));
    errors = typeErrors(workspace);
  });

  it.each(pages)("%s type-checks", (page) => {
    expect(errors.filter((line) => line.startsWith(`${page}/`))).toEqual([]);
  });

  it("type-checks nowhere else", () => {
    expect(errors.filter((line) => !pages.some((page) => line.startsWith(`${page}/`)))).toEqual([]);
  });
});

/**
 * The modules that the `ts` blocks of a page make up, by file name. Each block is a module of its own, except that
 * ` ```ts continues ` belongs to the module of the block before, and ` ```ts file=tasks.ts ` names the module, so that
 * the other blocks of the page can import `./tasks.ts`. Every line keeps its number, so that an error names the page's.
 */
function modules(page: string): Map<string, string> {
  const found = new Map<string, string>();
  let name = "";
  for (const { info, code, line } of codeBlocks(read(page))) {
    if (info[0] !== "ts") continue;
    const named = info.find((word) => word.startsWith("file="))?.slice("file=".length);
    if (!info.includes("continues")) name = named ?? `line-${line}.ts`;
    const before = found.get(name) ?? "";
    found.set(name, before + "\n".repeat(line - before.split("\n").length) + code);
  }
  return new Map([...found].map(([file, code]) => [file, `${code}export {};\n`]));
}

describe("links of the docs", () => {
  it.each(linked)("%s points at files and headings that exist", (page) => {
    const missing = links(read(page)).filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : relative(root, resolve(root, dirname(page), path));
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchors(read(target)).includes(anchor);
    });
    expect(missing).toEqual([]);
  });
});

describe("environment variables", () => {
  const variables = (text: string): string[] => [...new Set(text.match(/\bTASKS_[A-Z_]+\b/g) ?? [])].sort();

  it("are the same in the docs and in the configuration", () => {
    expect(variables(pages.map(read).join("\n"))).toEqual(variables(read("src/core/config.ts")));
  });
});
