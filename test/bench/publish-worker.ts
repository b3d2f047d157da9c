import { PubSub } from "@google-cloud/pubsub";
import { createTasks, silentLogger, TaskRoute } from "taskroute";
import { z } from "zod";

// Run as a child process: one way to publish, measured as often as it is told to, until it is told to end.

/** How many messages to measure with. */
export interface PublishJob {
  /** One after the other. */
  readonly inTurn: number;
  /** 64 calls under way at once. */
  readonly together: number;
  /** All at once. */
  readonly bulk: number;
}

/** Messages a second, of each way. */
export type PublishRates = Record<keyof PublishJob, number>;

/** Publishes in bulk for so long. */
export interface SoakJob {
  readonly seconds: number;
}

/** What a process takes at one moment of a soak. */
export interface SoakSample {
  readonly seconds: number;
  /** Messages accepted so far. */
  readonly messages: number;
  /** Bytes that JavaScript takes after a collection, and those of the whole process. */
  readonly heap: number;
  readonly resident: number;
}

/** Who publishes. */
export type PublishClient = "taskroute" | "bare";

/** Publishes to the topic of the benchmark. */
interface Sender {
  send(index: number): Promise<unknown>;
  sendMany(count: number): Promise<unknown>;
}

const PROJECT = "bench";

/** `createTasks(...)` as a service has it, payloads checked by zod. */
function ours(): Sender {
  const route = new TaskRoute({ path: "bench.count", payload: z.object({ index: z.number() }), run: () => {} });
  const tasks = createTasks({
    routes: [route],
    env: { ...process.env, TASKS_BACKEND: "pubsub", GCP_PROJECT_ID: PROJECT },
    logger: silentLogger,
  });
  return {
    send: (index) => tasks.enqueue(route, { index }),
    async sendMany(count) {
      const items = Array.from({ length: count }, (_, index) => ({ payload: { index } }));
      const { failed } = await tasks.enqueueMany(route, items);
      if (failed.length > 0) throw failed[0]?.error;
    },
  };
}

/** Google's client as its documentation shows it, the topic kept. */
function bare(): Sender {
  const topic = new PubSub({ projectId: PROJECT }).topic("bench");
  const send = (index: number) => topic.publishMessage({ json: { index } });
  return { send, sendMany: (count) => Promise.all(Array.from({ length: count }, (_, index) => send(index))) };
}

async function rate(count: number, use: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await use();
  return (count * 1000) / (performance.now() - start);
}

async function sendEach(sender: Sender, count: number, lanes: number): Promise<void> {
  let left = count;
  const lane = async () => {
    while (left-- > 0) await sender.send(left);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function measure(sender: Sender, { inTurn, together, bulk }: PublishJob): Promise<PublishRates> {
  return {
    inTurn: await rate(inTurn, () => sendEach(sender, inTurn, 1)),
    together: await rate(together, () => sendEach(sender, together, 64)),
    bulk: await rate(bulk, () => sender.sendMany(bulk)),
  };
}

/** Messages of one call, and calls under way at once: so many that the service is never waited for. */
const SOAK_BULK = 2000;
const SOAK_LANES = 4;
const SAMPLES = 60;

/** Publishes as fast as it can; looks at its memory now and then, after a collection. */
async function soak(sender: Sender, { seconds }: SoakJob): Promise<SoakSample[]> {
  const start = performance.now();
  const passed = () => (performance.now() - start) / 1000;
  const samples: SoakSample[] = [];
  let messages = 0;
  const lane = async () => {
    while (passed() < seconds) {
      await sender.sendMany(SOAK_BULK);
      messages += SOAK_BULK;
      if (passed() < (samples.length * seconds) / SAMPLES) continue;
      globalThis.gc?.();
      const { heapUsed: heap, rss: resident } = process.memoryUsage();
      samples.push({ seconds: passed(), messages, heap, resident });
    }
  };
  await Promise.all(Array.from({ length: SOAK_LANES }, lane));
  return samples;
}

process.on("disconnect", () => process.exit());
const sender = process.argv[2] === "bare" ? bare() : ours();
process.on("message", async (job: PublishJob | SoakJob) => {
  process.send?.(await ("seconds" in job ? soak(sender, job) : measure(sender, job)));
});
