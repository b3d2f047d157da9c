import { RivalProcess } from "./rival-process.ts";
import type { Rates, RivalJob, RivalName, Turn } from "./rival-worker.ts";
import { absence, type Server } from "./rivals/servers.ts";
import { median, spread } from "./statistics.ts";
import type { Row, Section } from "./table.ts";

/** How long to measure. */
export interface RivalEffort {
  /** Rounds in which all take their turn. */
  readonly turns: number;
}

const TASKS = 10_000;
const JOB: RivalJob = { tasks: TASKS, batches: 1, bulk: TASKS, together: 5000, inTurn: 500 };
/** PostgreSQL commits each task that is enqueued singly: fewer of them take long enough. */
const POSTGRES_JOB: RivalJob = { ...JOB, together: 1000, inTurn: 100 };
/** It enqueues as the other one of graphile-worker does. */
const PLAIN_JOB: RivalJob = { ...JOB, bulk: 0, together: 0, inTurn: 0 };
const WARM_UP: RivalJob = { tasks: 2000, batches: 1, bulk: 2000, together: 200, inTurn: 50 };

interface Contender {
  readonly label: string;
  readonly job: RivalJob;
  /** What it cannot do without. */
  readonly server?: Server;
}

const CONTENDERS: Record<RivalName, Contender> = {
  memory: { label: "taskroute, memory", job: JOB },
  normal: { label: "taskroute, NORMAL", job: JOB },
  full: { label: "taskroute, FULL", job: JOB },
  bullMq: { label: "BullMQ", job: JOB, server: "Redis" },
  pgBoss: { label: "pg-boss", job: POSTGRES_JOB, server: "PostgreSQL" },
  graphilePlain: { label: "graphile, plain", job: PLAIN_JOB, server: "PostgreSQL" },
  graphileBatching: { label: "graphile, batching", job: POSTGRES_JOB, server: "PostgreSQL" },
};
const NAMES = Object.keys(CONTENDERS) as RivalName[];

/** How each is set up; why so is said in rivals/. */
const SETUPS = [
  "Each in a process of its own, 50 tasks at once, servers as they are found.",
  "taskroute: enqueueMany, payloads checked by zod; on a file: synchronous NORMAL, FULL",
  "BullMQ: addBulk by 1,000, one Worker, completed jobs removed",
  "pg-boss: insert, 10 workers of batch 1,000, burst, LISTEN/NOTIFY, no supervision",
  "graphile-worker: addJobs, 52 connections; batching: localQueue 500, completeJobBatchDelay 0",
  "Enqueuing alone is measured without workers, but for taskroute, whose always work.",
];

const SECTIONS: Record<keyof Rates, string> = {
  finished: `${TASKS.toLocaleString("en-US")} trivial tasks enqueued to finished`,
  bulk: `${TASKS.toLocaleString("en-US")} tasks enqueued in bulk`,
  together: "tasks enqueued singly, 64 calls under way",
  inTurn: "tasks enqueued singly, one after the other",
};
const FIGURES = Object.keys(SECTIONS) as (keyof Rates)[];

/** What taskroute on a file, with NORMAL, is held to: tasks a second as a multiple of theirs. */
const RATIOS = {
  finished: { bullMq: 2, graphileBatching: 1 },
  bulk: { bullMq: 1, pgBoss: 1, graphileBatching: 1 },
} satisfies Partial<Record<keyof Rates, Partial<Record<RivalName, number>>>>;
const COMPARED = ["finished", "bulk"] as const;
type Compared = (typeof COMPARED)[number];

/** Those whose servers are there; says in a line why the others are left out. */
async function present(): Promise<RivalName[]> {
  const missing = new Set<Server>();
  for (const server of ["Redis", "PostgreSQL"] as const) {
    const reason = await absence(server);
    if (reason === undefined) continue;
    missing.add(server);
    const labels = NAMES.filter((name) => CONTENDERS[name].server === server).map((name) => CONTENDERS[name].label);
    console.log(`\nqueues: ${reason}; left out: ${labels.join(" / ")}`);
  }
  return NAMES.filter((name) => {
    const { server } = CONTENDERS[name];
    return server === undefined || !missing.has(server);
  });
}

/** One list of rounds for each, all in turn. */
async function contest(names: readonly RivalName[], turns: number): Promise<Map<RivalName, Turn[]>> {
  const processes = names.map((name) => [name, new RivalProcess(name)] as const);
  const rounds = new Map<RivalName, Turn[]>(names.map((name) => [name, []]));
  try {
    for (const [, process] of processes) await process.measure(WARM_UP);
    for (let turn = 0; turn < turns; turn++) {
      for (const [name, process] of processes) rounds.get(name)?.push(await process.measure(CONTENDERS[name].job));
    }
  } finally {
    await Promise.all(processes.map(([, process]) => process.close()));
  }
  return rounds;
}

/** Whether a figure was measured of a contender. */
function measures(figure: keyof Rates): (entry: readonly [RivalName, readonly Turn[]]) => boolean {
  return ([, rounds]) => rounds.some((round) => round[figure] > 0);
}

function rateRow(name: RivalName, rounds: readonly Turn[], figure: keyof Rates): Row {
  const rates = rounds.map((round) => round[figure]);
  return { label: CONTENDERS[name].label, ours: 1e6 / median(rates), result: spread(rates) };
}

function ratioRow(ours: readonly Turn[], name: RivalName, theirs: readonly Turn[], figure: Compared): Row {
  const bounds: Partial<Record<RivalName, number>> = RATIOS[figure];
  const atLeast = bounds[name];
  return {
    label: CONTENDERS[name].label,
    ours: median(ours.map((round) => round[figure])),
    base: median(theirs.map((round) => round[figure])),
    result: spread(ours.map((round, turn) => round[figure] / (theirs[turn]?.[figure] ?? Number.NaN))),
    ...(atLeast === undefined ? {} : { target: { bound: "at least", value: atLeast } }),
  };
}

/** Says how far the ratios can be believed: who shares the machine with a server loses more where others use it too. */
function contention(inMemory: readonly Turn[]): readonly string[] {
  const share = median(inMemory.map((round) => round.share));
  if (share > 0.95) return [];
  return [`taskroute in memory had ${share.toFixed(2)} of a core: the machine was busy, and ratios are too good`];
}

/** Trivial tasks through the local engine and through other libraries' queues, on this machine in the same rounds. */
export async function benchRivals({ turns }: RivalEffort): Promise<Section[]> {
  const rounds = await contest(await present(), turns);
  const ours = rounds.get("normal") ?? [];
  const note = [...SETUPS, ...contention(rounds.get("memory") ?? [])].join("\n  ");
  const others = [...rounds].filter(([name]) => CONTENDERS[name].server !== undefined);
  const rates: Section[] = FIGURES.map((figure) => ({
    title: `queues, ${SECTIONS[figure]}`,
    columns: ["µs/task", "", "tasks/s"],
    rows: [...rounds].filter(measures(figure)).map(([name, measured]) => rateRow(name, measured, figure)),
    ...(figure === "finished" ? { note } : {}),
  }));
  if (others.length === 0) return rates;
  const ratios: Section[] = COMPARED.map((figure) => ({
    title: `queues, NORMAL against the others, ${SECTIONS[figure]}`,
    columns: ["tasks/s", "theirs", "ratio"],
    rows: others.filter(measures(figure)).map(([name, theirs]) => ratioRow(ours, name, theirs, figure)),
  }));
  return [...rates, ...ratios];
}
