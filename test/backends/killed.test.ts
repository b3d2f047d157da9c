import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as passed } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { queueFile } from "../support/queue-file.ts";
import { IN_FLIGHT, idsOf, killedWorker } from "./killed-worker.ts";

/** Kills of each of two queues. */
const KILLS = 100;
/** Milliseconds for which a process works before it is killed, at most; some are killed while they open their file. */
const LONGEST_LIFE = 40;

/** Resolves when a worker has its file open, or has ended. */
async function ready(child: ChildProcess): Promise<void> {
  await Promise.race([child.stdout === null ? undefined : once(child.stdout, "data"), once(child, "exit")]);
}

/** Starts a worker, kills it at a random moment of its life, and tells what of its complaints are no signal's doing. */
async function killOnce(file: string, ledger: string): Promise<string> {
  // Node 22 calls its SQLite experimental.
  const options = ["--disable-warning=ExperimentalWarning", killedWorker, file, ledger];
  const child = spawn(process.execPath, options, { stdio: ["ignore", "pipe", "pipe"] });
  let complaints = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    complaints += chunk.toString();
  });
  const ended = once(child, "exit");
  if (Math.random() < 0.1) await passed(Math.random() * 200);
  else {
    await ready(child);
    await passed(Math.random() * LONGEST_LIFE);
  }
  child.kill("SIGKILL");
  await ended;
  return complaints;
}

/** How many of the ids that each life ran were run again in a later one. */
function repeatedOf(lives: readonly (readonly string[])[]): number[] {
  const later = new Set<string>();
  const repeated = lives.toReversed().map((life) => {
    const again = new Set(life.filter((id) => later.has(id))).size;
    for (const id of life) later.add(id);
    return again;
  });
  return repeated.reverse();
}

describe("a local queue on a file whose process is killed again and again", () => {
  it.concurrent.each(["one", "another"])(
    "loses no task of which enqueue has resolved, and repeats no more than was in flight: %s",
    { timeout: 600_000 },
    async () => {
      const file = queueFile();
      const ledger = `${file}.ledger`;
      writeFileSync(ledger, "");
      const lives: string[][] = [];
      let length = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        expect(await killOnce(file, ledger)).toBe("");
        const lines = readFileSync(ledger, "utf8");
        lives.push(idsOf(lines.slice(length), "ran"));
        length = lines.length;
      }
      const drained = execFileSync(process.execPath, [killedWorker, file, ledger, "drain"], { encoding: "utf8" });
      const lines = readFileSync(ledger, "utf8");
      lives.push(idsOf(lines.slice(length), "ran"));
      const letters = drained.trimEnd().split("\n").slice(1);
      const parked = new Set(letters);
      const ran = new Set(lives.flat());
      const enqueued = idsOf(lines, "enqueued");
      expect(enqueued.length).toBeGreaterThan(KILLS);
      expect(enqueued.filter((id) => !ran.has(id))).toEqual([]);
      expect(idsOf(lines, "doomed").filter((id) => !parked.has(id))).toEqual([]);
      expect(parked.size).toBe(letters.length);
      expect(Math.max(...repeatedOf(lives))).toBeLessThanOrEqual(IN_FLIGHT);
    },
  );
});
