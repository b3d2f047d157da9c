import { runChild } from "./child.ts";
import type { Growth, Job, Throughput } from "./engine-worker.ts";
import type { PushMessage } from "./push-message.ts";
import { exactly, median, spread } from "./statistics.ts";
import type { Row, Section } from "./table.ts";

/** How long to measure. */
export interface EngineEffort {
  readonly rounds: number;
  readonly deliveries: number;
}

const SIZES = [1_000, 10_000, 100_000];
const TASKS_PER_ROUND = 100_000;
const MB = 2 ** 20;
/** Tasks a second. */
const RATE = 100_000;
/**
 * Most that a task may cost with 100,000 queued, as a multiple of its cost with 1,000: what counts as flat. Not 1, since
 * the collector has to move what waits for long; a queue that grows dearer with its length would be many times above.
 */
const FLAT = 1.5;
/** Megabytes that a million deliveries may leave behind: a byte for each, which is less than any leak. */
const GROWTH = 1;

function measure<T>(job: Job): Promise<T> {
  return runChild<T>("engine-worker.ts", job, ["--expose-gc"]);
}

function rateRows(name: string, costs: Throughput["costs"]): Row[] {
  return SIZES.map((size, index) => {
    const rounds = costs[index] ?? [];
    return {
      label: `${name}, ${size.toLocaleString("en-US")}`,
      ours: median(rounds),
      result: spread(rounds.map((cost) => 1e6 / cost)),
      target: { bound: "at least", value: RATE },
    };
  });
}

function flatRow(name: string, costs: Throughput["costs"]): Row {
  const small = costs[0] ?? [];
  const large = costs.at(-1) ?? [];
  return {
    label: name,
    ours: median(large),
    base: median(small),
    result: spread(large.map((cost, round) => cost / (small[round] ?? Number.NaN))),
    target: { bound: "at most", value: FLAT },
  };
}

function growthRow(name: string, { heap }: Growth): Row {
  const before = heap[1] ?? Number.NaN;
  const after = heap.at(-1) ?? Number.NaN;
  return {
    label: name,
    ours: after / MB,
    base: before / MB,
    result: exactly((after - before) / MB),
    target: { bound: "at most", value: GROWTH },
  };
}

/** Tasks a second through the engine, whatever waits in it, and what a million deliveries leave on the heap. */
export async function benchEngine(push: PushMessage, { rounds, deliveries }: EngineEffort): Promise<Section[]> {
  const job = { kind: "throughput", sizes: SIZES, rounds, tasksPerRound: TASKS_PER_ROUND } as const;
  const client = await measure<Throughput>({ ...job, queue: "client" });
  const engine = await measure<Throughput>({ ...job, queue: "engine" });
  const engineGrowth = await measure<Growth>({ kind: "growth", queue: "client", deliveries, push });
  const pushGrowth = await measure<Growth>({ kind: "growth", queue: "push", deliveries, push });
  return [
    {
      title: "engine, enqueue to finished, by number of tasks queued at once",
      columns: ["µs/task", "", "tasks/s"],
      rows: [...rateRows("createTasks", client.costs), ...rateRows("Engine", engine.costs)],
    },
    {
      title: "engine, µs for a task with 100,000 queued against 1,000",
      columns: ["100,000", "1,000", "ratio"],
      rows: [flatRow("createTasks", client.costs), flatRow("Engine", engine.costs)],
    },
    {
      title: `heap in MB after ${deliveries.toLocaleString("en-US")} deliveries, against a fifth of them`,
      columns: ["all", "a fifth", "growth"],
      rows: [growthRow("engine", engineGrowth), growthRow("push handler", pushGrowth)],
    },
  ];
}
