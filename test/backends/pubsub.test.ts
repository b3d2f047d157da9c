import { describe, expect, it } from "vitest";
import { type PubsubOptions, pubsub } from "../../src/backends/pubsub.ts";
import type { TaskContext } from "../../src/core/context.ts";
import { Discard, RetryAfter } from "../../src/core/errors.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { expectRefusal } from "../contracts/backend-subject.ts";
import { refusalOf } from "../support/refusal.ts";
import { bodiesOf, loseAnswer } from "./endpoint.ts";
import { closeTopicScenes, DEFERRAL_QUEUE, namesOf, PROJECT, TopicScene } from "./topic-scene.ts";

closeTopicScenes();

const at = { minRetryDelay: 0, maxRetryDelay: 0 } as const;

/** A service whose tasks come back from Pub/Sub over HTTP. */
async function serve(run: (payload: object, ctx: TaskContext) => unknown = () => {}, options: PubsubOptions = {}) {
  const scene = await TopicScene.open();
  const route = new TaskRoute({ path: "x.task", ...at, maxAttempts: 3, ordered: true, run });
  await scene.provision([route]);
  const tasks = scene.adopt(createTasks({ ...scene.options, routes: [route], backend: pubsub(options) }));
  return { scene, route, tasks };
}

describe("a task", () => {
  it("comes back from its topic, is let in by its token, and runs", async () => {
    const seen: unknown[] = [];
    const { scene, route, tasks } = await serve((payload, { taskId }) => void seen.push([payload, taskId]));
    const { id } = await tasks.enqueue(route, { userId: "42" });
    await scene.outcomes(1, "done");
    expect(seen).toEqual([[{ userId: "42" }, id]]);
    expect(scene.endpoint.received[0]?.headers.authorization).toMatch(/^Bearer /);
  });

  it("runs in its turn with others of its key, past a failure", async () => {
    const started: string[] = [];
    const { scene, route, tasks } = await serve((_, { taskId, attempt }) => {
      started.push(`${taskId} ${attempt}`);
      if (taskId === "first" && attempt < 3) throw new Error("not yet");
    });
    const enqueue = (id: string) => tasks.enqueue(route, {}, { id, orderingKey: "user-42" });
    await Promise.all([enqueue("first"), enqueue("second")]);
    await scene.outcomes(2, "done");
    expect(started).toEqual(["first 1", "first 2", "first 3", "second 1"]);
  });

  it("is enqueued under the backend that the environment names", async () => {
    const scene = await TopicScene.open();
    const route = new TaskRoute({ path: "x.task", run: () => {} });
    await scene.provision([route]);
    const env = { ...scene.options.env, TASKS_BACKEND: "pubsub" };
    const tasks = scene.adopt(createTasks({ ...scene.options, env, routes: [route] }));
    await tasks.warm();
    await tasks.enqueue(route);
    await scene.outcomes(1, "done");
    expect(tasks.runtime.backend.name).toBe("pubsub");
  });

  it("of a topic that nobody has made is refused, and says what to run", async () => {
    const scene = await TopicScene.open();
    const route = new TaskRoute({ path: "x.task", run: () => {} });
    const tasks = scene.adopt(createTasks({ ...scene.options, routes: [route], backend: pubsub() }));
    await expect(tasks.enqueue(route)).rejects.toMatchObject({
      code: "NOT_PROVISIONED",
      message: expect.stringMatching(new RegExp(`${namesOf(route).topic}.*run taskroute apply`)),
    });
    const { accepted, failed } = await tasks.enqueueMany(route, [{ payload: {} }, { payload: {} }]);
    expect([accepted, failed.map(({ error }) => error.code)]).toEqual([[], ["NOT_PROVISIONED", "NOT_PROVISIONED"]]);
  });

  it("that is too large is refused before anything is sent, among many too", async () => {
    const { scene, route, tasks } = await serve();
    const large = { text: "x".repeat(10_000_000) };
    await expectRefusal(tasks.enqueue(route, large), "INVALID_PAYLOAD");
    await expectRefusal(tasks.enqueueMany(route, [{ payload: {} }, { payload: large }]), "INVALID_PAYLOAD");
    expect(scene.endpoint.received).toEqual([]);
  });
});

