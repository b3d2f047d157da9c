import { describe, expect, it } from "vitest";
import { z } from "zod";
import { immediate } from "../../src/backends/immediate.ts";
import type { Receipt } from "../../src/core/backend.ts";
import type { TaskContext } from "../../src/core/context.ts";
import { TasksError } from "../../src/core/errors.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { refusalOf } from "../support/refusal.ts";
import { createScene, deliver, NOTHING, type SceneOptions } from "../support/scene.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const payload = z.object({ id: z.string() });
const mail = new TaskRoute({ path: "x.mail", payload, run: ({ id }) => id });
const offline = new Error("offline");

function client(scenery: SceneOptions = {}) {
  const scene = createScene(scenery);
  return { ...scene, tasks: createTasks({ ...scene.options, routes: [mail] }) };
}

describe("enqueue", () => {
  it("gives every task an id of its own", async () => {
    const { tasks, sent } = client();
    const runs = [await tasks.enqueue(mail, { id: "1" }), await tasks.enqueue(mail, { id: "1" })];
    expect(runs[0]?.id).toMatch(UUID);
    expect(runs[0]?.id).not.toBe(runs[1]?.id);
    expect(sent.map(({ id }) => id)).toEqual(runs.map(({ id }) => id));
  });

  it("tells the id of the earlier task when this one was not enqueued", async () => {
    const { tasks } = client({ send: () => ({ id: "earlier", deduplicated: true }) });
    expect(await tasks.enqueue(mail, { id: "1" }, { dedupeKey: "k" })).toMatchObject({
      id: "earlier",
      deduplicated: true,
    });
  });

  it("resolves once the backend has the task, and not before", async () => {
    const { promise, resolve } = Promise.withResolvers<Receipt>();
    const { tasks, clock } = client({ send: () => promise });
    let accepted = false;
    const run = tasks.enqueue(mail, { id: "1" }).then(() => {
      accepted = true;
    });
    await clock.advance(0);
    expect(accepted).toBe(false);
    resolve({ id: "1", deduplicated: false });
    await run;
    expect(accepted).toBe(true);
  });

  const refusals: readonly [what: string, send: () => Receipt | Promise<Receipt>][] = [
    ["rejects", () => Promise.reject(offline)],
    [
      "throws",
      () => {
        throw offline;
      },
    ],
  ];

  it.each(refusals)("is NOT_ACCEPTED when the backend %s", async (_what, send) => {
    const { tasks } = client({ send });
    await expect(tasks.enqueue(mail, { id: "1" })).rejects.toMatchObject({
      code: "NOT_ACCEPTED",
      cause: offline,
      message: expect.stringContaining('enqueue of "x.mail": expected the backend to take the task, got offline'),
    });
  });

  it("passes on what the backend itself says in terms of this library", async () => {
    const closed = new TasksError("CLOSED", "closed");
    const { tasks } = client({ send: () => Promise.reject(closed) });
    await expect(tasks.enqueue(mail, { id: "1" })).rejects.toBe(closed);
  });

  it("refuses a route that is not listed and a payload that its schema refuses, as a rejection", async () => {
    const { tasks, sent } = client();
    const enqueue = (...args: unknown[]): Promise<unknown> => Reflect.apply(tasks.enqueue, tasks, args);
    await expect(enqueue({ path: "x.other" })).rejects.toMatchObject({ code: "UNKNOWN_ROUTE" });
    await expect(enqueue(undefined)).rejects.toMatchObject({ code: "UNKNOWN_ROUTE" });
    await expect(enqueue(mail, { id: 5 })).rejects.toMatchObject({ code: "INVALID_PAYLOAD" });
    await expect(enqueue(mail)).rejects.toMatchObject({ code: "INVALID_PAYLOAD" });
    expect(sent).toEqual([]);
  });

  it("is there for a task as well, with its client's checks", async () => {
    const scene = createScene();
    const route = new TaskRoute({
      path: "x.first",
      run: async (_payload, ctx: TaskContext) => [
        await ctx.enqueue(mail, { id: "1" }, { delay: 5 }),
        await ctx.enqueue({ path: "x.other" }).catch((error: unknown) => error),
      ],
    });
    const tasks = createTasks({ ...scene.options, routes: [route, mail] });
    expect(await deliver(tasks, { taskName: "first" })).toMatchObject({
      type: "done",
      result: [{ id: scene.sent[0]?.id }, { code: "UNKNOWN_ROUTE" }],
    });
    expect(scene.sent).toMatchObject([{ payloadJson: '{"id":"1"}', runAt: scene.clock.now() + 5000 }]);
  });
});

