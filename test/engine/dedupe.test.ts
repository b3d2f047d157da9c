import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DedupeKeys } from "../../src/engine/dedupe.ts";

describe("dedupe keys", () => {
  it("hold from the moment they are taken until just before they expire", () => {
    const keys = new DedupeKeys<string>();
    keys.hold("order-1", "first", 1000);
    expect(keys.holder("order-1", 0)).toBe("first");
    expect(keys.holder("order-1", 999)).toBe("first");
    expect(keys.holder("order-1", 1000)).toBeUndefined();
  });

  it("do not let go of a later holder when an earlier one's time is over", () => {
    const keys = new DedupeKeys<string>();
    keys.hold("order-1", "first", 1000);
    keys.hold("order-1", "second", 2000);
    expect(keys.holder("order-1", 1500)).toBe("second");
    expect(keys.holder("order-1", 2000)).toBeUndefined();
  });

  it("give their memory back at the first look after they expired, whichever key is looked for", () => {
    const keys = new DedupeKeys<number>();
    for (let count = 0; count < 10_000; count++) keys.hold(`order-${count}`, count, 1000 + count);
    expect(keys.size).toBe(10_000);
    keys.holder("another", 5999);
    expect(keys.size).toBe(5000);
    keys.holder("another", 20_000);
    expect(keys.size).toBe(0);
  });

  it("agree with a plain list of holders", () => {
    const use = fc.record({
      key: fc.constantFrom("a", "b", "c"),
      wait: fc.nat(20),
      window: fc.integer({ min: 1, max: 30 }),
    });
    fc.assert(
      fc.property(fc.array(use, { maxLength: 100 }), (uses) => {
        const keys = new DedupeKeys<number>();
        const model = new Map<string, { value: number; expiry: number }>();
        let now = 0;
        for (const [value, { key, wait, window }] of uses.entries()) {
          now += wait;
          const held = model.get(key);
          const holder = held !== undefined && held.expiry > now ? held.value : undefined;
          expect(keys.holder(key, now)).toBe(holder);
          if (holder !== undefined) continue;
          keys.hold(key, value, now + window);
          model.set(key, { value, expiry: now + window });
        }
      }),
    );
  });
});
