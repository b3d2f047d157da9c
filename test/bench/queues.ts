import { createTasks, local, silentLogger, TaskRoute } from "taskroute";
import { createPushHandler } from "taskroute/push";
import { z } from "zod";
import { systemClock } from "../../src/core/clock.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { PushMessage } from "./push-message.ts";
import { createService } from "./service.ts";

/** Something that tasks go through, from being enqueued to their end. */
export interface Queue {
  /** Enqueues that many at once; resolves when the last of them has finished. */
  run(count: number): Promise<void>;
}

/** Counts tasks down to the end of a batch. */
class Batch {
  #left = 0;
  #end: () => void = () => {};

  begin(count: number): Promise<void> {
    this.#left = count;
    return new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  finish(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#end();
  }
}

/** A client with the local engine: `enqueue` to the end of a task with a payload checked by zod, twice, as always. */
export function clientQueue({ failing = false }: { readonly failing?: boolean } = {}): Queue {
  const batch = new Batch();
  const route = new TaskRoute({
    path: "bench.count",
    payload: z.object({ index: z.number(), failures: z.number() }),
    minRetryDelay: 0,
    maxRetryDelay: 0,
    run: async ({ failures }, { attempt }) => {
      if (attempt <= failures) throw new Error("fails as asked");
      batch.finish();
    },
  });
  const tasks = createTasks({ routes: [route], backend: local(), env: {}, logger: silentLogger });
  return {
    run(count) {
      const end = batch.begin(count);
      for (let index = 0; index < count; index++) {
        void tasks.enqueue(route, { index, failures: failing && index % 10 === 0 ? 1 : 0 });
      }
      return end;
    },
  };
}

/** The engine by itself: nothing is validated, looked up or run. */
export function engineQueue(): Queue {
  const batch = new Batch();
  const route = new TaskRoute({ path: "bench.count", run: () => {} });
  const done = Promise.resolve({ type: "done", result: undefined } as const);
  const deliver = () => {
    batch.finish();
    return done;
  };
  const engine = new Engine(
    { generation: 1, routes: [route], logger: silentLogger, deliver, skipped: () => {} },
    { clock: systemClock },
  );
  const settings = { runAt: undefined, dedupe: undefined, priority: undefined, carriedAttempts: 0 };
  return {
    run(count) {
      const end = batch.begin(count);
      for (let index = 0; index < count; index++) {
        void engine.publish({ ...settings, id: String(index), route, payloadJson: '{"index":1}', enqueuedAt: 0 });
      }
      return end;
    },
  };
}

/** The push handler without a server, 100 requests under way at once. */
export function pushQueue({ headers, body, credentials }: PushMessage): Queue {
  const handler = createPushHandler(createService(credentials));
  const bytes = Buffer.from(body);
  const request = { method: "POST", header: (name: string) => headers[name], body: () => bytes };
  const lane = async (count: number) => {
    for (let index = 0; index < count; index++) {
      const { status } = await handler.handle(request);
      if (status !== 200) throw new Error(`push: expected 200, got ${status}`);
    }
  };
  return {
    async run(count) {
      await Promise.all(Array.from({ length: 100 }, () => lane(count / 100)));
    },
  };
}
