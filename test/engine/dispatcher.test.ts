import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { local } from "../../src/backends/local.ts";
import type { DeadLetter } from "../../src/core/dead-letter.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineHost } from "../../src/engine/host.ts";
import { recordLog } from "../support/log.ts";
import { queueFile } from "../support/queue-file.ts";
import { busy, done, failed, hostOf, route, ScriptedEngine } from "./scripted.ts";

const DAY = 86_400;
const task = route("x.task", { minRetryDelay: 10, maxRetryDelay: 10, maxAttempts: 1 });
const other = route("x.other");
const abandoned = { type: "busy", reason: "draining" };

const published = (payloadJson: string) => ({
  id: "task-1",
  route: task,
  payloadJson,
  enqueuedAt: 0,
  runAt: undefined,
  dedupe: undefined,
  priority: undefined,
  carriedAttempts: 0,
});

describe("a delivery whose host throws instead of rejecting", () => {
  it("has failed: it is tried again, and parked in the end with what is left of its payload, which is not logged", async () => {
    const clock = new VirtualClock();
    const { logger, lines } = recordLog();
    let deliveries = 0;
    const host: EngineHost = {
      ...hostOf(task),
      logger,
      deliver: ({ task: { payloadJson } }) => {
        deliveries += 1;
        return Promise.resolve({ type: "done", result: JSON.parse(payloadJson) });
      },
    };
    const engine = new Engine(host, { clock });
    const receipt = await engine.publish(published("card 4111"));
    await clock.advance(DAY * 1000);
    expect([deliveries, engine.inFlight, engine.unfinished]).toEqual([5, 0, 0]);
    expect(await receipt.outcome?.()).toMatchObject({ type: "failed", error: { name: "SyntaxError" } });
    expect(await engine.deadLetters.list()).toMatchObject([
      {
        taskId: "task-1",
        reason: "undeliverable",
        kwargs: {},
        unreadable: "card 4111",
        error:
          'TasksError: payload of "x.task": expected a JSON object, got a damaged text; see the letter for what is left of it',
      },
    ]);
    expect(lines).toMatchObject([{ level: "error", fields: { taskId: "task-1" } }]);
    expect(JSON.stringify(lines)).not.toContain("4111");
  });
});

describe("a delay that is no moment", () => {
  it.each<[text: string, outcome: Outcome]>([
    ["busy for NaN s", busy(Number.NaN)],
    ["busy without end", busy(Number.POSITIVE_INFINITY)],
    ["failed, again in NaN s", failed(Number.NaN)],
    ["failed, again in more milliseconds than there are", failed(1e308)],
  ])("gives way to the back-off: %s", async (_, outcome) => {
    const run = new ScriptedEngine([task], ({ delivery }) => (delivery === 1 ? outcome : done));
    const receipt = run.publish(task);
    await run.pass(60);
    expect(run.times).toEqual([0, 10]);
    expect(await receipt.outcome?.()).toBe(done);
  });
});

describe("a message in flight while its host is detached", () => {
  it("tells whoever waits that there will be no end, and waits for the next host", async () => {
    const clock = new VirtualClock();
    const running = Promise.withResolvers<Outcome>();
    const old: EngineHost = { ...hostOf(task), deliver: () => running.promise };
    const engine = new Engine(old, { clock });
    engine.attach(hostOf(other));
    const receipt = await engine.publish(published("{}"));
    const told: Outcome[] = [];
    void receipt.outcome?.().then((outcome) => told.push(outcome));
    await clock.advance(0);
    expect(engine.detach(old)).toBe(false);
    running.resolve(failed());
    await clock.advance(0);
    expect(told).toMatchObject([abandoned]);
    expect(await receipt.outcome?.()).toMatchObject(abandoned);
    engine.attach({ ...hostOf(task), generation: 2 });
    await clock.advance(DAY * 1000);
    expect(await receipt.outcome?.()).toBe(done);
    expect(engine.unfinished).toBe(0);
  });
});

describe("what a file kept of a message", () => {
  const run = (): void => {};
  const noop = new TaskRoute({ path: "x.noop", maxAttempts: 1, run });

  /** The letter of a task whose row in the queue file was changed between two processes. */
  async function letterAfter(change: string): Promise<DeadLetter | undefined> {
    const file = queueFile();
    const clock = new VirtualClock();
    const { logger } = recordLog();
    const client = () => createTasks({ routes: [noop], backend: local({ file }), clock, logger, env: {} });
    const before = client();
    await before.enqueue(noop, {}, { delay: DAY });
    await before.close();
    const database = new DatabaseSync(file);
    database.exec(`UPDATE messages SET ${change}`);
    database.close();
    const after = client();
    await after.start();
    await clock.advance(2 * DAY * 1000);
    const [letter] = await after.deadLetters.list();
    await after.close();
    return letter;
  }

  it("is parked when its process died for the last time that is bearable, and says how often that was", async () => {
    const letter = await letterAfter("in_flight = 1, lost = 4");
    expect(letter).toMatchObject({ reason: "undeliverable", attempts: 0 });
    expect(letter?.error).toContain("got the end of the process 5 times while it ran");
  });

  it("is parked as it is when its payload cannot be read", async () => {
    expect(await letterAfter("payload = '{damaged'")).toMatchObject({ kwargs: {}, unreadable: "{damaged" });
  });
});
