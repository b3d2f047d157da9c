import { globSync, statSync } from "node:fs";
import { join } from "node:path";

const REPOSITORY = join(import.meta.dirname, "../..");

/** Refuses to measure a build that is older than the sources. @throws Error when it is, or is not there. */
export function assertFreshBuild(): void {
  const built = statSync(join(REPOSITORY, "dist/index.js"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const newer = globSync("src/**/*.ts", { cwd: REPOSITORY }).filter(
    (file) => statSync(join(REPOSITORY, file)).mtimeMs > built,
  );
  if (newer.length === 0) return;
  throw new Error(
    `dist: expected a build of the sources as they are, got an older one (${newer[0]} is newer); run npm run bench, which builds first`,
  );
}
