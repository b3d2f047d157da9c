import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnyRoute } from "../../src/core/declaration.ts";
import { Lanes } from "../../src/engine/lanes.ts";
import { Message } from "../../src/engine/message.ts";
import { hostOf, route } from "./scripted.ts";

/** Puts messages of a route in line. */
function offer(lanes: Lanes, to: AnyRoute, count: number): void {
  const lane = lanes.of(to);
  lane.host = hostOf(to);
  const task = { id: "task", route: to, payloadJson: "{}", enqueuedAt: 0, runAt: undefined, dedupe: undefined };
  for (let n = 0; n < count; n++) {
    lane.ready.push(new Message({ ...task, priority: undefined, carriedAttempts: 0 }, lane, 1, 0));
  }
  lanes.enlist(lane);
}

/** Starts whatever has its turn, and tells whose it was. */
function startAll(lanes: Lanes): string[] {
  const started: string[] = [];
  for (let lane = lanes.next(); lane !== undefined; lane = lanes.next()) {
    lane.ready.shift();
    lanes.enter(lane);
    lanes.enlist(lane);
    started.push(lane.route.path);
  }
  return started;
}

const a = route("x.a");
const b = route("x.b");
const c = route("x.c");

describe("the lanes of an engine", () => {
  it("take turns", () => {
    const lanes = new Lanes(7);
    for (const to of [a, b, c]) offer(lanes, to, 10);
    expect(startAll(lanes)).toEqual(["x.a", "x.b", "x.c", "x.a", "x.b", "x.c", "x.a"]);
  });

  it("let one that holds no place go first", () => {
    const lanes = new Lanes(4);
    for (const to of [a, b]) offer(lanes, to, 10);
    expect(startAll(lanes)).toEqual(["x.a", "x.b", "x.a", "x.b"]);
    offer(lanes, c, 10);
    expect(lanes.hasNext).toBe(false);
    lanes.leave(lanes.of(a));
    lanes.enlist(lanes.of(a));
    expect(startAll(lanes)).toEqual(["x.c"]);
  });

  it("leave a single route all places", () => {
    const lanes = new Lanes(100);
    offer(lanes, a, 1000);
    expect(startAll(lanes)).toHaveLength(100);
    expect(lanes.taken).toBe(100);
  });

  it("keep at least three quarters for those that hold places, however many routes there are", () => {
    const lanes = new Lanes(100);
    for (let count = 0; count < 500; count++) lanes.of(route(`quiet.task-${count}`));
    offer(lanes, a, 1000);
    expect(startAll(lanes)).toHaveLength(75);
  });

  it("let another one in beside a flood that never ends, as long as a quarter of the places suffices", () => {
    const flood = fc.record({
      places: fc.integer({ min: 4, max: 100 }),
      floods: fc.integer({ min: 1, max: 10 }),
      others: fc.integer({ min: 1, max: 25 }),
    });
    fc.assert(
      fc.property(flood, ({ places, floods, others }) => {
        fc.pre(others <= places / 4 && floods + others <= places);
        const lanes = new Lanes(places);
        const quiet = Array.from({ length: others }, (_, n) => route(`quiet.task-${n}`));
        for (const to of quiet) lanes.of(to);
        for (let n = 0; n < floods; n++) offer(lanes, route(`flood.flood-${n}`), 1000);
        startAll(lanes);
        for (const to of quiet) {
          offer(lanes, to, 1);
          expect(startAll(lanes)).toEqual([to.path]);
        }
        expect(lanes.taken).toBeLessThanOrEqual(places);
      }),
    );
  });

  it("give every place back", () => {
    const lanes = new Lanes(10);
    offer(lanes, a, 10);
    offer(lanes, b, 10);
    for (const path of startAll(lanes)) lanes.leave(lanes.of(path === "x.a" ? a : b));
    expect([lanes.taken, lanes.of(a).inFlight, lanes.of(b).inFlight]).toEqual([0, 0, 0]);
    for (const to of [a, b]) lanes.enlist(lanes.of(to));
    expect(startAll(lanes)).toHaveLength(10);
  });

  it("keep a lane out of line while its own limits hold it", () => {
    const lanes = new Lanes(10);
    const single = route("x.single", { maxConcurrency: 1 });
    offer(lanes, single, 2);
    expect(startAll(lanes)).toEqual(["x.single"]);
    expect(lanes.hasNext).toBe(false);
    lanes.leave(lanes.of(single));
    lanes.enlist(lanes.of(single));
    expect(startAll(lanes)).toEqual(["x.single"]);
  });

  it("know the routes that they were made for", () => {
    const lanes = new Lanes(1);
    expect(lanes.route("x.a")).toBeUndefined();
    expect(lanes.of(a)).toBe(lanes.of(a));
    expect(lanes.route("x.a")).toBe(a);
    expect([...lanes.all()]).toEqual([lanes.of(a)]);
  });
});
