import { setImmediate } from "node:timers/promises";
import type { PushMessage } from "./push-message.ts";
import { clientQueue, engineQueue, pushQueue, type Queue } from "./queues.ts";

// Run as a child process with --expose-gc: times batches of tasks, or watches the heap over many of them.

/** What to measure. */
export type Job =
  | {
      readonly kind: "throughput";
      readonly queue: "client" | "engine";
      /** Tasks queued at once, one batch size after the other. */
      readonly sizes: readonly number[];
      readonly rounds: number;
      /** Tasks of one size in one round: small batches are repeated to get there. */
      readonly tasksPerRound: number;
    }
  | {
      readonly kind: "growth";
      readonly queue: "client" | "push";
      readonly deliveries: number;
      readonly push: PushMessage;
    };

/** Of a `throughput` job. */
export interface Throughput {
  /** Microseconds for a task: a list of rounds for each size. */
  readonly costs: readonly (readonly number[])[];
  /** Bytes of heap that are still in use after all of it, over those before. */
  readonly kept: number;
}

/** Of a `growth` job: bytes of heap in use after each tenth of the deliveries. */
export interface Growth {
  readonly heap: readonly number[];
}

const BATCH = 10_000;

async function heapInUse(): Promise<number> {
  await setImmediate();
  globalThis.gc?.();
  await setImmediate();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function runMany(queue: Queue, tasks: number, batch: number): Promise<void> {
  for (let left = tasks; left > 0; left -= batch) await queue.run(batch);
}

async function throughput(job: Extract<Job, { kind: "throughput" }>): Promise<Throughput> {
  const queue = job.queue === "client" ? clientQueue() : engineQueue();
  const costs: number[][] = job.sizes.map(() => []);
  for (const size of job.sizes) await runMany(queue, Math.max(job.tasksPerRound / 2, size), size);
  const before = await heapInUse();
  for (let round = 0; round < job.rounds; round++) {
    for (const [index, size] of job.sizes.entries()) {
      globalThis.gc?.();
      const start = performance.now();
      await runMany(queue, job.tasksPerRound, size);
      costs[index]?.push(((performance.now() - start) * 1000) / job.tasksPerRound);
    }
  }
  return { costs, kept: (await heapInUse()) - before };
}

async function growth(job: Extract<Job, { kind: "growth" }>): Promise<Growth> {
  const queue = job.queue === "client" ? clientQueue({ failing: true }) : pushQueue(job.push);
  const heap: number[] = [];
  for (let tenth = 0; tenth < 10; tenth++) {
    await runMany(queue, job.deliveries / 10, BATCH);
    heap.push(await heapInUse());
  }
  return { heap };
}

process.on("disconnect", () => process.exit());
const job: Job = JSON.parse(process.argv[2] ?? "");
process.send?.(job.kind === "throughput" ? await throughput(job) : await growth(job));
process.disconnect();
