import { Client } from "pg";
import { CONCURRENCY, Countdown, payloads, type Rival } from "./rival.ts";
import { addressOf } from "./servers.ts";

// Read when the module is loaded: no line for every job, as in its own performance test.
process.env.NO_LOG_SUCCESS = "1";
const { Logger, makeWorkerUtils, run } = await import("graphile-worker");

/** The settings of its own performance test (worker.graphile.org/docs/performance). */
const BATCHING = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };

/**
 * graphile-worker with `addJobs`, and workers with two connections more than jobs under way, as its options advise. A job
 * counts as finished when its row is gone.
 *
 * @param batching whether to use its local queue and to complete jobs in batches.
 */
export async function createGraphileWorker(batching: boolean): Promise<Rival> {
  const connectionString = addressOf("PostgreSQL");
  const schema = `taskroute_bench_graphile_${batching ? "batching" : "plain"}`;
  const database = new Client({ connectionString });
  await database.connect();
  await database.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  const worker = { connectionString, schema, logger: new Logger(() => () => {}) };
  const utils = await makeWorkerUtils({ preset: { worker } });
  await utils.migrate();
  const count = new Countdown();
  const workers = { concurrentJobs: CONCURRENCY, maxPoolSize: CONCURRENCY + 2, ...(batching ? BATCHING : {}) };
  const options = {
    preset: { worker: { ...worker, ...workers } },
    noHandleSignals: true,
    crontab: "",
    taskList: { count: () => count.tick() },
  };
  let runner: Awaited<ReturnType<typeof run>> | undefined;
  return {
    async enqueueMany(size) {
      await utils.addJobs(payloads(size).map((payload) => ({ identifier: "count", payload })));
    },
    async enqueue() {
      await utils.addJob("count", { index: 0 });
    },
    async work() {
      runner = await run(options);
      // The first job shows that it is there.
      const first = count.from(1);
      await utils.addJob("count", { index: 0 });
      await first;
    },
    async finished(size) {
      await count.from(size);
      const unfinished = `SELECT EXISTS (SELECT FROM ${schema}._private_jobs)`;
      while ((await database.query(unfinished)).rows[0]?.exists) {}
    },
    async rest() {
      await runner?.stop();
      runner = undefined;
      await database.query(`TRUNCATE ${schema}._private_jobs`);
    },
    async close() {
      await utils.release();
      await database.query(`DROP SCHEMA ${schema} CASCADE`);
      await database.end();
    },
  };
}
