import { describe, expect, it } from "vitest";
import type { Backend, BackendFactory, OutgoingTask, PushTrust } from "../../src/core/backend.ts";
import type { DeadLetter, DeadLetterSink } from "../../src/core/dead-letter.ts";
import type { AnyRoute } from "../../src/core/declaration.ts";
import { TasksError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { TaskContractOptions } from "../../src/core/route-options.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { refusalOf } from "../support/refusal.ts";
import { NOTHING } from "../support/scene.ts";
import { RecordedBackend } from "./recorded-backend.ts";

const run = (): void => {};
const plain = new TaskRoute({ path: "x.plain", run });
const pushed = new TaskRoute({ path: "x.pushed", via: "pubsub", run });
const queued = new TaskRoute({ path: "x.queued", via: "cloud-tasks", run });
const routes = [plain, pushed, queued] as const;

function letterOf(taskId: string, path: string, parkedAt: number): DeadLetter {
  const message = { taskName: "task", args: [], kwargs: {}, enqueuedAt: undefined, messageId: taskId };
  return { taskId, path, ...message, reason: "discarded", error: undefined, attempts: 1, parkedAt };
}

function client(first: RecordedBackend, second: RecordedBackend) {
  return createTasks({ routes, backend: [first.factory, second.factory], logger: silentLogger, env: {} });
}

/** The backend of a client of other routes. */
function backendOf([first, second]: readonly RecordedBackend[], list: readonly AnyRoute[], env = {}): Backend {
  const backend = [first, second].flatMap((recorder) => recorder?.factory ?? []);
  return createTasks({ routes: list, backend, logger: silentLogger, env }).runtime.backend;
}

function pair(cloudTasks: Partial<Backend> = {}, pubsub: Partial<Backend> = {}) {
  return [
    new RecordedBackend({ name: "pubsub", ...pubsub }),
    new RecordedBackend({ name: "cloud-tasks", ...cloudTasks }),
  ] as const;
}

describe("two backends as one", () => {
  const orders: readonly [what: string, reversed: boolean, firsts: string[], seconds: string[]][] = [
    ["pubsub, cloud-tasks", false, ["x.plain", "x.pushed"], ["x.queued"]],
    ["cloud-tasks, pubsub", true, ["x.plain", "x.queued"], ["x.pushed"]],
  ];

  it.each(orders)(
    "send each route by its via, and the others by the first: %s",
    async (name, reversed, first, second) => {
      const backends = reversed ? pair().toReversed() : [...pair()];
      const [one, other] = backends as [RecordedBackend, RecordedBackend];
      const tasks = client(one, other);
      for (const route of routes) await tasks.enqueue(route);
      expect([one.sent, other.sent]).toEqual([first, second]);
      expect(tasks.runtime.backend.name).toBe(name.replace(" ", ""));
      expect(
        [one, other].map(({ host }) => routes.filter((route) => host?.carries(route)).map(({ path }) => path)),
      ).toEqual([first, second]);
    },
  );

  it("can do for a route what the backend of that route can", async () => {
    const [first, second] = pair({ capabilities: { ...NOTHING, delay: true } });
    const tasks = client(first, second);
    await tasks.enqueue(queued, {}, { delay: 5 });
    for (const route of [plain, pushed])
      await expect(tasks.enqueue(route, {}, { delay: 5 })).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect([first.sent, second.sent]).toEqual([[], ["x.queued"]]);
  });

  it("ask the backend of a route what differs from route to route, and for the id behind a key", async () => {
    const capabilitiesOf = ({ path }: AnyRoute) => ({ ...NOTHING, delay: path === "x.plain", dedupe: true });
    const dedupedId = (route: AnyRoute, { key }: { key: string }) => `${route.path}-${key}`;
    const [first, second] = pair({}, { capabilitiesOf, dedupedId });
    const tasks = client(first, second);
    await tasks.enqueue(plain, {}, { delay: 5 });
    await expect(tasks.enqueue(pushed, {}, { delay: 5 })).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(tasks.enqueue(queued, {}, { dedupeKey: "k" })).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(await tasks.enqueue(pushed, {}, { dedupeKey: "k" })).toMatchObject({ id: "x.pushed-k" });
  });

  it("refuse what the backend of a route could never send, before the first of many is sent", async () => {
    const assertSendable = ({ payloadJson }: OutgoingTask) => {
      if (payloadJson.includes("big")) throw new Error("too big");
    };
    const [first, second] = pair({ assertSendable });
    const tasks = client(first, second);
    const items = [{ payload: {} }, { payload: { big: true } }];
    await expect(tasks.enqueueMany(queued, items)).rejects.toThrow("too big");
    expect(second.sent).toEqual([]);
    expect((await tasks.enqueueMany(pushed, items)).accepted).toHaveLength(2);
  });

  it("send many at once by the backend that takes many, each settling by itself", async () => {
    const sizes: number[] = [];
    const sendMany: Backend["sendMany"] = async (tasks) => {
      sizes.push(tasks.length);
      return tasks.map(({ id }) => ({ status: "fulfilled", value: { id, deduplicated: false } }));
    };
    const [first, second] = pair({ sendMany });
    const tasks = client(first, second);
    const items = [
      { payload: {}, id: "a" },
      { payload: {}, id: "b" },
    ] as const;
    const results = [await tasks.enqueueMany(queued, items), await tasks.enqueueMany(pushed, items)];
    expect(results.map(({ accepted }) => accepted.map(({ id }) => id))).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
    expect([sizes, first.sent, second.sent]).toEqual([[2], ["x.pushed", "x.pushed"], []]);
    const { enqueuer, backend } = tasks.runtime;
    const mixed = [await enqueuer.prepare(queued, {}), await enqueuer.prepare(pushed, {})];
    expect((await backend.sendMany?.(mixed))?.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
    expect([await backend.sendMany?.([]), sizes, second.sent]).toEqual([[], [2], ["x.queued"]]);
  });

  it("warm, start and close together", async () => {
    const backends = pair();
    const tasks = client(...backends);
    await tasks.warm();
    await tasks.start();
    await tasks.close();
    expect(backends.map(({ calls }) => calls)).toEqual(Array(2).fill(["warm", "start", "close"]));
  });

  it("close each, and are closed only then, though one of them cannot be", async () => {
    const closing = Promise.withResolvers<void>();
    const failing = { close: () => Promise.reject(new Error("cannot be closed")) };
    const tasks = client(...pair({ close: () => closing.promise }, failing));
    await tasks.warm();
    let closed = false;
    const close = tasks.close().finally(() => {
      closed = true;
    });
    close.catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(false);
    closing.resolve();
    await expect(close).rejects.toThrow("cannot be closed");
  });

  it("trust the keys that the first does", () => {
    const pushTrust: PushTrust = { audience: "a", email: "e@x", certificates: async () => ({}) };
    expect(client(...pair({}, { pushTrust })).runtime.backend.pushTrust).toBe(pushTrust);
    expect(client(...pair({ pushTrust })).runtime.backend).not.toHaveProperty("pushTrust");
  });
});

describe("the dead letters of two backends", () => {
  it("are parked with the backend of their route, and those of no route with the first", async () => {
    const [first, second] = pair();
    const sink = client(first, second).runtime.backend.deadLetters as DeadLetterSink;
    for (const path of ["x.plain", "x.pushed", "x.queued", "stranger", ""]) await sink.park(letterOf(path, path, 0));
    expect([first, second].map(({ box }) => box.letters.map(({ path }) => path))).toEqual([
      ["x.plain", "x.pushed", "stranger", ""],
      ["x.queued"],
    ]);
  });

  it("are listed together, oldest first, and found wherever they are", async () => {
    const [first, second] = pair();
    const { deadLetters } = client(first, second);
    first.box.park(letterOf("a", "x.plain", 3));
    first.box.park(letterOf("both", "x.plain", 4));
    second.box.park(letterOf("b", "x.queued", 1));
    second.box.park(letterOf("both", "x.queued", 2));
    expect((await deadLetters.list()).map(({ taskId }) => taskId)).toEqual(["b", "both", "a", "both"]);
    expect([await deadLetters.redrive("b"), await deadLetters.drop("both"), await deadLetters.redrive("c")]).toEqual([
      true,
      true,
      false,
    ]);
    expect((await deadLetters.list()).map(({ taskId }) => taskId)).toEqual(["a"]);
  });

  it("are found in one though the other cannot be asked, or knows only a stranger of their id", async () => {
    const [first, second] = pair();
    const { deadLetters } = client(first, second);
    second.box.park(letterOf("a", "x.queued", 1));
    first.box.redrive = async () => {
      throw new TasksError("UNKNOWN_ROUTE", "not in the list");
    };
    expect(await deadLetters.redrive("a")).toBe(true);
    await expect(deadLetters.redrive("a")).rejects.toThrow("not in the list");
    second.box.park(letterOf("b", "x.queued", 1));
    first.box.drop = async () => {
      throw new TasksError("NOT_PERMITTED", "not permitted");
    };
    await expect(deadLetters.drop("b")).rejects.toThrow("not permitted");
    expect(second.box.letters).toEqual([]);
  });

  it("are refused for a route whose backend keeps none", async () => {
    const [first] = pair();
    const keepsNone: BackendFactory = (host) => {
      const { deadLetters: _, ...backend } = pair()[1].factory(host);
      return backend;
    };
    const backend = [first.factory, keepsNone];
    const { deadLetters } = createTasks({ routes, backend, logger: silentLogger, env: {} }).runtime.backend;
    const park = () => deadLetters?.park(letterOf("a", "x.queued", 1));
    expect(refusalOf(park, "UNSUPPORTED")).toContain('dead letter of "x.queued": expected a backend that keeps it');
    expect(first.box.letters).toEqual([]);
  });

  it("must be kept in production by the backend of every route that Cloud Tasks carries", () => {
    const production = { K_SERVICE: "shop", TASKS_NAMESPACE: "shop", NODE_ENV: "production" };
    const memory = { capabilities: NOTHING };
    const cases: readonly [
      list: readonly AnyRoute[],
      backends: readonly [RecordedBackend, RecordedBackend],
      lost: string | undefined,
    ][] = [
      [routes, pair(), undefined],
      [routes, pair({}, memory), undefined],
      [routes, pair(memory), "x.queued"],
      [[plain, pushed], pair(memory), undefined],
      [[plain, pushed], pair(memory).toReversed() as [RecordedBackend, RecordedBackend], "x.plain"],
    ];
    for (const [list, backends, lost] of cases) {
      const build = () => backendOf(backends, list, production);
      if (lost === undefined) expect(build().name).toContain("pubsub");
      else
        expect(refusalOf(build, "INVALID_CONFIG")).toContain(`"${lost}": expected a backend that keeps dead letters`);
    }
  });
});

describe("a list of backends", () => {
  const routeOf = (options: Partial<TaskContractOptions<string, object, object>>) =>
    new TaskRoute({ path: "x.task", ...options, run });

  it("is refused when a route names one that is not in it", () => {
    const [pubsub] = pair();
    const build = () => createTasks({ routes, backend: pubsub.factory, logger: silentLogger, env: {} }).runtime.backend;
    expect(refusalOf(build, "INVALID_CONFIG")).toBe(
      '"x.queued": expected a backend for via: "cloud-tasks", got pubsub; pass backend: [pubsub(), cloudTasks()] or set TASKS_BACKEND=pubsub,cloud-tasks',
    );
  });

  it.each([
    ["pubsub", "pubsub"],
    ["local", "pubsub"],
    ["pubsub", "local"],
    ["local", "local"],
  ])("is refused when one of them could never be used: %s and %s", (...names) => {
    const backend = names.map((name) => new RecordedBackend({ name }).factory);
    const build = () => createTasks({ routes: [plain], backend, logger: silentLogger, env: {} }).runtime.backend;
    expect(refusalOf(build, "INVALID_CONFIG")).toContain(
      `expected one, or pubsub() and cloudTasks() together, got ${names.join(" and ")}`,
    );
  });

  it("is refused when it is empty", () => {
    const build = () => createTasks({ routes: [], backend: [], logger: silentLogger, env: {} }).runtime.backend;
    expect(refusalOf(build, "INVALID_CONFIG")).toContain("expected at least one, got an empty list");
  });

  it("of one is that one, and one of this process stands for either service", async () => {
    const memory = new RecordedBackend({ name: "memory" });
    const tasks = createTasks({ routes, backend: [memory.factory], logger: silentLogger, env: {} });
    for (const route of routes) await tasks.enqueue(route);
    expect([memory.sent, tasks.runtime.backend.name]).toEqual([["x.plain", "x.pushed", "x.queued"], "memory"]);
  });

  it("holds locks where the backend of a scheduled route does", () => {
    const locked = routeOf({ via: "cloud-tasks", schedule: "0 9 * * *", overlap: "skip" });
    const overlap = { capabilities: { ...NOTHING, overlap: true } };
    expect(backendOf(pair(overlap), [locked]).name).toBe("pubsub,cloud-tasks");
    expect(refusalOf(() => backendOf(pair({}, overlap), [locked]), "UNSUPPORTED")).toContain('"x.task"');
  });
});
