import { clockStartingAt, createTasks, local, silentLogger, TaskRoute, VirtualClock } from "taskroute";

// Run as a child process: fills or opens a file of the local backend, or runs a schedule on the virtual clock.

/** What to measure. */
export type DurableJob =
  | {
      /** Leaves a file of tasks that all are due. Answers 0. */
      readonly kind: "fill";
      readonly file: string;
      readonly waiting: number;
    }
  | {
      /** Answers milliseconds from `createTasks` to the first delivery of what a file holds. */
      readonly kind: "open";
      readonly file: string;
    }
  | {
      /** Answers milliseconds from `createTasks` to the end of a year of ticks every hour. */
      readonly kind: "year";
      /** Default: in memory. */
      readonly file?: string;
    };

const HOUR = 3_600_000;

function assertTicks(ticks: number): void {
  if (ticks !== 365 * 24) throw new Error(`year: expected a tick an hour, got ${ticks}`);
}

async function fill(file: string, waiting: number): Promise<number> {
  const route = new TaskRoute({ path: "bench.wait", run: () => {} });
  const clock = clockStartingAt(new Date(Date.now() - 2 * HOUR));
  const tasks = createTasks({ routes: [route], backend: local({ file }), clock, env: {}, logger: silentLogger });
  const items = Array.from({ length: waiting }, (_, index) => ({ payload: { index }, delay: HOUR / 1000 }));
  await tasks.enqueueMany(route, items);
  await tasks.close();
  return 0;
}

async function open(file: string): Promise<number> {
  const first = Promise.withResolvers<void>();
  const route = new TaskRoute({ path: "bench.wait", run: () => first.resolve() });
  const start = performance.now();
  const tasks = createTasks({ routes: [route], backend: local({ file }), env: {}, logger: silentLogger });
  await tasks.start();
  await first.promise;
  return performance.now() - start;
}

async function year(file: string | undefined): Promise<number> {
  let ticks = 0;
  const run = () => {
    ticks += 1;
  };
  const route = new TaskRoute({ path: "bench.tick", schedule: "0 * * * *", scheduleTimezone: "Europe/London", run });
  const start = performance.now();
  const clock = new VirtualClock(new Date("2026-01-01T00:00:00Z"));
  const backend = local(file === undefined ? {} : { file });
  const tasks = createTasks({ routes: [route], backend, clock, env: {}, logger: silentLogger });
  await tasks.start();
  await clock.advanceTo(new Date("2027-01-01T00:00:00Z"));
  const milliseconds = performance.now() - start;
  assertTicks(ticks);
  return milliseconds;
}

function measure(job: DurableJob): Promise<number> {
  switch (job.kind) {
    case "fill":
      return fill(job.file, job.waiting);
    case "open":
      return open(job.file);
    case "year":
      return year(job.file);
  }
}

process.on("disconnect", () => process.exit());
process.send?.(await measure(JSON.parse(process.argv[2] ?? "")));
process.disconnect();
