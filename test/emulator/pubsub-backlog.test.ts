import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backlog } from "../../src/emulator/pubsub-backlog.ts";
import type { BacklogRules } from "../../src/emulator/pubsub-backlog-rules.ts";
import type { Consumer, Entry } from "../../src/emulator/pubsub-entry.ts";
import { VirtualClock } from "../../src/engine/clock.ts";

const RULES: BacklogRules = {
  isOrdered: true,
  isPush: false,
  retention: 7 * 86_400_000,
  retainsAcked: false,
  backoff: (failures) => failures % 3,
  forward: () => false,
  push: () => {},
};

/** A backlog with receivers, and what has become of each message. */
class Model {
  readonly clock = new VirtualClock();
  readonly backlog: Backlog;
  readonly consumers: Consumer[] = [0, 1].map(() => ({ outstanding: 0, wake: () => {} }));
  readonly published: { readonly id: string; readonly key: string }[] = [];
  readonly acked = new Set<string>();
  /** Who has which message: the latest delivery of it. */
  readonly out = new Map<Entry, Consumer>();

  constructor(rules: Partial<BacklogRules> = {}) {
    this.backlog = new Backlog(this.clock, { ...RULES, ...rules });
  }

  publish(key: string): void {
    const id = String(this.published.length).padStart(4, "0");
    this.published.push({ id, key });
    const publishTime = this.clock.now();
    this.backlog.add({ messageId: id, publishTime, data: undefined, attributes: undefined, orderingKey: key });
  }

  take(index: number, most: number): Entry[] {
    const consumer = this.consumers[index % this.consumers.length] as Consumer;
    const taken = this.backlog.take(consumer, most, 10);
    for (const entry of taken) {
      expect(this.acked, "an acknowledged message came again").not.toContain(entry.message.messageId);
      this.#assertInOrder(entry, consumer, taken);
      this.out.set(entry, consumer);
    }
    return taken;
  }

  /** All earlier messages of the key are acknowledged, or are with the same receiver. */
  #assertInOrder(entry: Entry, consumer: Consumer, taken: readonly Entry[]): void {
    const { messageId, orderingKey } = entry.message;
    if (orderingKey === "") return;
    for (const { id, key } of this.published) {
      if (key !== orderingKey || id >= messageId || this.acked.has(id)) continue;
      const earlier = this.backlog.entry(id) as Entry;
      expect(earlier.lease?.consumer, `${id} is not with the receiver of ${messageId}`).toBe(consumer);
      if (taken.includes(earlier)) expect(taken.indexOf(earlier)).toBeLessThan(taken.indexOf(entry));
    }
  }

  some(index: number): Entry | undefined {
    const held = [...this.out.keys()].filter(({ lease }) => lease !== undefined);
    return held[index % Math.max(held.length, 1)];
  }

  ack(entry: Entry): void {
    this.backlog.settle(entry);
    this.acked.add(entry.message.messageId);
  }

  check(): void {
    expect(this.backlog.size).toBe(this.published.length - this.acked.size);
    for (const consumer of this.consumers) {
      const held = this.backlog.all().filter(({ lease }) => lease?.consumer === consumer);
      expect(consumer.outstanding).toBe(held.length);
    }
  }

  /** Takes and acknowledges until nothing is left. */
  async drain(): Promise<void> {
    for (let turn = 0; this.backlog.size > 0; turn++) {
      expect(turn, "something is never delivered").toBeLessThan(200);
      for (const index of [0, 1]) for (const entry of this.take(index, 100)) this.ack(entry);
      await this.clock.advance(5000);
    }
  }
}

type Step = readonly [kind: "publish" | "take" | "ack" | "nack" | "extend" | "wait" | "reoffer", amount: number];

const steps = fc.array(
  fc.tuple(
    fc.constantFrom("publish", "take", "ack", "nack", "extend", "wait", "reoffer"),
    fc.nat(30),
  ) as fc.Arbitrary<Step>,
  { maxLength: 60 },
);

async function perform(model: Model, [kind, amount]: Step): Promise<void> {
  const entry = model.some(amount);
  if (kind === "publish") model.publish(["", "a", "b"][amount % 3] as string);
  else if (kind === "take") model.take(amount, 1 + (amount % 5));
  else if (kind === "wait") await model.clock.advance(amount * 500);
  else if (kind === "reoffer") model.backlog.reoffer();
  else if (entry === undefined) return;
  else if (kind === "ack") model.ack(entry);
  else model.backlog.extend(entry, kind === "nack" ? 0 : amount + 1);
}

describe("a backlog", () => {
  it("loses nothing, brings nothing back that is acknowledged, and keeps the order of each key", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const model = new Model();
        for (const step of list) {
          await perform(model, step);
          model.check();
        }
        await model.drain();
        model.check();
        expect(model.acked.size).toBe(model.published.length);
      }),
      { numRuns: 300 },
    );
  });

  it("pushes one message of a key at a time, and each message once until it is put back", () => {
    const pushed: Entry[] = [];
    const model = new Model({ isPush: true, push: (entry) => void pushed.push(entry) });
    for (const key of ["a", "a", "", "b", "a", ""]) model.publish(key);
    expect(pushed.map(({ message }) => message.messageId)).toEqual(["0000", "0002", "0003", "0005"]);
    model.ack(pushed[0] as Entry);
    expect(pushed.at(-1)?.message.messageId).toBe("0001");
    model.backlog.putBack(pushed.at(-1) as Entry);
    expect(pushed.slice(-2).map(({ message }) => message.messageId)).toEqual(["0001", "0001"]);
  });

  it("takes hundreds of thousands of messages of one key at a cost that does not grow", () => {
    const model = new Model();
    const take = () => {
      const [entry] = model.backlog.take(model.consumers[0] as Consumer, 1, 600);
      if (entry !== undefined) model.backlog.settle(entry);
      return entry;
    };
    const publishTime = model.clock.now();
    for (let index = 0; index < 200_000; index++)
      model.backlog.add({
        messageId: String(index),
        publishTime,
        data: undefined,
        attributes: undefined,
        orderingKey: "a",
      });
    let taken = 0;
    while (take() !== undefined) taken += 1;
    expect(taken).toBe(200_000);
  });
});
