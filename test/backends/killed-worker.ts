import { openSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as passed } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { local } from "../../src/backends/local.ts";
import { Discard } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";

/**
 * This file as a program: works on a queue file until it is killed, and writes into a ledger what it was told (`enqueued`)
 * and what it did (`ran`, at the end of a run), a line each. With `drain` it enqueues nothing more, prints the ids of all
 * dead letters once everything in the ledger has come to its end, or a minute later, and ends.
 */
export const killedWorker: string = fileURLToPath(import.meta.url);

/** Deliveries at once: what may be repeated after a kill. */
export const IN_FLIGHT = 8;

/** The ids of a ledger's lines of one kind, in order. */
export function idsOf(ledger: string, kind: string): string[] {
  return ledger.split("\n").flatMap((line) => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : []));
}

async function work(file: string, ledger: string, drain: boolean): Promise<void> {
  const log = openSync(ledger, "a");
  const note = (kind: string, id: string) => writeSync(log, `${kind} ${id}\n`);
  const settings = { minRetryDelay: 0, maxRetryDelay: 0 };
  const good = new TaskRoute({
    ...settings,
    path: "x.good",
    run: async (_payload, { taskId, attempt }) => {
      await passed(Math.random() * 4);
      if (attempt === 1 && taskId.endsWith("0")) throw new Error("fails the first time");
      note("ran", taskId);
    },
  });
  const doomed = new TaskRoute({ ...settings, path: "x.doomed", run: () => Promise.reject(new Discard("of no use")) });
  const tasks = createTasks({
    routes: [good, doomed],
    backend: local({ file, maxInFlight: IN_FLIGHT }),
    logger: silentLogger,
    env: {},
  });
  await tasks.start();
  process.stdout.write("ready\n");
  const enqueue = async () => {
    const isDoomed = Math.random() < 0.1;
    const { id } = await tasks.enqueue(isDoomed ? doomed : good, {}, { delay: Math.random() < 0.3 ? 0.02 : 0 });
    note(isDoomed ? "doomed" : "enqueued", id);
  };
  while (!drain) {
    await Promise.all(Array.from({ length: 5 }, enqueue));
    await passed(Math.random() * 2);
  }
  // What is lost never comes: the test then says which.
  const end = Date.now() + 60_000;
  for (;;) {
    const lines = readFileSync(ledger, "utf8");
    const ran = new Set(idsOf(lines, "ran"));
    const parked = (await tasks.deadLetters.list()).map(({ taskId }) => taskId);
    const isDone = idsOf(lines, "enqueued").every((id) => ran.has(id));
    if ((isDone && idsOf(lines, "doomed").every((id) => parked.includes(id))) || Date.now() > end) {
      await tasks.close();
      process.stdout.write(parked.join("\n"));
      return;
    }
    await passed(10);
  }
}

const [, program, file = "", ledger = "", mode] = process.argv;
if (program === killedWorker) await work(file, ledger, mode === "drain");
