import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { createTasks, local, silentLogger, TaskRoute } from "taskroute";
import { z } from "zod";
import { CONCURRENCY, Countdown, payloads, type Rival } from "./rival.ts";

/** On the disk that the sources are on: a temporary folder may be in memory, where nothing waits for a disk. */
const FOLDER = join(import.meta.dirname, "../../../.cache");

const DAY = 86_400;
const ASLEEP_AT_ONCE = 10_000;

/** Makes an empty folder for files of the local backend. */
export function makeFolder(): string {
  mkdirSync(FOLDER, { recursive: true });
  return mkdtempSync(join(FOLDER, "bench-"));
}

/**
 * The local engine with a payload checked by zod, twice, as always. Its workers cannot be stopped: what is enqueued
 * without asking for them is delivered all the same, and costs the enqueuing.
 *
 * @param synchronous as the option of `local`; `undefined` keeps the queue in memory.
 * @param asleep tasks that wait in the queue all the time, for a moment that does not come.
 */
export async function createTaskroute(synchronous: "normal" | "full" | undefined, asleep: number): Promise<Rival> {
  const folder = synchronous === undefined ? undefined : makeFolder();
  const file = folder === undefined ? {} : { file: join(folder, "local.db"), synchronous: synchronous ?? "normal" };
  const count = new Countdown();
  let waiting = 0;
  const route = new TaskRoute({ path: "bench.count", payload: z.object({ index: z.number() }), run: () => {} });
  const tasks = createTasks({
    routes: [route],
    backend: local({ maxInFlight: CONCURRENCY, ...file }),
    hooks: {
      finished() {
        waiting -= 1;
        count.tick();
      },
    },
    env: {},
    logger: silentLogger,
  });
  for (let left = asleep; left > 0; left -= ASLEEP_AT_ONCE) {
    const items = payloads(Math.min(left, ASLEEP_AT_ONCE)).map((payload) => ({ payload, delay: DAY + payload.index }));
    await tasks.enqueueMany(route, items);
  }
  return {
    async enqueueMany(size) {
      waiting += size;
      await tasks.enqueueMany(
        route,
        payloads(size).map((payload) => ({ payload })),
      );
    },
    async enqueue() {
      waiting += 1;
      await tasks.enqueue(route, { index: 0 });
    },
    work: async () => {},
    async finished(size) {
      await count.from(size);
      // What finished in this turn of the event loop is committed at its end.
      await setImmediate();
      await setImmediate();
    },
    async rest() {
      while (waiting > 0) await setImmediate();
      await setImmediate();
    },
    async close() {
      await tasks.close();
      if (folder !== undefined) rmSync(folder, { recursive: true });
    },
  };
}
