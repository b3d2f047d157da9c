import type { Rival } from "./rivals/rival.ts";

// Run as a child process: one task queue, measured as often as it is told to, until it is told to end.

/** Makes each task queue; a process loads only its own. */
const RIVALS = {
  memory: async (waiting) => (await import("./rivals/taskroute.ts")).createTaskroute(undefined, waiting),
  normal: async (waiting) => (await import("./rivals/taskroute.ts")).createTaskroute("normal", waiting),
  full: async (waiting) => (await import("./rivals/taskroute.ts")).createTaskroute("full", waiting),
  bullMq: async () => (await import("./rivals/bullmq.ts")).createBullMq(),
  pgBoss: async () => (await import("./rivals/pg-boss.ts")).createPgBoss(),
  graphilePlain: async () => (await import("./rivals/graphile-worker.ts")).createGraphileWorker(false),
  graphileBatching: async () => (await import("./rivals/graphile-worker.ts")).createGraphileWorker(true),
} satisfies Record<string, (waiting: number) => Promise<Rival>>;

/** One of the task queues. */
export type RivalName = keyof typeof RIVALS;

/** How many tasks to measure with; 0 leaves a measurement out. */
export interface RivalJob {
  /** Enqueued in bulk and run, so many batches of them one after the other. */
  readonly tasks: number;
  readonly batches: number;
  /** Enqueued in bulk. */
  readonly bulk: number;
  /** Enqueued one by one, 64 calls under way at once. */
  readonly together: number;
  /** Enqueued one by one, each after the one before. */
  readonly inTurn: number;
}

/** Tasks a second; 0 for what was left out. */
export interface Rates {
  /** From the first enqueued in bulk, with workers waiting, to the last recorded as finished. */
  readonly finished: number;
  /** Enqueued in bulk. */
  readonly bulk: number;
  /** Enqueued one by one, 64 calls under way at once. */
  readonly together: number;
  /** Enqueued one by one, each after the one before. */
  readonly inTurn: number;
}

/** What one turn came to. */
export interface Turn extends Rates {
  /** How much of a core this process had while tasks ran: of a library without a server all of it, on an idle machine. */
  readonly share: number;
}

/** What the parent says. */
export type RivalCommand = RivalJob | "close";

/** Tasks a second of something done with that many of them; what it leaves in the queue is thrown away. */
async function rate(rival: Rival, count: number, use: () => Promise<unknown>): Promise<number> {
  if (count === 0) return 0;
  const start = performance.now();
  await use();
  const milliseconds = performance.now() - start;
  await rival.rest();
  return (count * 1000) / milliseconds;
}

async function enqueueEach(rival: Rival, count: number, lanes: number): Promise<void> {
  let left = count;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      await rival.enqueue();
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function finish(rival: Rival, { tasks, batches }: RivalJob): Promise<void> {
  for (let batch = 0; batch < batches; batch++) {
    await Promise.all([rival.finished(tasks), rival.enqueueMany(tasks)]);
  }
}

async function measure(rival: Rival, job: RivalJob): Promise<Turn> {
  const bulk = await rate(rival, job.bulk, () => rival.enqueueMany(job.bulk));
  const together = await rate(rival, job.together, () => enqueueEach(rival, job.together, 64));
  const inTurn = await rate(rival, job.inTurn, () => enqueueEach(rival, job.inTurn, 1));
  await rival.work();
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const finished = await rate(rival, job.tasks * job.batches, () => finish(rival, job));
  const { user, system } = process.cpuUsage(cpu);
  const share = (user + system) / 1000 / (performance.now() - start);
  return { finished, bulk, together, inTurn, share };
}

process.on("disconnect", () => process.exit());
const rival = await RIVALS[process.argv[2] as RivalName](Number(process.argv[3]));
process.on("message", async (command: RivalCommand) => {
  if (command === "close") {
    await rival.close();
    process.disconnect();
  } else process.send?.(await measure(rival, command));
});
