import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { isTasksError } from "../../src/core/errors.ts";
import { closeTopicScenes, openTopicScene, requestsOf, TOPIC, texts } from "./topic-scene.ts";
import { type Arrival, TopicServer } from "./topic-server.ts";

closeTopicScenes();

describe("batches", () => {
  it("send a lone message at once, and know its id", async () => {
    const { server, publish } = await openTopicScene();
    expect(await publish("one")).toBe("1");
    expect(await publish("two")).toBe("2");
    expect(requestsOf(server)).toEqual([["one"], ["two"]]);
  });

  it("hold what is published in one turn, and tell each its own id", async () => {
    const { server, publish } = await openTopicScene();
    const ids = await Promise.all(texts(0, 50).map((text) => publish(text)));
    expect(requestsOf(server)).toEqual([texts(0, 50)]);
    expect(ids).toEqual(texts(1, 51));
  });

  it("hold what comes while a request is under way", async () => {
    const { server, publish } = await openTopicScene();
    server.script = () => {};
    const first = publish("first");
    await server.arrived(1);
    const others = texts(0, 10).map((text) => publish(text));
    server.script = (arrival) => arrival.accept();
    server.arrivals[0]?.accept();
    await Promise.all([first, ...others]);
    expect(requestsOf(server)).toEqual([["first"], texts(0, 10)]);
  });

  it("hold what is published on account of the answer to one", async () => {
    const { server, publish } = await openTopicScene();
    const lane = async (name: string) => {
      for (const round of [1, 2, 3]) await publish(`${name}${round}`);
    };
    await Promise.all([lane("a"), lane("b"), lane("c")]);
    expect(requestsOf(server)).toEqual([1, 2, 3].map((round) => [`a${round}`, `b${round}`, `c${round}`]));
  });

  it("go out side by side when they are full, and the rest when all are through", async () => {
    const { server, publish } = await openTopicScene();
    server.script = () => {};
    const all = texts(0, 3500).map((text) => publish(text));
    await server.arrived(3);
    expect(requestsOf(server)).toEqual([texts(0, 1000), texts(1000, 2000), texts(2000, 3000)]);
    server.script = (arrival) => arrival.accept();
    for (const arrival of [...server.arrivals]) arrival.accept();
    await Promise.all(all);
    expect(requestsOf(server)[3]).toEqual(texts(3000, 3500));
  });

  it("are full at about a megabyte", async () => {
    const { server, publish } = await openTopicScene();
    const large = "x".repeat(300_000);
    await Promise.all(texts(0, 10).map(() => publish(large)));
    expect(requestsOf(server).map(({ length }) => length)).toEqual([4, 4, 2]);
  });

  it("do not wait for a request that hangs", async () => {
    const { server, clock, publish } = await openTopicScene();
    server.script = () => {};
    const first = publish("first");
    await server.arrived(1);
    const second = publish("second");
    const third = publish("third");
    await clock.elapse(0.05);
    await server.arrived(2);
    expect(requestsOf(server)).toEqual([["first"], ["second", "third"]]);
    for (const arrival of server.arrivals) arrival.accept();
    await Promise.all([first, second, third]);
    expect(clock.pending).toBe(0);
  });

  it("are of one topic each", async () => {
    const { server, publish } = await openTopicScene();
    await Promise.all([publish("a"), publish("b", undefined, `${TOPIC}2`), publish("c")]);
    expect(server.arrivals.map(({ topic }) => topic)).toEqual([TOPIC, `${TOPIC}2`]);
    expect(requestsOf(server)).toEqual([["a", "c"], ["b"]]);
  });

  it("name their topic in the header that Google routes by", async () => {
    const { server, publish } = await openTopicScene();
    await publish("one");
    expect(server.arrivals[0]?.metadata.get("x-goog-request-params")).toEqual(["topic=projects%2Fp%2Ftopics%2Ft"]);
  });
});

