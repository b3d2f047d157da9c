import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OutgoingTask } from "../../src/core/backend.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { dedupedRunId, taskNameOf } from "../../src/google/task-name.ts";

const naming = { environment: "prod", namespace: "shop" };
const NOW = Date.parse("2026-03-01T12:34:56Z");

function outgoing(overrides: Partial<OutgoingTask> & { readonly path?: string } = {}): OutgoingTask {
  const { path = "x.task", ...rest } = overrides;
  const route = new TaskRoute({ path, run: () => {} });
  const fields = { runAt: undefined, dedupe: undefined, priority: undefined, carriedAttempts: 0 };
  return { id: "task-1", route, payloadJson: "{}", enqueuedAt: NOW, ...fields, ...rest };
}

const nameOf = (overrides: Parameters<typeof outgoing>[0] = {}) => taskNameOf(naming, outgoing(overrides));
const dedupe = { key: "order-1", window: 60 };

describe("the name of a task", () => {
  it("is one that Cloud Tasks takes, the same for the same task, and never its plain id", () => {
    expect(nameOf()).toMatch(/^[0-9a-f]{64}$/);
    expect(nameOf({ payloadJson: '{"other":1}', enqueuedAt: NOW + 1 })).toBe(nameOf());
  });

  it("is another for another id, route, service or environment, and for whatever takes its place", () => {
    const names = [
      nameOf(),
      nameOf({ id: "task-2" }),
      nameOf({ path: "x.other" }),
      taskNameOf({ ...naming, environment: "dev" }, outgoing()),
      taskNameOf({ ...naming, namespace: "mail" }, outgoing()),
      nameOf({ replaces: "message-1" }),
      nameOf({ replaces: "message-2" }),
      nameOf({ dedupe }),
      nameOf({ dedupe: { ...dedupe, key: "order-2" } }),
      nameOf({ dedupe: { ...dedupe, window: 61 } }),
    ];
    expect(new Set(names).size).toBe(names.length);
  });

  it("cannot be made to look like another by texts that run into each other", () => {
    expect(nameOf({ id: 'a","b', replaces: "c" })).not.toBe(nameOf({ id: "a", replaces: 'b","c' }));
    expect(nameOf({ id: "ab", replaces: "c" })).not.toBe(nameOf({ id: "a", replaces: "bc" }));
  });

  it("of a key is the same within a window, whatever the id, and another in the next", () => {
    const windows = fc.integer({ min: 1, max: 3600 });
    fc.assert(
      fc.property(windows, fc.nat(10_000), fc.nat(3_599_999), fc.uuid(), (window, count, offset, id) => {
        const start = (Math.floor(NOW / (window * 1000)) + count) * window * 1000;
        const at = (enqueuedAt: number) => nameOf({ id, dedupe: { key: "k", window }, enqueuedAt });
        const inside = start + (offset % (window * 1000));
        expect(at(inside)).toBe(nameOf({ dedupe: { key: "k", window }, enqueuedAt: start }));
        expect(at(start - 1)).not.toBe(at(start));
        expect(at(start + window * 1000)).not.toBe(at(inside));
      }),
    );
  });
});

describe("the run id of a key", () => {
  it("is a UUID, the same within a window, and no part of it tells the key", () => {
    const id = dedupedRunId(naming, "x.task", dedupe, NOW);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(dedupedRunId(naming, "x.task", dedupe, NOW + 3000)).toBe(id);
    const others = [
      dedupedRunId(naming, "x.task", dedupe, NOW + 60_000),
      dedupedRunId(naming, "x.other", dedupe, NOW),
      dedupedRunId({ ...naming, namespace: "mail" }, "x.task", dedupe, NOW),
    ];
    expect(new Set([id, ...others]).size).toBe(4);
  });
});
