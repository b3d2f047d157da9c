import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runChild } from "./child.ts";
import type { DurableJob } from "./durable-worker.ts";
import { RivalProcess } from "./rival-process.ts";
import type { RivalJob, RivalName } from "./rival-worker.ts";
import { makeFolder } from "./rivals/taskroute.ts";
import { median, spread } from "./statistics.ts";
import type { Row, Section, Target } from "./table.ts";

/** How long to measure. */
export interface DurableEffort {
  /** Rounds of each measurement. */
  readonly rounds: number;
  /** Tasks that wait, where many do. */
  readonly waiting: number;
}

const OPENED = 100_000;
const FEW = 1000;
const OPEN_TARGET: Target = { bound: "at most", value: 1000 };
const YEAR_TARGET: Target = { bound: "at most", value: 2000 };
/** Most that a task may cost with many others waiting, as a multiple of its cost with a thousand: what counts as flat. */
const FLAT: Target = { bound: "at most", value: 1.5 };
/** Enough of them for what the collector has to do with those that wait. */
const JOB: RivalJob = { tasks: 10_000, batches: 5, bulk: 0, together: 0, inTurn: 0 };

const measure = (job: DurableJob): Promise<number> => runChild("durable-worker.ts", job);

function count(tasks: number): string {
  return tasks.toLocaleString("en-US");
}

function millisecondsRow(label: string, rounds: readonly number[], target?: Target): Row {
  return { label, ours: median(rounds), result: spread(rounds), ...(target === undefined ? {} : { target }) };
}

async function repeat(rounds: number, once: (round: number) => Promise<number>): Promise<number[]> {
  const measured: number[] = [];
  for (let round = 0; round < rounds; round++) measured.push(await once(round));
  return measured;
}

async function opening(folder: string, rounds: number): Promise<Section> {
  const filled = join(folder, "filled.db");
  await measure({ kind: "fill", file: filled, waiting: OPENED });
  const opened = await repeat(rounds, async () => {
    const file = join(folder, "opened.db");
    rmSync(`${file}-wal`, { force: true });
    copyFileSync(filled, file);
    return measure({ kind: "open", file });
  });
  return {
    title: `file, ms from createTasks to the first delivery, of ${count(OPENED)} waiting`,
    columns: ["ms", "", "ms"],
    rows: [millisecondsRow("open, first delivery", opened, OPEN_TARGET)],
  };
}

async function schedule(folder: string, rounds: number): Promise<Section> {
  const inMemory = await repeat(rounds, () => measure({ kind: "year" }));
  const onFile = await repeat(rounds, (round) => measure({ kind: "year", file: join(folder, `year-${round}.db`) }));
  return {
    title: "virtual clock, ms for a year of an hourly schedule in Europe/London",
    columns: ["ms", "", "ms"],
    rows: [millisecondsRow("memory", inMemory, YEAR_TARGET), millisecondsRow("file, NORMAL", onFile, YEAR_TARGET)],
  };
}

/** Microseconds for a task of a queue with few and of one with many others asleep in it, in turn. */
async function flatRow(label: string, queue: RivalName, rounds: number, many: number): Promise<Row> {
  const processes = [FEW, many].map((waiting) => new RivalProcess(queue, { waiting }));
  const costs: [number[], number[]] = [[], []];
  try {
    await Promise.all(processes.map((process) => process.measure(JOB)));
    for (let round = 0; round < rounds; round++) {
      for (const [index, process] of processes.entries())
        costs[index]?.push(1e6 / (await process.measure(JOB)).finished);
    }
  } finally {
    await Promise.all(processes.map((process) => process.close()));
  }
  const [base, ours] = costs;
  const result = spread(ours.map((cost, round) => cost / (base[round] ?? Number.NaN)));
  return { label, ours: median(ours), base: median(base), result, target: FLAT };
}

async function flat(rounds: number, waiting: number): Promise<Section> {
  const inMemory = await flatRow("memory", "memory", rounds, waiting);
  const onFile = await flatRow("file, NORMAL", "normal", rounds, waiting);
  return {
    title: `engine, µs for a task to finish while ${count(waiting)} others wait, against ${count(FEW)}`,
    columns: [count(waiting), count(FEW), "ratio"],
    rows: [inMemory, onFile],
  };
}

/** The local engine on a file: how soon it delivers, and what a task costs while many others wait. */
export async function benchDurable({ rounds, waiting }: DurableEffort): Promise<Section[]> {
  const folder = makeFolder();
  try {
    return [await opening(folder, rounds), await schedule(folder, rounds), await flat(rounds, waiting)];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
