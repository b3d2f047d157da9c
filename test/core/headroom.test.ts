import { describe, expect, it } from "vitest";
import type { Transport } from "../../src/core/delivery.ts";
import { holdsTasksOf, isLate, isLateAtAnyRoute, isSpent, mayBeLate, queueAttempts } from "../../src/core/headroom.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { QueueOptions } from "../../src/core/route-options.ts";
import { arrivingBy } from "../support/arriving.ts";

const naming = { environment: "prod", namespace: "shop" };

function routeOf(maxAttempts: number, path = "x.task", queue: QueueOptions = {}): TaskRoute<string> {
  return new TaskRoute({ path, maxAttempts, queue, run: () => {} });
}

const dispatch = (count: number, queue?: string) => ({ count, queue, priority: undefined });

describe("the headroom of a queue", () => {
  const table: readonly [maxAttempts: number, queueAttempts: number, lateFrom: number][] = [
    [1, 6, 5],
    [3, 8, 7],
    [10, 15, 14],
    [95, 100, 99],
    // A queue that is not ours may have no more than the service's default.
    [96, 101, 99],
    [100, 105, 99],
  ];

  it.each(table)("of a route of %i attempts is %i dispatches, of which those from %i on are late", (max, all, late) => {
    const route = routeOf(max);
    expect(queueAttempts(route)).toBe(all);
    expect([late - 1, late, all].map((count) => isLate({ dispatch: dispatch(count) }, route))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("keeps a dispatch back for the case that the first of the late ones is cut short, at every limit", () => {
    for (let max = 1; max <= 100; max++) {
      const counts = Array.from({ length: 120 }, (_, index) => index + 1);
      const late = counts.filter((count) => isLate({ dispatch: dispatch(count) }, routeOf(max)));
      expect(late[0]).toBe(Math.min(100, queueAttempts(routeOf(max))) - 1);
      expect(late[0]).toBeGreaterThan(max - 2);
      expect(late.every((count) => mayBeLate(dispatch(count)))).toBe(true);
    }
  });

  it("is nothing that any other transport has", () => {
    expect(isLate({ dispatch: undefined }, routeOf(1))).toBe(false);
  });
});

describe("a message that names no route of ours", () => {
  const routes = [
    routeOf(3, "x.a"),
    routeOf(10, "x.b", { name: "shared", priorities: { high: {} } }),
    routeOf(1, "x.c"),
  ];
  const table: readonly [what: string, queue: string | undefined, lateFrom: number][] = [
    ["in a route's own queue", "prod--shop--x-a", 7],
    ["in a queue that a route names", "shared", 14],
    ["in the queue of a priority", "shared-high", 14],
    ["in a queue that we know nothing of", "theirs", 99],
    ["in a queue that does not say its name", undefined, 99],
  ];

  it.each(table)("%s is late when that queue may delete it", (_what, queue, late) => {
    const isLateAt = (count: number) => isLateAtAnyRoute(dispatch(count, queue), routes, () => naming);
    expect([isLateAt(late - 1), isLateAt(late), isLateAt(late + 50)]).toEqual([false, true, true]);
  });

  it("is late at the lowest limit of the routes that share its queue", () => {
    const sharing = [routeOf(10, "x.a", { name: "shared" }), routeOf(3, "x.b", { name: "shared" })];
    const isLateAt = (count: number) => isLateAtAnyRoute(dispatch(count, "shared"), sharing, () => naming);
    expect([isLateAt(6), isLateAt(7)]).toEqual([false, true]);
  });

  it("is told from its queue's id, whatever project that is in", () => {
    const route = routeOf(1, "x.a", { name: "projects/p/locations/l/queues/theirs" });
    expect(holdsTasksOf(dispatch(1, "theirs"), route, naming)).toBe(true);
    expect(holdsTasksOf(dispatch(1, "their"), route, naming)).toBe(false);
  });
});

describe("a delivery whose attempts are used up", () => {
  const table: readonly [transport: Transport, attempt: number, spent: boolean][] = [
    ["cloud-tasks", 2, false],
    ["cloud-tasks", 3, false],
    ["cloud-tasks", 4, true],
    ["pubsub", 4, false],
    ["local", 4, false],
    ["scheduler", 4, false],
  ];

  it.each(table)("by %s, attempt %i of 3: %s", (transport, attempt, spent) => {
    expect(isSpent(arrivingBy(transport, { taskName: "task", attempt }), routeOf(3))).toBe(spent);
  });
});
