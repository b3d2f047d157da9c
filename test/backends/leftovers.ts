import { fileURLToPath } from "node:url";
import { local } from "../../src/backends/local.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";

/** This file as a program: opens a client with timers of every kind, closes it, and prints whether any are left. */
export const leftovers: string = fileURLToPath(import.meta.url);

const timers = (): string => (process.getActiveResourcesInfo().includes("Timeout") ? "yes" : "no");

async function openAndClose(): Promise<void> {
  const failed = Promise.withResolvers<void>();
  const scheduled = new TaskRoute({ path: "x.scheduled", schedule: "* * * * *", run: () => {} });
  const limited = new TaskRoute({ path: "x.limited", queue: { ratePerSecond: 0.001 }, run: () => {} });
  const failing = new TaskRoute({ path: "x.failing", run: () => Promise.reject(new Error("boom")) });
  const tasks = createTasks({
    routes: [scheduled, limited, failing],
    hooks: { finished: ({ outcome }) => outcome.type === "failed" && failed.resolve() },
    backend: local(),
    logger: silentLogger,
    env: {},
  });
  await tasks.enqueue(failing);
  await failed.promise;
  for (let count = 0; count < 3; count++) await tasks.enqueue(limited);
  await tasks.enqueue(failing, {}, { delay: 3600 });
  const before = timers();
  await tasks.close();
  process.stdout.write(`timers before: ${before}, after: ${timers()}`);
}

if (process.argv[1] === leftovers) await openAndClose();