describe("a request that fails", () => {
  it.each([
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "ABORTED",
    "INTERNAL",
    "UNKNOWN",
    "CANCELLED",
    "RESOURCE_EXHAUSTED",
  ] as const)("with %s is tried again", async (code) => {
    const { server, clock, publish } = await openTopicScene();
    server.script = (arrival, index) => (index < 2 ? arrival.refuse(code, "not now") : arrival.accept());
    const published = publish("one");
    await clock.elapse(0.1);
    await clock.elapse(0.2);
    expect(await published).toBe("1");
    expect(requestsOf(server)).toEqual([["one"], ["one"], ["one"]]);
  });

  it.each([
    ["NOT_FOUND", "NOT_PROVISIONED", "run taskroute apply"],
    ["PERMISSION_DENIED", "NOT_PERMITTED", "gcloud pubsub topics add-iam-policy-binding t --project=p"],
    ["UNAUTHENTICATED", "NO_CREDENTIALS", "gcloud auth application-default login"],
    ["INVALID_ARGUMENT", "NOT_ACCEPTED", "INVALID_ARGUMENT"],
  ] as const)("with %s is not tried again, and says what to do", async (code, ours, advice) => {
    const { server, publish } = await openTopicScene();
    server.script = (arrival) => arrival.refuse(code, "no");
    await expect(publish("one")).rejects.toMatchObject({
      code: ours,
      message: expect.stringMatching(new RegExp(`^publish to ${TOPIC}: .*${advice}`)),
    });
    expect(server.arrivals).toHaveLength(1);
  });

  it("is given up after ten seconds of trying", async () => {
    const { server, clock, publish } = await openTopicScene();
    server.script = (arrival) => arrival.refuse("UNAVAILABLE", "not now");
    const published = publish("one");
    published.catch(() => {});
    for (const pause of [0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2]) await clock.elapse(pause);
    await expect(published).rejects.toMatchObject({
      code: "NOT_ACCEPTED",
      message: expect.stringContaining("UNAVAILABLE"),
    });
    expect(server.arrivals).toHaveLength(9);
    expect(clock.pending).toBe(0);
  });

  it("takes those with it that have waited as long", async () => {
    const { server, clock, publish } = await openTopicScene();
    server.script = (arrival) => arrival.refuse("UNAVAILABLE", "not now");
    const ordered = ["one", "two"].map((text) => publish(text, "key"));
    const failed = Promise.allSettled(ordered);
    await server.arrived(1);
    const late = publish("late");
    late.catch(() => {});
    for (const pause of [0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2]) await clock.elapse(pause);
    await expect(late).rejects.toMatchObject({ code: "NOT_ACCEPTED" });
    expect((await failed).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  it("because nobody answers is tried again in time", async () => {
    const { server, publish } = await openTopicScene({ timeout: 600 }, systemClock);
    server.script = (arrival, index) => (index === 0 ? undefined : arrival.accept());
    expect(await publish("one")).toBe("1");
    expect(requestsOf(server)).toEqual([["one"], ["one"]]);
  });

  it("because its server went away is tried again when there is one", async () => {
    const { server, publish } = await openTopicScene({}, systemClock);
    expect(await publish("one")).toBe("1");
    server.close();
    const published = publish("two");
    const [, port] = server.host.split(":");
    const next = await TopicServer.open(Number(port));
    expect(await published).toBe("1");
    expect(requestsOf(next)).toEqual([["two"]]);
    next.close();
  });

  it("for what is in one message takes no other one with it", async () => {
    const { server, publish } = await openTopicScene();
    server.script = refusePoison;
    const sent = [...texts(0, 40), "poison", ...texts(40, 100)];
    const results = await Promise.allSettled(sent.map((text) => publish(text)));
    expect(sent.filter((_, index) => results[index]?.status === "rejected")).toEqual(["poison"]);
    expect(accepted(server.arrivals)).toEqual(texts(0, 100));
    expect(server.arrivals.length).toBeLessThan(20);
  });
});

function isPoisoned({ messages }: Arrival): boolean {
  return messages.some(({ data }) => data === "poison");
}

function refusePoison(arrival: Arrival): void {
  if (isPoisoned(arrival)) arrival.refuse("INVALID_ARGUMENT", "does not fit the schema");
  else arrival.accept();
}

function accepted(arrivals: readonly Arrival[]): readonly string[] {
  return arrivals.filter((arrival) => !isPoisoned(arrival)).flatMap(({ messages }) => messages.map(({ data }) => data));
}

describe("an ordering key", () => {
  it("has one request under way at a time, however much waits", async () => {
    const { server, publish } = await openTopicScene();
    server.script = () => {};
    const all = texts(0, 2500).map((text) => publish(text, "key"));
    const other = publish("other", "other key");
    await server.arrived(2);
    expect(requestsOf(server)).toEqual([texts(0, 1000), ["other"]]);
    server.script = (arrival) => arrival.accept();
    for (const arrival of [...server.arrivals]) arrival.accept();
    await Promise.all([...all, other]);
    expect(requestsOf(server)).toEqual([texts(0, 1000), ["other"], texts(1000, 2000), texts(2000, 2500)]);
    expect(server.arrivals[2]?.messages.every(({ orderingKey }) => orderingKey === "key")).toBe(true);
  });

  it("refuses what waits behind a failure, in order, and is free again afterwards", async () => {
    const { server, publish } = await openTopicScene();
    server.script = () => {};
    const told: string[] = [];
    const watch = (text: string) =>
      publish(text, "key").catch((error: unknown) => {
        told.push(`${text}: ${isTasksError(error) ? error.code : "?"}`);
        throw error;
      });
    const first = watch("first");
    await server.arrived(1);
    const rest = ["second", "third"].map(watch);
    server.arrivals[0]?.refuse("PERMISSION_DENIED", "no");
    await expect(first).rejects.toMatchObject({ code: "NOT_PERMITTED" });
    for (const behind of rest)
      await expect(behind).rejects.toMatchObject({
        code: "NOT_ACCEPTED",
        message: expect.stringContaining('ordering key "key"'),
        cause: expect.objectContaining({ code: "NOT_PERMITTED" }),
      });
    expect(told).toEqual(["first: NOT_PERMITTED", "second: NOT_ACCEPTED", "third: NOT_ACCEPTED"]);
    server.script = (arrival) => arrival.accept();
    await publish("again", "key");
    expect(requestsOf(server)).toEqual([["first"], ["again"]]);
  });

  it("accepts what is before a message that does not fit, and nothing behind it", async () => {
    const { server, publish } = await openTopicScene();
    server.script = refusePoison;
    const sent = [...texts(0, 5), "poison", ...texts(5, 9)];
    const results = await Promise.allSettled(sent.map((text) => publish(text, "key")));
    expect(results.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 5 }, () => "fulfilled"),
      ...Array.from({ length: 5 }, () => "rejected"),
    ]);
    expect(accepted(server.arrivals)).toEqual(texts(0, 5));
  });

  it("lets no message of other keys, or of none, wait for its failure", async () => {
    const { server, clock, publish } = await openTopicScene();
    server.script = (arrival) =>
      arrival.messages[0]?.orderingKey === "bad" ? arrival.refuse("UNAVAILABLE", "no") : arrival.accept();
    const failing = publish("stuck", "bad");
    failing.catch(() => {});
    await Promise.all([publish("other", "good"), publish("plain")]);
    server.script = (arrival) => arrival.accept();
    await clock.elapse(0.1);
    await failing;
  });
});

