import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "taskroute-queue-"));
let files = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A path for the file of a local queue that does not exist yet; gone after the tests of the module that asks. */
export function queueFile(): string {
  files += 1;
  return join(folder, `queue-${files}.db`);
}

/**
 * What a process that is killed now leaves of its queue: a copy of the file and of the write-ahead log beside it, which
 * are all that there is outside of the process.
 */
export function killedNow(file: string): string {
  const copy = queueFile();
  for (const suffix of ["", "-wal"]) if (existsSync(file + suffix)) copyFileSync(file + suffix, copy + suffix);
  return copy;
}
