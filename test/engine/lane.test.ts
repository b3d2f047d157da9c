import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cloudTasksDelay, pubsubDelay } from "../../src/core/backoff.ts";
import type { TaskContractOptions } from "../../src/core/route-options.ts";
import { Lane } from "../../src/engine/lane.ts";
import { route } from "./scripted.ts";

type Settings = Omit<TaskContractOptions<string, object, unknown>, "path" | "payload" | "schedulePayload">;

const nacks = Array.from({ length: 20 }, (_, index) => index + 1);

describe("the back-off of a lane", () => {
  it.each<[bounds: string, options: Settings]>([
    ["the defaults", {}],
    ["bounds of its own", { minRetryDelay: 1, maxRetryDelay: 4 }],
    ["no delay at all", { minRetryDelay: 0, maxRetryDelay: 0 }],
    ["via Pub/Sub", { via: "pubsub", minRetryDelay: 7, maxRetryDelay: 600 }],
  ])("is that of a Pub/Sub subscription: %s", (_, options) => {
    const lane = new Lane(route("x.task", options));
    const policy = { minimumBackoff: options.minRetryDelay ?? 10, maximumBackoff: options.maxRetryDelay ?? 600 };
    expect(nacks.map((nack) => lane.backoff(nack))).toEqual(nacks.map((nack) => pubsubDelay(policy, nack)));
  });

  it.each<[bounds: string, options: Settings, maxDoublings: number]>([
    ["the service's 16 doublings", { minRetryDelay: 1, maxRetryDelay: 3600 }, 16],
    ["doublings of its own", { minRetryDelay: 10, maxRetryDelay: 300, queue: { maxDoublings: 3 } }, 3],
    ["no doubling", { minRetryDelay: 10, maxRetryDelay: 300, queue: { maxDoublings: 0 } }, 0],
  ])("is that of a Cloud Tasks queue, via one: %s", (_, options, maxDoublings) => {
    const lane = new Lane(route("x.task", { ...options, via: "cloud-tasks" }));
    const { minRetryDelay: minBackoff = 10, maxRetryDelay: maxBackoff = 600 } = options;
    expect(nacks.map((nack) => lane.backoff(nack))).toEqual(
      nacks.map((nack) => cloudTasksDelay({ minBackoff, maxBackoff, maxDoublings }, nack)),
    );
  });
});

describe("the deliveries after which a lane gives a message up", () => {
  it.each<[maxAttempts: number, via: "pubsub" | "cloud-tasks" | undefined, deliveries: number]>([
    [1, undefined, 5],
    [3, undefined, 15],
    [10, "pubsub", 50],
    [20, undefined, 100],
    [100, undefined, 100],
    [1, "cloud-tasks", 6],
    [100, "cloud-tasks", 105],
  ])("leave room above %i attempts (%s): %i", (maxAttempts, via, deliveries) => {
    const lane = new Lane(route("x.task", { maxAttempts, ...(via === undefined ? {} : { via }) }));
    expect(lane.maxDeliveries).toBe(deliveries);
  });
});

describe("the rate limit of a lane", () => {
  const rate = fc.oneof(fc.integer({ min: 1, max: 500 }), fc.constantFrom(0.1, 0.5, 1.5, 2.7));
  const burstOf = (ratePerSecond: number) => Math.max(1, Math.floor(ratePerSecond / 5));

  it("lets through no more than burst and rate allow over any window, and never stops for good", () => {
    const asking = fc.array(fc.nat(2000), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(rate, asking, (ratePerSecond, waits) => {
        const lane = new Lane(route("x.task", { queue: { ratePerSecond } }));
        const taken: number[] = [];
        let now = Date.parse("2026-01-01T00:00:00Z");
        for (const wait of waits) {
          now += wait;
          for (let left = lane.takeToken(now); left > 0; left = lane.takeToken(now)) now += left;
          taken.push(now);
        }
        for (const [first, from] of taken.entries()) {
          for (const [further, until] of taken.slice(first).entries()) {
            const allowed = burstOf(ratePerSecond) + (ratePerSecond * (until - from)) / 1000;
            if (further + 1 > allowed + 1e-6) expect.unreachable(`${further + 1} within ${until - from} ms`);
          }
        }
      }),
    );
  });

  it("uses the rate up, to the whole milliseconds of its timers, where something waits all the time", () => {
    fc.assert(
      fc.property(rate, (ratePerSecond) => {
        const lane = new Lane(route("x.task", { queue: { ratePerSecond } }));
        const count = burstOf(ratePerSecond) + 50;
        let now = 0;
        for (let taken = 0; taken < count; taken++) {
          for (let left = lane.takeToken(now); left > 0; left = lane.takeToken(now)) now += left;
        }
        expect(now).toBeLessThanOrEqual(50 * (1000 / ratePerSecond + 1));
      }),
    );
  });

  it("does not stand still after the clock was set back", () => {
    const lane = new Lane(route("x.task", { queue: { ratePerSecond: 1 } }));
    const now = Date.parse("2026-01-01T12:00:00Z");
    expect(lane.takeToken(now)).toBe(0);
    expect(lane.takeToken(now - 3_600_000)).toBe(1000);
    expect(lane.takeToken(now - 3_600_000 + 1000)).toBe(0);
  });

  it("is none where the route sets none", () => {
    const lane = new Lane(route("x.task"));
    expect(Array.from({ length: 1000 }, () => lane.takeToken(0)).every((wait) => wait === 0)).toBe(true);
  });
});
