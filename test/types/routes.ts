// What must infer, and what the compiler must refuse; checked by tsc, never run.
import { Busy, createTasks, Discard, type TaskContext, TaskRoute } from "taskroute";
import { expectTypeOf } from "vitest";
import { z } from "zod";

type App = { db: { q(s: string): Promise<number> } };

const a = new TaskRoute({
  path: "x.a",
  payload: z.object({ id: z.string(), n: z.coerce.number() }),
  run: async ({ id, n }, ctx) => ({ len: id.length + n, at: ctx.attempt }),
});
const b = new TaskRoute({
  path: "x.b",
  run: async (p) => {
    expectTypeOf(p).toEqualTypeOf<Record<string, unknown>>();
    return 1;
  },
});
const c = new TaskRoute({
  path: "x.c",
  payload: z.object({ k: z.number().default(1) }),
  run: async ({ k }, ctx: TaskContext<App>) => ctx.context.db.q(String(k)),
});
const d = new TaskRoute({
  path: "x.d",
  payload: z.object({ id: z.string() }),
  run: ({ id }, ctx: TaskContext<{ log: string }>) => ctx.enqueue(a, { id, n: 1 }),
});
const e = new TaskRoute({ path: "x.e", payload: z.object({ id: z.string() }), run: async () => 1 });

const tasks = createTasks({ routes: [a, b, c, d], context: () => ({ db: { q: async () => 1 }, log: "" }) });

// Results are what the body returns, promises unwrapped.
const r = await tasks.enqueue(a, { id: "1", n: "2" });
expectTypeOf(await r.result()).toEqualTypeOf<{ len: number; at: number }>();
expectTypeOf(await (await tasks.enqueue(c)).result()).toEqualTypeOf<number>();
expectTypeOf(await (await tasks.enqueue(d, { id: "1" })).result()).toEqualTypeOf<{ readonly id: string }>();
expectTypeOf(r.id).toEqualTypeOf<string>();
expectTypeOf(r.deduplicated).toEqualTypeOf<boolean>();

// A payload may be left out where the empty object will do.
await tasks.enqueue(c, {});
await tasks.enqueue(c);
await tasks.enqueue(b, {});
await tasks.enqueue(b, { anything: new Date() }, { delay: 5 });
await tasks.enqueue(c, undefined, { delay: 5 });

// @ts-expect-error not registered
await tasks.enqueue(e, { id: "" });
// @ts-expect-error wrong payload
await tasks.enqueue(a, { id: 1, n: 2 });
// @ts-expect-error missing payload
await tasks.enqueue(a);
// @ts-expect-error a field too many
await tasks.enqueue(d, { id: "1", more: true });
// @ts-expect-error payload is no object
await tasks.enqueue(b, "text");
// @ts-expect-error an option that does not exist
await tasks.enqueue(b, {}, { dely: 5 });
// @ts-expect-error an option of the wrong type
await tasks.enqueue(b, {}, { runAt: "2026-01-01" });

// @ts-expect-error context missing
createTasks({ routes: [c] });
// @ts-expect-error context lacks log
createTasks({ routes: [c, d], context: () => ({ db: { q: async () => 1 } }) });
// @ts-expect-error payload must be an object (kwargs)
new TaskRoute({ path: "x.f", payload: z.string(), run: async () => 1 });
// @ts-expect-error a route needs a body
new TaskRoute({ path: "x.f" });
// @ts-expect-error a route needs a path
new TaskRoute({ run: async () => 1 });
// @ts-expect-error an option that does not exist
new TaskRoute({ path: "x.f", run: async () => 1, ackDeadine: 5 });
// @ts-expect-error an option of createTasks that does not exist
createTasks({ routes: [a], enviroment: "prod" });

export const ok = createTasks({ routes: [a, b] });

// Routes may be made within the list, and infer all the same.
const inline = createTasks({
  routes: [
    new TaskRoute({ path: "x.g", payload: z.object({ id: z.string() }), run: ({ id }) => id.length }),
    new TaskRoute({ path: "x.h", run: async (_payload, ctx: TaskContext<App>) => ctx.context.db.q("") }),
    new TaskRoute({ path: "x.i", run: () => {} }),
  ],
  context: (): App => ({ db: { q: async () => 1 } }),
});
expectTypeOf(await (await inline.enqueue({ path: "x.g" }, { id: "1" })).result()).toEqualTypeOf<number>();
expectTypeOf(await (await inline.enqueue({ path: "x.i" })).result()).toEqualTypeOf<void>();
// @ts-expect-error wrong payload for a route made within the list
await inline.enqueue({ path: "x.g" }, { id: 1 });

// What may be missing stays so.
const maybe = new TaskRoute({ path: "x.l", run: (): string | undefined => undefined });
const maybeRun = await createTasks({ routes: [maybe] }).enqueue(maybe);
expectTypeOf(await maybeRun.result()).toEqualTypeOf<string | undefined>();

// A schedule's payload is what its schema takes in, not what it gives out.
export const scheduled = new TaskRoute({
  path: "x.j",
  payload: z.object({ n: z.coerce.number<string>() }),
  schedule: "0 9 * * *",
  schedulePayload: { n: "5" },
  run: ({ n }) => expectTypeOf(n).toEqualTypeOf<number>(),
});
new TaskRoute({
  path: "x.k",
  payload: z.object({ n: z.number() }),
  schedule: "0 9 * * *",
  // @ts-expect-error wrong payload of a schedule
  schedulePayload: { n: "5" },
  run: () => {},
});

// enqueueMany types every item as enqueue types its payload.
const { accepted, failed } = await tasks.enqueueMany(a, [
  { payload: { id: "1", n: 2 } },
  { payload: { id: "2", n: "3" }, delay: 60, dedupeKey: "k" },
]);
expectTypeOf(await accepted[0]?.result()).toEqualTypeOf<{ len: number; at: number } | undefined>();
await tasks.enqueueMany(
  a,
  failed.map(({ item }) => item),
);
// @ts-expect-error wrong payload of an item
await tasks.enqueueMany(a, [{ payload: { id: 1, n: 2 } }]);
// @ts-expect-error an item without its payload
await tasks.enqueueMany(a, [{ delay: 5 }]);
// @ts-expect-error an option of an item that does not exist
await tasks.enqueueMany(a, [{ payload: { id: "1", n: 2 }, dely: 5 }]);
// @ts-expect-error not registered
await tasks.enqueueMany(e, [{ payload: { id: "1" } }]);

// The path is part of a route's type, and so are its names.
expectTypeOf(a.path).toEqualTypeOf<"x.a">();
expectTypeOf(a.topicName).toEqualTypeOf<string>();
// @ts-expect-error names are for routes of any list, but only for routes
tasks.names("x.a");

// @ts-expect-error seconds, not text
new Busy("", { retryAfter: "5" });
export const discard: Error = new Discard("why", { cause: new Error("because") });
