import { describe, expect, it } from "vitest";
import { Calls, Ended } from "../../src/provision/calls.ts";
import { RateLimit } from "../../src/provision/rate-limit.ts";
import { grpcError } from "./fake-cloud.ts";
import { HastyClock } from "./hasty-clock.ts";

describe("a rate limit", () => {
  it("lets a minute's calls go at once, and never more than that in any minute", async () => {
    const clock = new HastyClock();
    const calls = new Calls({ clock, callsPerMinute: 10 });
    const began: number[] = [];
    const start = clock.now();
    const call = async () => void began.push(clock.now() - start);
    await Promise.all(Array.from({ length: 25 }, () => calls.run("pubsub", call)));
    expect(began).toEqual([...Array(10).fill(0), ...Array(10).fill(60_000), ...Array(5).fill(120_000)]);
  });

  it("counts calls until they are a minute old", () => {
    const clock = { at: 0, now: () => clock.at, setTimeout: () => 0, clearTimeout: () => undefined };
    const limit = new RateLimit(2, clock);
    expect([limit.take(), limit.take(), limit.take()]).toEqual([0, 0, 60_000]);
    clock.at = 59_999;
    expect(limit.take()).toBe(1);
    clock.at = 200_000;
    expect(limit.take()).toBe(0);
  });

  it("is one for each service", async () => {
    const clock = new HastyClock();
    const calls = new Calls({ clock, callsPerMinute: 1 });
    const start = clock.now();
    await calls.run("pubsub", async () => undefined);
    await calls.run("tasks", async () => undefined);
    await calls.run("scheduler", async () => undefined);
    expect(clock.now()).toBe(start);
  });
});

describe("calls", () => {
  it("are so many at once, and no more", async () => {
    const calls = new Calls({ clock: new HastyClock(), concurrency: 3 });
    let under = 0;
    let most = 0;
    const call = async () => {
      most = Math.max(most, ++under);
      await new Promise((resolve) => setImmediate(resolve));
      under--;
    };
    await Promise.all(Array.from({ length: 20 }, () => calls.run("pubsub", call)));
    expect(most).toBe(3);
  });

  it.each<[code: Parameters<typeof grpcError>[0], waits: readonly number[]]>([
    ["ABORTED", [250, 500, 1000, 2000, 4000]],
    ["UNAVAILABLE", [250, 500, 1000, 2000, 4000]],
    ["RESOURCE_EXHAUSTED", [2000, 4000, 8000, 16_000, 32_000]],
    ["PERMISSION_DENIED", []],
    ["NOT_FOUND", []],
    ["ALREADY_EXISTS", []],
    ["INVALID_ARGUMENT", []],
    ["FAILED_PRECONDITION", []],
  ])("that fail with %s are tried again after %j ms, of which half is left to chance", async (code, waits) => {
    for (const [chance, share] of [
      [0, 0.5],
      [1, 1],
    ] as const) {
      const clock = new HastyClock();
      const calls = new Calls({ clock, random: () => chance });
      const error = grpcError(code, "no");
      await expect(calls.run("pubsub", () => Promise.reject(error))).rejects.toBe(error);
      expect(clock.waits).toEqual(waits.map((ms) => ms * share));
    }
  });

  it("end with their signal, whether they wait for their turn, for a slot or for another try", async () => {
    const ending = new AbortController();
    const calls = new Calls({ clock: new HastyClock(), concurrency: 1, callsPerMinute: 3, signal: ending.signal });
    const begun = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const holding = calls.run("pubsub", () => {
      begun.resolve();
      return held.promise;
    });
    await begun.promise;
    const others = [1, 2, 3, 4].map(() => calls.run("pubsub", async () => expect.unreachable("it was ended")));
    const ended = Promise.allSettled(others);
    ending.abort();
    held.resolve();
    await holding;
    for (const result of await ended) expect(result).toMatchObject({ status: "rejected", reason: expect.any(Ended) });
  });
});
