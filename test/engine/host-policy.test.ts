import { describe, expect, it } from "vitest";
import type { OutgoingTask } from "../../src/core/backend.ts";
import type { AnyRoute } from "../../src/core/declaration.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineHost } from "../../src/engine/host.ts";
import type { LanePolicy } from "../../src/engine/lane-policy.ts";
import { Lanes } from "../../src/engine/lanes.ts";
import { Message } from "../../src/engine/message.ts";
import { Pump } from "../../src/engine/pump.ts";
import { done, failed, hostOf, route } from "./scripted.ts";

const DAY = 86_400;
const queue = route("x.queue");
const eager: LanePolicy = { backoff: () => 1, maxDeliveries: Number.POSITIVE_INFINITY };

/** An engine whose one host keeps to a policy, and what was delivered by it, in seconds. */
class PolicyScene {
  readonly clock = new VirtualClock();
  readonly times: number[] = [];
  readonly gaveUp: [seconds: number, outcome: Outcome][] = [];
  readonly engine: Engine;
  readonly host: EngineHost;
  readonly #begin = this.clock.now();

  constructor(policy: LanePolicy, answer: (message: Message) => Outcome | Promise<Outcome> = () => done) {
    this.host = {
      ...hostOf(queue),
      policy: () => policy,
      gaveUp: (_, outcome) => void this.gaveUp.push([this.seconds, outcome]),
      deliver: async (message) => {
        this.times.push(this.seconds);
        return answer(message);
      },
    };
    this.engine = new Engine(hostOf(), { clock: this.clock });
    this.engine.attach(this.host);
  }

