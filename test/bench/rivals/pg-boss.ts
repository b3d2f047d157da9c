import { Client } from "pg";
import { PgBoss } from "pg-boss";
import { Countdown, payloads, type Rival } from "./rival.ts";
import { addressOf } from "./servers.ts";

const SCHEMA = "taskroute_bench_pg_boss";
/** Notifies workers of each insert, which wakes them at once but costs the enqueuing. */
const WORKED = "count";
/** Without it. */
const WAITING = "wait";
/** Ten thousand jobs in one go: more workers or smaller batches are slower, and so is a single worker. */
const WORKERS = { batchSize: 1000, localConcurrency: 10, burstWhenBatchFull: true };

/**
 * pg-boss with `insert`, batches, and LISTEN/NOTIFY in place of its polling, which waits half a second at least
 * (pgboss.io/api/workers); nothing is supervised or scheduled beside it. A job counts as finished when its row says so.
 */
export async function createPgBoss(): Promise<Rival> {
  const connectionString = addressOf("PostgreSQL");
  const database = new Client({ connectionString });
  await database.connect();
  await database.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
  const settings = { supervise: false, schedule: false, useListenNotify: true };
  const boss = new PgBoss({ connectionString, schema: SCHEMA, ...settings });
  await boss.start();
  await boss.createQueue(WORKED, { notify: true });
  await boss.createQueue(WAITING);
  const count = new Countdown();
  const unfinished = `SELECT EXISTS (SELECT FROM ${SCHEMA}.job WHERE name = $1 AND state < 'completed')`;
  let queue = WAITING;
  return {
    async enqueueMany(size) {
      const jobs = payloads(size).map((data) => ({ data }));
      await boss.insert(queue, jobs);
    },
    async enqueue() {
      await boss.send(queue, { index: 0 });
    },
    async work() {
      queue = WORKED;
      await boss.work(queue, WORKERS, async (jobs) => count.tick(jobs.length));
    },
    async finished(size) {
      await count.from(size);
      while ((await database.query(unfinished, [WORKED])).rows[0]?.exists) {}
    },
    async rest() {
      if (queue === WORKED) await boss.offWork(WORKED);
      queue = WAITING;
      await boss.deleteAllJobs();
    },
    async close() {
      await boss.stop({ graceful: false });
      await database.query(`DROP SCHEMA ${SCHEMA} CASCADE`);
      await database.end();
    },
  };
}
