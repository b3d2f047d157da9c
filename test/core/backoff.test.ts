import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cloudTasksDelay, pubsubDelay } from "../../src/core/backoff.ts";
import { isTasksError } from "../../src/core/errors.ts";

const seconds = fc.double({ min: 0, max: 3600, noNaN: true });
const bounds = fc.tuple(seconds, seconds).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }));
const count = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 1_000_000 }));

const thrown = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

describe("cloudTasksDelay", () => {
  it.each([
    { minBackoff: 10, maxBackoff: 300, maxDoublings: 3, delays: [10, 20, 40, 80, 160, 240, 300, 300] },
    { minBackoff: 10, maxBackoff: 300, maxDoublings: 0, delays: [10, 20, 30, 40, 50] },
    { minBackoff: 1, maxBackoff: 60, maxDoublings: 16, delays: [1, 2, 4, 8, 16, 32, 60, 60] },
    { minBackoff: 0.1, maxBackoff: 3600, maxDoublings: 16, delays: [0.1, 0.2, 0.4, 0.8] },
    { minBackoff: 300, maxBackoff: 300, maxDoublings: 5, delays: [300, 300, 300] },
    { minBackoff: 0, maxBackoff: 600, maxDoublings: 16, delays: [0, 0, 0] },
  ])("$minBackoff to $maxBackoff s with $maxDoublings doublings: $delays", ({ delays, ...settings }) => {
    expect(delays.map((_, index) => cloudTasksDelay(settings, index + 1))).toEqual(delays);
  });

  it("stays within its bounds and never shrinks", () => {
    fc.assert(
      fc.property(bounds, fc.integer({ min: 0, max: 2000 }), count, ({ min, max }, maxDoublings, retry) => {
        const settings = { minBackoff: min, maxBackoff: max, maxDoublings };
        const delay = cloudTasksDelay(settings, retry);
        expect(delay).toBeGreaterThanOrEqual(min);
        expect(delay).toBeLessThanOrEqual(max);
        expect(cloudTasksDelay(settings, retry + 1)).toBeGreaterThanOrEqual(delay);
      }),
    );
  });
});

describe("pubsubDelay", () => {
  it.each([
    { minimumBackoff: 10, maximumBackoff: 600, delays: [10, 20, 40, 80, 160, 320, 600, 600] },
    { minimumBackoff: 1, maximumBackoff: 4, delays: [1, 2, 4, 4] },
    { minimumBackoff: 0, maximumBackoff: 600, delays: [0, 0, 0] },
  ])("doubles from $minimumBackoff to $maximumBackoff s: $delays", ({ delays, ...policy }) => {
    expect(delays.map((_, index) => pubsubDelay(policy, index + 1))).toEqual(delays);
  });

  it("does not overflow after ten thousand failures", () => {
    expect(pubsubDelay({ minimumBackoff: 10, maximumBackoff: 600 }, 10_000)).toBe(600);
    expect(pubsubDelay({ minimumBackoff: 0, maximumBackoff: 600 }, 10_000)).toBe(0);
  });

  it("stays within its bounds and never shrinks", () => {
    fc.assert(
      fc.property(bounds, count, ({ min, max }, failure) => {
        const policy = { minimumBackoff: min, maximumBackoff: max };
        const delay = pubsubDelay(policy, failure);
        expect(delay).toBeGreaterThanOrEqual(min);
        expect(delay).toBeLessThanOrEqual(max);
        expect(pubsubDelay(policy, failure + 1)).toBeGreaterThanOrEqual(delay);
      }),
    );
  });

  it("stays within its bounds with jitter", () => {
    fc.assert(
      fc.property(bounds, count, fc.double({ min: 0, max: 1, noNaN: true }), ({ min, max }, failure, drawn) => {
        const delay = pubsubDelay({ minimumBackoff: min, maximumBackoff: max }, failure, () => drawn);
        expect(delay).toBeGreaterThanOrEqual(min);
        expect(delay).toBeLessThanOrEqual(max);
      }),
    );
  });

  it("spreads jitter over half the delay to either side", () => {
    const policy = { minimumBackoff: 10, maximumBackoff: 600 };
    expect([0, 0.5, 1].map((drawn) => pubsubDelay(policy, 3, () => drawn))).toEqual([20, 40, 60]);
  });
});

describe("a count that is no count", () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("%d is refused", (n) => {
    const tasks = thrown(() => cloudTasksDelay({ minBackoff: 1, maxBackoff: 2, maxDoublings: 3 }, n));
    const pubsub = thrown(() => pubsubDelay({ minimumBackoff: 1, maximumBackoff: 2 }, n));
    expect(isTasksError(tasks, "INVALID_OPTION")).toBe(true);
    expect(isTasksError(pubsub, "INVALID_OPTION")).toBe(true);
  });
});
