import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WatchedClock } from "../backends/watched-clock.ts";
import { closeTopicScenes, openTopicScene, type TopicScene } from "./topic-scene.ts";

closeTopicScenes();

/** What a server does with a call: takes it, or refuses it for now, for good, or for what is in it. */
const fate = fc.constantFrom("accept", "accept", "accept", "UNAVAILABLE", "PERMISSION_DENIED", "INVALID_ARGUMENT");
type Fate = "accept" | "UNAVAILABLE" | "PERMISSION_DENIED" | "INVALID_ARGUMENT";

interface Sent {
  readonly text: string;
  readonly key: string | undefined;
  /** When it was published and when its sender was told, as places in the order of all that happened. */
  readonly publishedAt: number;
  toldAt: number;
  accepted: boolean;
}

const KEYS = ["a", "b", undefined];
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Publishes under keys in turn, with so many turns of the event loop between, to a server with these fates. */
async function run(
  { server, clock, publish }: TopicScene<WatchedClock>,
  fates: readonly Fate[],
  steps: readonly { readonly key: number; readonly turns: number }[],
): Promise<{ readonly sent: readonly Sent[]; readonly arrived: readonly string[] }> {
  const arrived: string[] = [];
  let calls = 0;
  server.script = (arrival) => {
    const next = fates[calls++] ?? "accept";
    if (next !== "accept") return arrival.refuse(next, "no");
    arrived.push(...arrival.messages.map(({ data }) => data));
    arrival.accept();
  };
  let moment = 0;
  const sent: Sent[] = [];
  const told: Promise<void>[] = [];
  for (const [index, { key, turns }] of steps.entries()) {
    const one: Sent = { text: String(index), key: KEYS[key], publishedAt: moment++, toldAt: Infinity, accepted: false };
    sent.push(one);
    const end = (accepted: boolean) => () => Object.assign(one, { accepted, toldAt: moment++ }) && undefined;
    told.push(publish(one.text, one.key).then(end(true), end(false)));
    for (let left = turns; left > 0; left--) await turn();
  }
  while (sent.some(({ toldAt }) => toldAt === Infinity)) {
    await turn();
    await clock.advance(100);
  }
  await Promise.all(told);
  return { sent, arrived };
}

describe("whatever fails", () => {
  it("no message is accepted that was published behind one of its key which then failed", async () => {
    const scene = await openTopicScene();
    const step = fc.record({ key: fc.nat(KEYS.length - 1), turns: fc.nat(4) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fate, { minLength: 1, maxLength: 12 }),
        fc.array(step, { minLength: 1, maxLength: 30 }),
        async (fates, steps) => {
          const { sent, arrived } = await run(scene, fates, steps);
          // What senders were told is what the server did.
          expect(arrived.toSorted()).toEqual(
            sent
              .filter(({ accepted }) => accepted)
              .map(({ text }) => text)
              .toSorted(),
          );
          for (const key of ["a", "b"]) {
            const ofKey = sent.filter((one) => one.key === key);
            const accepted = ofKey.filter((one) => one.accepted);
            expect(arrived.filter((text) => ofKey.some((one) => one.text === text))).toEqual(
              accepted.map(({ text }) => text),
            );
            for (const failed of ofKey.filter((one) => !one.accepted)) {
              const behind = accepted.filter(
                ({ publishedAt }) => publishedAt > failed.publishedAt && publishedAt < failed.toldAt,
              );
              expect(behind).toEqual([]);
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