describe("a task that waits", () => {
  it("does so in the deferral queue, and is then a message like any other", async () => {
    const { scene, route, tasks } = await serve((_, { attempt }) => {
      if (attempt < 2) throw new Error("once more");
    });
    const { id } = await tasks.enqueue(route, { n: 1 }, { delay: 90 });
    const queues = await scene.queues();
    const [waiting] = await queues.listTasks({ parent: DEFERRAL_QUEUE, responseView: "FULL" });
    expect(waiting).toMatchObject([
      {
        scheduleTime: { seconds: String(scene.clock.now() / 1000 + 90) },
        httpRequest: {
          url: `http://${scene.emulator.env.PUBSUB_EMULATOR_HOST}/v1/${namesOf(route).topic}:publish`,
          oauthToken: { serviceAccountEmail: "push@demo.iam.gserviceaccount.com" },
        },
      },
    ]);
    expect(scene.endpoint.received).toEqual([]);
    await scene.clock.advance(90_000);
    await scene.outcomes(1, "done");
    expect(scene.recorder.started.map(({ taskId, attempt }) => [taskId, attempt])).toEqual([
      [id, 1],
      [id, 2],
    ]);
  });

  it("asks for its next delay itself, and takes its attempts along", async () => {
    const { scene, route, tasks } = await serve((_, { attempt }) => {
      if (attempt < 3) throw new RetryAfter(60);
    });
    const { id } = await tasks.enqueue(route);
    await scene.outcomes(1, "done");
    expect(scene.recorder.started.map(({ taskId, attempt }) => [taskId, attempt])).toEqual(
      [1, 2, 3].map((n) => [id, n]),
    );
    const carried = bodiesOf(scene.endpoint).map(({ message }) => message.attributes?.["taskroute-carried-attempts"]);
    expect(carried).toEqual([undefined, "1", "2"]);
  });

  it("is there once for a key, and both enqueues name it", async () => {
    const { scene, route, tasks } = await serve();
    const enqueue = () => tasks.enqueue(route, {}, { dedupeKey: "order-1", dedupeWindow: 60 });
    const [first, second] = [await enqueue(), await enqueue()];
    expect([first.deduplicated, second.deduplicated, second.id]).toEqual([false, true, first.id]);
    await scene.outcomes(1, "done");
    await scene.clock.advance(60_000);
    expect((await enqueue()).deduplicated).toBe(false);
    await scene.outcomes(2, "done");
  });

  it.each([
    ["for more than 30 days", { delay: 30 * 86_400 + 1 }, "INVALID_OPTION"],
    ["with a key for more than an hour", { dedupeKey: "a", dedupeWindow: 3601 }, "UNSUPPORTED"],
    ["in an order", { delay: 10, orderingKey: "a" }, "UNSUPPORTED"],
    ["with a key in an order", { dedupeKey: "a", orderingKey: "a" }, "UNSUPPORTED"],
  ] as const)("is refused %s", async (_, options, code) => {
    const { route, tasks } = await serve();
    await expectRefusal(tasks.enqueue(route, {}, options), code);
  });

  it("is refused when it is too large for the queue", async () => {
    const { route, tasks } = await serve();
    await expectRefusal(tasks.enqueue(route, { text: "x".repeat(800_000) }, { delay: 10 }), "INVALID_PAYLOAD");
    await tasks.enqueue(route, { text: "x".repeat(800_000) }, { delay: 0 });
  });

  it("is refused without a queue", async () => {
    const scene = await TopicScene.open();
    const route = new TaskRoute({ path: "x.task", run: () => {} });
    const env = { ...scene.options.env, TASKS_DEFERRAL_QUEUE: "" };
    const tasks = scene.adopt(createTasks({ ...scene.options, env, routes: [route], backend: pubsub() }));
    await expectRefusal(tasks.enqueue(route, {}, { delay: 1 }), "UNSUPPORTED");
    await expectRefusal(tasks.enqueue(route, {}, { dedupeKey: "a" }), "UNSUPPORTED");
  });
});

