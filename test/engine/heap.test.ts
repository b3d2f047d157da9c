import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Heap } from "../../src/engine/heap.ts";

/** Few keys, so that equal ones are common. */
const keys = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 200 });

function drain<T>(heap: Heap<T>): T[] {
  const items: T[] = [];
  while (heap.size > 0) items.push(heap.pop() as T);
  return items;
}

function filled(of: readonly number[]): Heap<string> {
  const heap = new Heap<string>();
  for (const [place, key] of of.entries()) heap.push(key, `${key}/${place}`);
  return heap;
}

/** The same elements by their keys, and by arrival where keys are equal. */
function inOrder(of: readonly number[]): string[] {
  return of
    .map((key, place) => ({ key, place }))
    .sort((a, b) => a.key - b.key || a.place - b.place)
    .map(({ key, place }) => `${key}/${place}`);
}

describe("a heap", () => {
  it("gives the smallest key first, and equal keys in order of arrival", () => {
    fc.assert(
      fc.property(keys, (of) => {
        expect(drain(filled(of))).toEqual(inOrder(of));
      }),
    );
  });

  it("keeps that order when elements are added between takings", () => {
    const command = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant("take" as const));
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const heap = new Heap<number>();
        const model: { key: number; place: number }[] = [];
        for (const [place, key] of commands.entries()) {
          if (key === "take") {
            model.sort((a, b) => a.key - b.key || a.place - b.place);
            expect(heap.peekKey).toBe(model[0]?.key);
            expect(heap.pop()).toBe(model.shift()?.place);
          } else {
            heap.push(key, place);
            model.push({ key, place });
          }
          expect(heap.size).toBe(model.length);
        }
      }),
    );
  });

  it("retains what satisfies a condition, still in order", () => {
    fc.assert(
      fc.property(keys, (of) => {
        const even = (item: string) => Number(item[0]) % 2 === 0;
        const heap = filled(of);
        expect(heap.count(even)).toBe(inOrder(of).filter(even).length);
        heap.retain(even);
        expect(drain(heap)).toEqual(inOrder(of).filter(even));
      }),
    );
  });

  it("has nothing to give when it is empty", () => {
    const heap = new Heap<string>();
    expect(heap.peekKey).toBeUndefined();
    expect(heap.pop()).toBeUndefined();
    expect(heap.size).toBe(0);
  });
});
