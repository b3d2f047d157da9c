import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pageOf } from "../../src/emulator/paging.ts";

function allPages(read: () => readonly string[], pageSize: number, between: () => void = () => {}): string[] {
  const seen: string[] = [];
  for (let pageToken = ""; ; ) {
    const { items, nextPageToken } = pageOf(read(), (item) => item, { pageSize, pageToken });
    expect(items.length).toBeLessThanOrEqual(pageSize);
    seen.push(...items);
    expect(seen.length, "pages without end").toBeLessThan(200);
    if (nextPageToken === "") return seen;
    pageToken = nextPageToken;
    between();
  }
}

const names = fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 40 });
const inOrder = (list: readonly string[]) => list.toSorted((a, b) => (a < b ? -1 : 1));

describe("pages", () => {
  it("hold every item once, in order", () => {
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 10 }), (list, size) => {
        expect(allPages(() => list, size)).toEqual(inOrder(list));
      }),
    );
  });

  it("neither repeat nor hide what was there all the time, whatever comes and goes meanwhile", () => {
    fc.assert(
      fc.property(names, names, fc.integer({ min: 1, max: 5 }), (staying, passing, size) => {
        const others = passing.filter((name) => !staying.includes(name));
        let isThere = true;
        const read = () => (isThere ? [...others, ...staying] : staying);
        const seen = allPages(read, size, () => {
          isThere = !isThere;
        });
        expect(seen.filter((name) => staying.includes(name))).toEqual(inOrder(staying));
        expect(new Set(seen).size).toBe(seen.length);
      }),
    );
  });

  it("are of 100 unless asked for otherwise, and never of more than 1000", () => {
    const many = Array.from({ length: 1500 }, (_, index) => String(index).padStart(4, "0"));
    const size = (pageSize?: number) =>
      pageOf(many, (item) => item, pageSize === undefined ? {} : { pageSize }).items.length;
    expect([size(), size(0), size(7), size(5000)]).toEqual([100, 100, 7, 1000]);
  });

  it("refuse a token that is none, and a negative size", () => {
    expect(() => pageOf([], String, { pageToken: "none" })).toThrow("You have passed an invalid page token");
    expect(() => pageOf([], String, { pageSize: -1 })).toThrow("The page size must be greater than or equal to 0.");
  });
});
