import { Queue, Worker } from "bullmq";
import { CONCURRENCY, Countdown, payloads, type Rival } from "./rival.ts";
import { addressOf } from "./servers.ts";

const NAME = "taskroute-bench";
/** Jobs a call of `addBulk`: one transaction each. Ten thousand in one are slower. */
const BULK = 1000;

/**
 * BullMQ as its guide has it: `addBulk`, one Worker with its concurrency, jobs removed when they are completed
 * (docs.bullmq.io/guide/going-to-production). A job counts as finished when Redis has recorded it as completed.
 */
export async function createBullMq(): Promise<Rival> {
  const connection = { url: addressOf("Redis"), maxRetriesPerRequest: null };
  const queue = new Queue<{ index: number }>(NAME, { connection, defaultJobOptions: { removeOnComplete: true } });
  await queue.obliterate({ force: true });
  const count = new Countdown();
  const options = { connection, concurrency: CONCURRENCY, autorun: false };
  const worker = new Worker(NAME, async () => {}, options);
  worker.on("completed", () => count.tick());
  await worker.waitUntilReady();
  let isWorking = false;
  return {
    async enqueueMany(size) {
      const jobs = payloads(size).map((data) => ({ name: "count", data }));
      for (let start = 0; start < size; start += BULK) await queue.addBulk(jobs.slice(start, start + BULK));
    },
    async enqueue() {
      await queue.add("count", { index: 0 });
    },
    async work() {
      isWorking = true;
      // Both resolve when the worker is stopped.
      void (worker.isPaused() ? worker.resume() : worker.run());
      // The first job shows that it is there.
      const first = count.from(1);
      await queue.add("count", { index: 0 });
      await first;
    },
    finished: (size) => count.from(size),
    async rest() {
      if (isWorking) await worker.pause();
      isWorking = false;
      await queue.drain(true);
    },
    async close() {
      await worker.close();
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}
