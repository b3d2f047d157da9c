import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fifo } from "../../src/core/fifo.ts";

describe("a fifo", () => {
  it("gives back what was put in, in order, whatever its length", () => {
    // Runs of thousands, so that the list is moved up on the way.
    const run = fc.record({ put: fc.nat(3000), take: fc.nat(3000) });
    fc.assert(
      fc.property(fc.array(run, { maxLength: 8 }), (runs) => {
        const fifo = new Fifo<number>();
        let put = 0;
        let taken = 0;
        for (const step of runs) {
          for (let count = 0; count < step.put; count++) fifo.push(put++);
          for (let count = 0; count < step.take; count++) {
            const expected = taken < put ? taken++ : undefined;
            if (fifo.shift() !== expected) expect.unreachable(`expected ${expected} next`);
          }
          expect(fifo.size).toBe(put - taken);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("holds what is undefined as any other item", () => {
    const fifo = new Fifo<number | undefined>();
    fifo.push(undefined);
    fifo.push(1);
    expect(fifo.size).toBe(2);
    expect([fifo.shift(), fifo.shift()]).toEqual([undefined, 1]);
    expect(fifo.size).toBe(0);
  });
});
