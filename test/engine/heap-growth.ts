import { fileURLToPath } from "node:url";
import { local } from "../../src/backends/local.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";

/** This file as a program: prints the heap in bytes after each of four rounds of 50,000 tasks, delivered twice. Needs `--expose-gc`. */
export const heapGrowth: string = fileURLToPath(import.meta.url);

const BATCH = 1000;

async function round(batches: number): Promise<number> {
  const task = new TaskRoute({
    path: "x.task",
    minRetryDelay: 0,
    maxRetryDelay: 0,
    run: (_payload, { attempt }) => {
      if (attempt === 1) throw new Error("boom");
    },
  });
  const tasks = createTasks({ routes: [task], backend: local(), logger: silentLogger, env: {} });
  for (let batch = 0; batch < batches; batch++) {
    const runs = await Promise.all(Array.from({ length: BATCH }, (_, n) => tasks.enqueue(task, { n, batch })));
    await Promise.all(runs.map((run) => run.outcome()));
  }
  globalThis.gc?.();
  const { heapUsed } = process.memoryUsage();
  await tasks.close();
  return heapUsed;
}

if (process.argv[1] === heapGrowth) {
  await round(10);
  for (let rounds = 0; rounds < 4; rounds++) process.stdout.write(`${await round(50)} `);
}