describe("enqueueMany", () => {
  const items = ["1", "2", "3"].map((id) => ({ payload: { id } }));

  it("reports what was accepted and what was not, so that the rest can be repeated under the same ids", async () => {
    let healthy = false;
    const { tasks, sent } = client({
      send: ({ id, payloadJson }) => {
        if (!healthy && payloadJson.includes("2")) throw offline;
        return { id, deduplicated: false };
      },
    });
    const first = await tasks.enqueueMany(mail, items);
    expect(first.accepted.map(({ id }) => id)).toEqual([sent[0]?.id, sent[2]?.id]);
    expect(first.failed).toMatchObject([
      { item: { payload: { id: "2" }, id: sent[1]?.id }, error: { code: "NOT_ACCEPTED", cause: offline } },
    ]);
    healthy = true;
    const again = await tasks.enqueueMany(
      mail,
      first.failed.map(({ item }) => item),
    );
    expect(again).toMatchObject({ accepted: [{ id: sent[1]?.id }], failed: [] });
  });

  it("sends nothing when one item is wrong", async () => {
    const { tasks, sent } = client();
    const wrong = { payload: { id: 5 } } as never;
    await expect(tasks.enqueueMany(mail, [...items, wrong])).rejects.toMatchObject({ code: "INVALID_PAYLOAD" });
    const options = { payload: { id: "4" }, delay: -1 };
    await expect(tasks.enqueueMany(mail, [...items, options])).rejects.toMatchObject({ code: "INVALID_OPTION" });
    expect(sent).toEqual([]);
  });

  it("takes the options of enqueue for each item", async () => {
    const { tasks, sent, clock } = client();
    await tasks.enqueueMany(mail, [{ payload: { id: "1" }, delay: 5, id: "mine" }, { payload: { id: "2" } }]);
    expect(sent).toMatchObject([{ id: "mine", runAt: clock.now() + 5000 }, { runAt: undefined }]);
  });

  it("leaves batches to a backend that can send them", async () => {
    const { tasks, sent } = client({
      overrides: {
        sendMany: async (many) =>
          many.map(({ id }, index) =>
            index === 1
              ? { status: "rejected", reason: offline }
              : { status: "fulfilled", value: { id, deduplicated: false } },
          ),
      },
    });
    const { accepted, failed } = await tasks.enqueueMany(mail, items);
    expect([accepted.length, failed.length, sent.length]).toEqual([2, 1, 0]);
    expect(failed).toMatchObject([{ item: { payload: { id: "2" } }, error: { code: "NOT_ACCEPTED" } }]);
  });

  it("of nothing is nothing", async () => {
    expect(await client().tasks.enqueueMany(mail, [])).toEqual({ accepted: [], failed: [] });
  });
});

describe("the result of a task", () => {
  const resultOf = async (outcome: Outcome) => {
    const { tasks } = client({ send: ({ id }) => ({ id, deduplicated: false, outcome: async () => outcome }) });
    const run = await tasks.enqueue(mail, { id: "1" });
    expect(await run.outcome()).toBe(outcome);
    return run.result();
  };

  it.each([
    ["text", "text"],
    [undefined, undefined],
    [{ at: new Date(0), gone: undefined }, { at: "1970-01-01T00:00:00.000Z" }],
    [() => {}, null],
  ])("is what it returned, as JSON carries it: %o", async (result, carried) => {
    expect(await resultOf({ type: "done", result })).toEqual(carried);
  });

  const failures: readonly [outcome: Outcome, text: string][] = [
    [{ type: "failed", error: offline, retryAfter: undefined }, "got failed; see cause"],
    [{ type: "discarded", reason: "exhausted", error: offline }, "got discarded: exhausted; see cause"],
    [{ type: "rejected", reason: "invalid-payload", error: offline }, "got rejected: invalid-payload; see cause"],
  ];

  it.each(failures)("throws when the task did not succeed: %o", async (outcome, text) => {
    await expect(resultOf(outcome)).rejects.toMatchObject({
      code: "TASK_FAILED",
      cause: offline,
      message: expect.stringContaining(text),
    });
  });

  it("is waited for as long as it is told to", async () => {
    const never = () => new Promise<Outcome>(() => {});
    const { tasks, clock } = client({ send: ({ id }) => ({ id, deduplicated: false, outcome: never }) });
    const run = await tasks.enqueue(mail, { id: "1" });
    const results = [run.result({ timeout: 5 }), run.outcome({ timeout: 5 })];
    const settled = Promise.allSettled(results);
    await clock.advance(5000);
    expect(await settled).toMatchObject(Array(2).fill({ status: "rejected", reason: { code: "TIMEOUT" } }));
  });

  it("leaves no timer behind when it comes in time", async () => {
    const { options, clock } = createScene();
    const tasks = createTasks({ ...options, backend: immediate(), routes: [mail] });
    expect(await (await tasks.enqueue(mail, { id: "1" })).result({ timeout: 5 })).toBe("1");
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });

  it("is UNSUPPORTED where the backend keeps none", async () => {
    const { tasks } = client({ capabilities: NOTHING });
    const run = await tasks.enqueue(mail, { id: "1" });
    await expect(run.result()).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(run.outcome()).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

describe("a client", () => {
  it("knows the names of a listed route's resources", () => {
    const { tasks } = client({ env: { TASKS_ENVIRONMENT: "prod", TASKS_NAMESPACE: "shop" } });
    expect(tasks.names(mail).topicName).toBe("prod--shop.tasks--x.mail");
    expect(refusalOf(() => tasks.names({ path: "x.other" }), "UNKNOWN_ROUTE")).toContain("x.other");
  });

  it.each([
    ["keeps none", { deadLetters: null }],
    ["cannot list them", {}],
  ])("shows no dead letters of a backend that %s", (_what, scenery) => {
    expect(refusalOf(() => client(scenery).tasks.deadLetters, "UNSUPPORTED")).toContain("got fake");
  });
});
