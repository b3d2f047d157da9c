import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entries } from "../.config/entries.ts";
import manifest from "../package.json" with { type: "json" };
import { Consumer } from "./support/consumer.ts";
import { typeErrors } from "./support/tsc.ts";

const specifiers = entries.map(({ specifier }) => specifier);

describe("the packed package", () => {
  let consumer: Consumer;
  beforeAll(() => {
    consumer = new Consumer();
  });
  afterAll(() => consumer.remove());

  it("holds the build, its sources and the papers, and nothing else", () => {
    const papers = ["CHANGELOG.md", "LICENSE", "README.md", "package.json"];
    expect(consumer.files).toEqual(expect.arrayContaining(papers));
    expect(consumer.files.filter((file) => !papers.includes(file) && !/^(dist|src)\//.test(file))).toEqual([]);
    expect(consumer.files.filter((file) => !/\.(js|js\.map|d\.ts|d\.ts\.map|ts)$/.test(file))).toEqual(papers);
  });

  it("publishes the whole of every subpath, each named in full", () => {
    const targets = Object.entries(manifest.exports).filter(([subpath]) => subpath !== "./package.json");
    expect(specifiers.length).toBeGreaterThan(0);
    for (const [subpath, target] of targets) {
      expect(subpath).not.toContain("*");
      expect(Object.keys(target)).toEqual(["types", "default"]);
      expect(consumer.files).toEqual(expect.arrayContaining(Object.values(target).map((file) => file.slice(2))));
    }
  });

  it.each(specifiers)("%s imports without a peer, and loads nothing but this package", (specifier) => {
    const own = pathToFileURL(join(consumer.folder, "node_modules/taskroute/dist/")).href;
    const loaded = modulesLoadedBy(consumer, specifier);
    expect(loaded.some((url) => url.startsWith(own))).toBe(true);
    expect(loaded.filter((url) => !url.startsWith(own) && !url.startsWith("node:"))).toEqual([]);
  });
});

/** The modules that Node loads, builtins included, to import `specifier` in the folder of the consumer. */
function modulesLoadedBy(consumer: Consumer, specifier: string): string[] {
  const main = pathToFileURL(join(consumer.folder, "main.js")).href;
  consumer.write("main.js", `import ${JSON.stringify(specifier)};\n`);
  const recorder = join(import.meta.dirname, "support/record-loads.ts");
  const output = execFileSync(process.execPath, ["--import", recorder, "main.js"], {
    cwd: consumer.folder,
    encoding: "utf8",
  });
  return output.split("\n").filter((url) => url !== "" && url !== main);
}

describe("the types of the packed package", () => {
  let consumer: Consumer;
  beforeAll(() => {
    consumer = new Consumer();
    consumer.link([...Object.keys(manifest.peerDependencies), "@types/express", "@types/koa", "@types/node"]);
    const imports = specifiers.map((specifier, index) => `import * as entry${index} from "${specifier}";`);
    const exports = specifiers.map((specifier, index) => `  "${specifier}": entry${index},`);
    consumer.write("consumer.ts", [...imports, "export default {", ...exports, "};"].join("\n"));
  });
  afterAll(() => consumer.remove());

  it.each([
    { module: "nodenext", moduleResolution: "nodenext" },
    { module: "preserve", moduleResolution: "bundler" },
  ])("resolve under $moduleResolution", (resolution) => {
    const lib = ["es2024", "dom"];
    const compilerOptions = { ...resolution, target: "es2024", lib, types: ["node"], strict: true };
    consumer.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
    // The peers' own declarations, outside the folder, are not ours to judge; errors that start in ours are.
    expect(typeErrors(consumer.folder).filter((error) => !error.startsWith(".."))).toEqual([]);
  });
});
