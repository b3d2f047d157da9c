import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnyRoute } from "../../src/core/declaration.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Message } from "../../src/engine/message.ts";
import { discarded, done, failed, route, ScriptedEngine } from "./scripted.ts";

const ordered = route("x.ordered", { minRetryDelay: 10, maxRetryDelay: 10, maxAttempts: 2, ordered: true });
const other = route("x.other", { ordered: true });

function engineWith(answer: (id: string, attempt: number) => Outcome | Promise<Outcome> = () => done) {
  const scripted = new ScriptedEngine([ordered, other], ({ id, attempt }) => answer(id, attempt));
  const publish = (id: string, orderingKey: string | undefined, { to = ordered, delay = 0 }: Where = {}): Message =>
    scripted.engine.post({
      id,
      route: to,
      payloadJson: "{}",
      enqueuedAt: scripted.clock.now(),
      runAt: scripted.clock.now() + delay * 1000,
      dedupe: undefined,
      priority: undefined,
      orderingKey,
      carriedAttempts: 0,
    });
  return { ...scripted, scripted, publish, ids: () => scripted.arrivals.map(({ id }) => id) };
}

interface Where {
  readonly to?: AnyRoute;
  readonly delay?: number;
}

describe("messages of one ordering key", () => {
  it("are delivered one at a time, and nothing else waits for them", async () => {
    const release = Promise.withResolvers<Outcome>();
    const { scripted, publish, ids } = engineWith((id) => (id === "a1" ? release.promise : done));
    publish("a1", "a");
    publish("a2", "a");
    publish("b1", "b");
    publish("a1 of another route", "a", { to: other });
    publish("without a key", undefined);
    publish("with an empty key", "");
    await scripted.pass(0);
    expect(ids().toSorted()).toEqual(["a1", "a1 of another route", "b1", "with an empty key", "without a key"]);
    expect(scripted.engine.held.map(({ id }) => id)).toEqual(["a2"]);
    release.resolve(done);
    await scripted.pass(0);
    expect(ids().at(-1)).toBe("a2");
    expect([scripted.engine.unfinished, scripted.engine.held]).toEqual([0, []]);
  });

  it("wait for one that fails, until it has succeeded or is given up", async () => {
    const { scripted, publish } = engineWith((id, attempt) => (id === "1" && attempt < 2 ? failed() : done));
    publish("1", "a");
    publish("2", "a");
    await scripted.pass(10);
    expect(scripted.arrivals.map(({ id, at }) => [id, at])).toEqual([
      ["1", 0],
      ["1", 10],
      ["2", 10],
    ]);
  });

  it.each<[how: string, answer: Outcome]>([
    ["discarded", discarded],
    ["acknowledged", done],
  ])("go on after one that is %s", async (_, answer) => {
    const { scripted, publish, ids } = engineWith(() => answer);
    for (const id of ["1", "2", "3"]) publish(id, "a");
    await scripted.pass(0);
    expect(ids()).toEqual(["1", "2", "3"]);
  });

  it("wait for one that is delayed", async () => {
    const { scripted, publish } = engineWith();
    publish("1", "a", { delay: 60 });
    publish("2", "a");
    await scripted.pass(60);
    expect(scripted.arrivals.map(({ id, at }) => [id, at])).toEqual([
      ["1", 60],
      ["2", 60],
    ]);
  });

  it("do not wait for one that was withdrawn, at the head or behind it", async () => {
    const { scripted, publish, ids } = engineWith();
    const head = publish("1", "a", { delay: 60 });
    const behind = publish("2", "a");
    publish("3", "a");
    scripted.engine.withdraw(behind);
    scripted.engine.withdraw(head);
    await scripted.pass(0);
    expect(ids()).toEqual(["3"]);
    expect(scripted.engine.unfinished).toBe(0);
  });

  it("arrive in order whatever fails, and all of them", async () => {
    const keys = fc.constantFrom("a", "b", "c", undefined);
    const message = fc.record({ key: keys, failures: fc.nat(1), delay: fc.nat(20) });
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 20 }), async (messages) => {
        const { scripted, publish } = engineWith((id, attempt) =>
          attempt <= (messages[Number(id)]?.failures ?? 0) ? failed() : done,
        );
        for (const [index, { key, delay }] of messages.entries()) publish(String(index), key, { delay });
        await scripted.pass(1000);
        expect(scripted.engine.unfinished).toBe(0);
        for (const key of ["a", "b", "c"]) {
          const arrived = scripted.arrivals.map(({ id }) => Number(id)).filter((id) => messages[id]?.key === key);
          expect(arrived).toEqual(arrived.toSorted((a, b) => a - b));
        }
      }),
      { numRuns: 50 },
    );
  });
});