describe("what is in flight", () => {
  it.each([
    ["messages", { maxInFlight: 20 }],
    ["bytes", { maxInFlightBytes: 20 * 120 }],
  ])("is bounded in %s, and what waits goes in order", async (_, bound) => {
    const { server, publish } = await openTopicScene(bound);
    let inFlight = 0;
    let most = 0;
    server.script = (arrival) => {
      inFlight += arrival.messages.length;
      most = Math.max(most, inFlight);
      setImmediate(() => {
        inFlight -= arrival.messages.length;
        arrival.accept();
      });
    };
    // Ten messages a topic: two requests fit.
    const sent = texts(0, 100).map((text, index) =>
      publish(text.padStart(100), undefined, `${TOPIC}${Math.floor(index / 10)}`),
    );
    await Promise.all(sent);
    expect(most).toBe(20);
    expect(requestsOf(server).map(([first]) => first?.trim())).toEqual(
      texts(0, 10).map((tens) => String(Number(tens) * 10)),
    );
  });

  it.each([
    ["messages", { maxInFlight: 20 }],
    // A text of 100 bytes takes four more in a request.
    ["bytes", { maxInFlightBytes: 20 * 104 }],
  ])("is bounded in %s where all is of one topic, whose requests are then smaller", async (_, bound) => {
    const { server, publish } = await openTopicScene(bound);
    const sent = texts(0, 100).map((text) => publish(text.padStart(100)));
    await Promise.all(sent);
    expect(requestsOf(server).map(({ length }) => length)).toEqual([20, 20, 20, 20, 20]);
  });

  it("may be one message that is larger than the bound", async () => {
    const { server, publish } = await openTopicScene({ maxInFlightBytes: 1000 });
    await publish("x".repeat(5000));
    expect(server.arrivals).toHaveLength(1);
  });
});

describe("closing", () => {
  it("waits until everything that was taken is accepted, and takes nothing more", async () => {
    const { server, publisher, publish } = await openTopicScene();
    server.script = () => {};
    const first = publish("first");
    await server.arrived(1);
    const second = publish("second");
    let closed = false;
    const closing = publisher.close().then(() => {
      closed = true;
    });
    await expect(publish("late")).rejects.toMatchObject({ code: "CLOSED" });
    server.arrivals[0]?.accept();
    await first;
    await server.arrived(2);
    expect(closed).toBe(false);
    server.arrivals[1]?.accept();
    await Promise.all([second, closing]);
    expect(requestsOf(server)).toEqual([["first"], ["second"]]);
  });

  it("is at once done when nothing is under way, however often", async () => {
    const { publisher, publish } = await openTopicScene();
    await publish("one");
    await Promise.all([publisher.close(), publisher.close()]);
    await publisher.close();
  });
});