  get seconds(): number {
    return (this.clock.now() - this.#begin) / 1000;
  }

  pass(seconds: number): Promise<void> {
    return this.clock.advance(seconds * 1000);
  }

  post(delay = 0, to: AnyRoute = queue): Message {
    return this.engine.post(taskOf(to, this.clock.now() + delay * 1000));
  }
}

function taskOf(to: AnyRoute, runAt: number): OutgoingTask {
  const task = { id: "task", route: to, payloadJson: "{}", enqueuedAt: 0, runAt };
  return { ...task, dedupe: undefined, priority: undefined, carriedAttempts: 0 };
}

describe("a policy of a host", () => {
  it("says how long to wait after each nack, and how many there may be", async () => {
    const scene = new PolicyScene({ backoff: (nacks) => nacks * 100, maxDeliveries: 4 }, () => failed());
    scene.post();
    await scene.pass(DAY);
    expect(scene.times).toEqual([0, 100, 300, 600]);
    expect(scene.gaveUp).toMatchObject([[600, { type: "failed" }]]);
  });

  it("may say itself when a message is spent", async () => {
    const isSpent = (_: Message, now: number) => now >= end;
    const scene = new PolicyScene({ backoff: () => 10, maxDeliveries: 2, isSpent }, () => failed());
    const end = scene.clock.now() + 35_000;
    scene.post();
    await scene.pass(DAY);
    expect(scene.times).toEqual([0, 10, 20, 30, 40]);
  });

  it("limits the rate and the burst, and lets a change of them count once it is told", async () => {
    const limits = { ...eager, ratePerSecond: 0.5, burst: 3 };
    const scene = new PolicyScene(limits);
    for (let n = 0; n < 8; n++) scene.post();
    await scene.pass(3);
    expect(scene.times).toEqual([0, 0, 0, 2]);
    limits.ratePerSecond = 10;
    scene.engine.resume(queue);
    await scene.pass(60);
    expect(scene.times).toHaveLength(8);
    expect(scene.times.at(-1)).toBeLessThan(4);
  });

  it("holds the lane with no delivery at once, until it is told that this has changed", async () => {
    const limits = { ...eager, maxConcurrent: 1 };
    const scene = new PolicyScene(limits);
    scene.post();
    limits.maxConcurrent = 0;
    for (const delay of [0, 5]) scene.post(delay);
    await scene.pass(60);
    expect(scene.times).toEqual([]);
    limits.maxConcurrent = 1;
    scene.engine.resume(queue);
    await scene.pass(0);
    expect(scene.times).toEqual([60, 60, 60]);
  });
});

describe("a message that is given up", () => {
  it("is its host's to deal with, and no dead letter", async () => {
    const scene = new PolicyScene({ ...eager, maxDeliveries: 1 }, () => failed());
    const message = scene.post();
    await scene.pass(0);
    expect(await message.outcome()).toMatchObject({ type: "failed" });
    expect(scene.gaveUp).toHaveLength(1);
    expect(await scene.engine.deadLetters.list()).toEqual([]);
    expect(scene.engine.unfinished).toBe(0);
  });
});

describe("a message that is withdrawn", () => {
  it.each([
    ["due", 0],
    ["delayed", 30 * DAY],
  ])("is never delivered: %s", async (_, delay) => {
    const scene = new PolicyScene(eager);
    const message = scene.post(delay);
    expect(scene.engine.withdraw(message)).toBe(true);
    await scene.pass(31 * DAY);
    expect(scene.times).toEqual([]);
    expect(await message.outcome()).toMatchObject({ type: "discarded" });
    expect([scene.engine.unfinished, scene.engine.withdraw(message)]).toEqual([0, false]);
  });

  it.each([
    ["success", done],
    ["failure", failed()],
  ])("is not delivered again when it was in flight, and gives its place back: %s", async (_, outcome) => {
    const running = Promise.withResolvers<Outcome>();
    const scene = new PolicyScene({ ...eager, maxConcurrent: 1 }, () =>
      scene.times.length === 1 ? running.promise : done,
    );
    const message = scene.post();
    scene.post();
    await scene.pass(1);
    expect(scene.engine.withdraw(message)).toBe(true);
    await scene.pass(1);
    expect(scene.times).toEqual([0]);
    running.resolve(outcome);
    await scene.pass(DAY);
    expect(scene.times).toEqual([0, 2]);
    expect([scene.engine.unfinished, scene.engine.inFlight, scene.gaveUp.length]).toEqual([0, 0, 0]);
  });

  it("takes no place under the rate limit from those behind it", async () => {
    const scene = new PolicyScene({ ...eager, ratePerSecond: 1, burst: 1 });
    const messages = Array.from({ length: 1000 }, () => scene.post());
    for (const message of messages.slice(0, -1)) scene.engine.withdraw(message);
    await scene.pass(0);
    expect(scene.times).toEqual([0]);
  });

  it("is not held when there are many of them, delayed or behind a lane that stands still", () => {
    const clock = new VirtualClock();
    const lanes = new Lanes(1);
    const pump = new Pump(clock, lanes, () => {});
    const lane = lanes.of(queue);
    for (let n = 1; n <= 10_000; n++) {
      const message = new Message(taskOf(queue, clock.now() + (n % 2) * DAY), lane, n, clock.now());
      pump.place(message);
      if (n === 1) continue;
      message.finish(done);
      pump.forget(message);
    }
    expect(pump.waiting().length).toBeLessThan(300);
    expect(pump.waiting().map(({ number }) => number)).toContain(1);
    pump.close();
  });
});

describe("a message that is expedited", () => {
  it("is delivered at once, whatever its moment and the limits, and retried as ever", async () => {
    const scene = new PolicyScene({ ...eager, maxConcurrent: 0, ratePerSecond: 0.001 }, () => failed());
    const [due, delayed] = [scene.post(), scene.post(DAY)];
    await scene.pass(10);
    expect(scene.times).toEqual([]);
    expect([scene.engine.expedite(delayed), scene.engine.expedite(due)]).toEqual([true, true]);
    await scene.pass(2 * DAY);
    expect(scene.times).toEqual([10, 10]);
    expect([due.due, delayed.due]).toEqual([due.publishTime + 11_000, due.publishTime + 11_000]);
    expect(scene.engine.expedite(due)).toBe(true);
  });

  it("is not when it is in flight or finished", async () => {
    const running = Promise.withResolvers<Outcome>();
    const scene = new PolicyScene(eager, () => running.promise);
    const message = scene.post();
    await scene.pass(0);
    expect(scene.engine.expedite(message)).toBe(false);
    running.resolve(done);
    await scene.pass(0);
    expect(scene.engine.expedite(message)).toBe(false);
    expect(scene.times).toEqual([0]);
  });
});

describe("a host that is retired", () => {
  it("leaves nothing behind: its messages are withdrawn, and a later one of the same path begins anew", async () => {
    const running = Promise.withResolvers<Outcome>();
    const scene = new PolicyScene({ ...eager, maxConcurrent: 1 }, () => running.promise);
    const [inFlight, waiting, delayed] = [scene.post(), scene.post(), scene.post(5)];
    await scene.pass(0);
    scene.engine.retire(scene.host);
    expect([inFlight, waiting, delayed].map(({ isFinished }) => isFinished)).toEqual([false, true, true]);
    const later: Message[] = [];
    const deliver = async (message: Message) => {
      later.push(message);
      return done;
    };
    scene.engine.attach({ ...hostOf(queue), deliver });
    const message = scene.post();
    await scene.pass(0);
    expect(later).toEqual([message]);
    expect(message.lane).not.toBe(inFlight.lane);
    expect(scene.engine.serves(scene.host)).toBe(false);
    running.resolve(done);
    await scene.pass(0);
    expect(scene.engine.inFlight).toBe(0);
  });
});