describe("a dead letter", () => {
  it("is kept in the topic for them, and listed, redriven and dropped from there", async () => {
    let useless = true;
    const { scene, route, tasks } = await serve(() => {
      if (useless) throw new Discard("no use");
    });
    for (const id of ["first", "second"]) {
      await tasks.enqueue(route, { id }, { id });
      await scene.outcomes(id === "first" ? 1 : 2, "discarded");
    }
    const letters = await tasks.deadLetters.list();
    expect(letters).toMatchObject([
      {
        taskId: "first",
        path: "x.task",
        taskName: "task",
        kwargs: { id: "first" },
        reason: "discarded",
        error: "Discard: no use",
        attempts: 1,
      },
      { taskId: "second" },
    ]);
    expect(await tasks.deadLetters.list()).toEqual(letters);
    expect([await tasks.deadLetters.drop("second"), await tasks.deadLetters.drop("second")]).toEqual([true, false]);
    useless = false;
    expect([await tasks.deadLetters.redrive("first"), await tasks.deadLetters.redrive("second")]).toEqual([
      true,
      false,
    ]);
    const [redriven] = await scene.outcomes(1, "done");
    expect(redriven).toMatchObject({ taskId: "first", attempt: 1 });
    expect(await tasks.deadLetters.list()).toEqual([]);
  });

  it("is what Pub/Sub itself gives up, whatever it holds", async () => {
    const { scene, route, tasks } = await serve();
    const publisher = await scene.clients.publisher();
    await publisher.publish({ topic: namesOf(route).topic, messages: [{ data: Buffer.from("no envelope") }] });
    // Pub/Sub gives it up after 15 deliveries, all of which are refused.
    for (let letters = 0; letters === 0; letters = (await tasks.deadLetters.list()).length)
      await scene.clock.advance(60_000);
    const [letter] = await tasks.deadLetters.list();
    expect(letter).toMatchObject({ path: "x.task", unreadable: "no envelope", reason: "undeliverable", attempts: 15 });
    await expectRefusal(tasks.deadLetters.redrive(letter?.taskId ?? ""), "INVALID_PAYLOAD");
    expect(await tasks.deadLetters.drop(letter?.taskId ?? "")).toBe(true);
  });

  it("that was parked twice, as its acknowledgement was lost, is redriven once", async () => {
    let useless = true;
    const { scene, route, tasks } = await serve(() => {
      if (useless) throw new Discard("no use");
    });
    scene.endpoint.interceptions.push(loseAnswer);
    await tasks.enqueue(route, {}, { id: "first" });
    await scene.outcomes(2, "discarded");
    expect(await tasks.deadLetters.list()).toHaveLength(2);
    useless = false;
    expect(await tasks.deadLetters.redrive("first")).toBe(true);
    expect(await tasks.deadLetters.list()).toEqual([]);
    await tasks.enqueue(route, {}, { id: "last" });
    const done = await scene.outcomes(2, "done");
    expect(done.map(({ taskId }) => taskId).toSorted()).toEqual(["first", "last"]);
  });

  it("that cannot be kept leaves the task where it is", async () => {
    const { scene, route, tasks } = await serve(() => {
      throw new Discard("no use");
    });
    const publisher = await scene.clients.publisher();
    await publisher.deleteTopic({ topic: namesOf(route).deadTopic });
    await tasks.enqueue(route);
    await scene.outcomes(1, "failed");
    expect(scene.lines.some(({ message }) => message.startsWith("a dead letter could not be kept"))).toBe(true);
    await publisher.createTopic({ name: namesOf(route).deadTopic });
    await scene.outcomes(1, "discarded");
  });
});

describe("a client", () => {
  it("has accepted everything that it took when it is closed", async () => {
    const { route, tasks } = await serve();
    const enqueued = Promise.all(Array.from({ length: 50 }, (_, n) => tasks.enqueue(route, { n })));
    await tasks.close();
    expect(await enqueued).toHaveLength(50);
    await expectRefusal(tasks.enqueue(route), "CLOSED");
  });

  it("needs a project, and an account for a deferral queue", () => {
    const route = new TaskRoute({ path: "x.task", run: () => {} });
    const build = (env: Record<string, string>) => () =>
      createTasks({ routes: [route], backend: pubsub(), env }).runtime.backend;
    expect(refusalOf(build({}), "INVALID_CONFIG")).toContain("GCP_PROJECT_ID");
    const deferring = { GCP_PROJECT_ID: PROJECT, TASKS_DEFERRAL_QUEUE: "true" };
    expect(refusalOf(build(deferring), "INVALID_CONFIG")).toContain("TASKS_SERVICE_ACCOUNT");
  });

  it("trusts no emulator in production", () => {
    const env = {
      NODE_ENV: "production",
      GCP_PROJECT_ID: PROJECT,
      TASKS_EMULATOR_HOST: "127.0.0.1:1",
      CLOUD_RUN_SERVICE_URL: "https://service.example",
      TASKS_SERVICE_ACCOUNT: "push@demo.iam.gserviceaccount.com",
    };
    const trustOf = (mode: string) =>
      createTasks({ routes: [], backend: pubsub(), env: { ...env, NODE_ENV: mode } }).runtime.backend.pushTrust;
    expect(trustOf("production")).toBeUndefined();
    expect(trustOf("development")).toMatchObject({ audience: "https://service.example" });
  });
});

it.each([
  [{ timeout: 0 }, "timeout"],
  [{ timeout: 601 }, "timeout"],
  [{ maxInFlight: 0 }, "maxInFlight"],
  [{ maxInFlight: 1.5 }, "maxInFlight"],
  [{ maxInFlightBytes: 10 }, "maxInFlightBytes"],
  [{ maxInflight: 1 }, "did you mean maxInFlight"],
])("pubsub(%j) is refused", (options, part) => {
  expect(refusalOf(() => pubsub(options as PubsubOptions), "INVALID_OPTION")).toContain(part);
});
