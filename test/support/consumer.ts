import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import manifest from "../../package.json" with { type: "json" };

const root = resolve(import.meta.dirname, "../..");

/** A folder outside the repository that has the packed package installed. */
export class Consumer {
  /** Absolute path of the folder. */
  readonly folder: string = mkdtempSync(join(tmpdir(), "taskroute-package-"));
  /** What the tarball holds, e.g. `dist/index.js`. */
  readonly files: readonly string[];

  /**
   * Packs and installs the package with the dependencies it declares and nothing else: no peer and no development
   * dependency can be imported. Needs no registry.
   */
  constructor() {
    this.write("package.json", JSON.stringify({ name: "consumer", private: true, type: "module" }));
    const pack = ["pack", "--silent", "--ignore-scripts", "--pack-destination", this.folder];
    const tarball = join(this.folder, run("npm", pack).trim());
    this.files = run("tar", ["-tzf", tarball])
      .trim()
      .replaceAll(/^package\//gm, "")
      .split("\n")
      .sort();
    const target = join(this.folder, "node_modules", manifest.name);
    mkdirSync(target, { recursive: true });
    run("tar", ["-xzf", tarball, "-C", target, "--strip-components=1"]);
    this.link(Object.keys(manifest.dependencies));
  }

  /** Makes packages of this repository's node_modules importable. */
  link(packages: readonly string[]): void {
    for (const name of packages) {
      const target = join(this.folder, "node_modules", name);
      mkdirSync(dirname(target), { recursive: true });
      symlinkSync(join(root, "node_modules", name), target);
    }
  }

  /** Writes a file of the consumer. */
  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.folder, file)), { recursive: true });
    writeFileSync(join(this.folder, file), text);
  }

  /** Deletes the folder. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}
