import { describe, expect, it } from "vitest";
import { Message } from "../../src/engine/message.ts";
import { busy, done, failed, laneOf, route } from "./scripted.ts";

function message(carriedAttempts = 0): Message {
  const task = {
    id: "task-1",
    route: route("x.task"),
    payloadJson: "{}",
    enqueuedAt: 0,
    runAt: undefined,
    dedupe: undefined,
    priority: undefined,
    carriedAttempts,
  };
  return new Message(task, laneOf(task.route), 1, 0);
}

describe("the numbers of a message", () => {
  it.each([
    { carried: 0, failures: 0, rejections: 0, sentBack: 0, attempt: 1, delivery: 1 },
    { carried: 0, failures: 2, rejections: 0, sentBack: 0, attempt: 3, delivery: 3 },
    { carried: 0, failures: 0, rejections: 0, sentBack: 4, attempt: 1, delivery: 5 },
    { carried: 0, failures: 0, rejections: 4, sentBack: 0, attempt: 1, delivery: 5 },
    { carried: 0, failures: 1, rejections: 2, sentBack: 3, attempt: 2, delivery: 7 },
    { carried: 3, failures: 0, rejections: 0, sentBack: 0, attempt: 4, delivery: 1 },
    { carried: 3, failures: 2, rejections: 1, sentBack: 1, attempt: 6, delivery: 5 },
  ])(
    "attempt $attempt, delivery $delivery after $failures failures, $rejections rejections, $sentBack sent back, $carried carried",
    ({ carried, failures, rejections, sentBack, attempt, delivery }) => {
      const counted = message(carried);
      counted.failures += failures;
      counted.rejections += rejections;
      counted.sentBack += sentBack;
      expect([counted.attempt, counted.delivery]).toEqual([attempt, delivery]);
    },
  );
});

describe("the outcome of a message", () => {
  it("reaches whoever asked before the end and whoever asks after it", async () => {
    const asked = message();
    const before = [asked.outcome(), asked.outcome()];
    asked.finish(done);
    expect(await Promise.all([...before, asked.outcome()])).toEqual([done, done, done]);
  });

  it("is waited for again, by whoever asks after it was abandoned and reclaimed", async () => {
    const asked = message();
    const before = asked.outcome();
    asked.abandon(busy(0));
    expect([await before, await asked.outcome()]).toEqual([busy(0), busy(0)]);
    asked.reclaim();
    const after = asked.outcome();
    asked.finish(done);
    expect(await after).toBe(done);
  });

  it("is that of the end, whatever it was", async () => {
    const asked = message();
    const outcome = failed();
    asked.finish(outcome);
    expect(await asked.outcome()).toBe(outcome);
  });
});
