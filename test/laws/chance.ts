import fc from "fast-check";
import type { FaultOptions } from "../../src/core/fault-options.ts";
import type { Doom } from "./life.ts";

/** How many runs of each property are made for one by default: `LAWS_FACTOR=20` digs for what is rare. */
const FACTOR = Number(process.env.LAWS_FACTOR ?? 1);

/** How often a property is tried. */
export function runs(count: number): { readonly numRuns: number } {
  return { numRuns: count * FACTOR };
}

/** Deaths of some processes in a row, often at once and in the middle of something. */
export const dooms: fc.Arbitrary<Doom[]> = fc.array(
  fc.record({
    moments: fc.oneof(fc.nat(3), fc.nat(40)),
    turns: fc.nat(5),
    downtime: fc.constantFrom(0, 0, 0.001, 1, 7, 60),
  }),
  { maxLength: 4 },
);

const rate = fc.constantFrom(0, 0, 0.1, 0.5, 1);

/** Faults of every kind. */
export const faults: fc.Arbitrary<FaultOptions> = fc.record({
  duplicateRate: rate,
  failureRate: rate,
  dropRate: rate,
  reorderRate: rate,
  latencySeconds: fc.constantFrom(0, 0, 0.5, 3),
  latencyJitter: fc.constantFrom(0, 1),
  seed: fc.nat(),
});
