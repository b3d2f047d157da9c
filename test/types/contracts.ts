// Contracts: enqueuing without the body; checked by tsc, never run.
import { createTasks, type TaskContext, TaskContract, TaskRoute } from "taskroute";
import { expectTypeOf } from "vitest";
import { z } from "zod";

// Two routes that enqueue each other refer to each other's contracts.
const ping = new TaskContract({ path: "y.ping", payload: z.object({ n: z.number() }) });
const pong = new TaskContract({ path: "y.pong", payload: z.object({ n: z.number() }) });
export const pingR = ping.route(({ n }, ctx) => ctx.enqueue(pong, { n: n - 1 }));
export const pongR = pong.route(({ n }, ctx) => ctx.enqueue(ping, { n: n - 1 }));
export const again = ping.route(({ n }, ctx) => ctx.enqueue(ping, { n }));
// @ts-expect-error wrong payload through a contract
ping.route((_, ctx) => ctx.enqueue(pong, { n: "1" }));
// @ts-expect-error missing payload through a contract
ping.route((_, ctx) => ctx.enqueue(pong));

// An annotation breaks the circle of a route that enqueues itself as well,
export const self: TaskRoute<"y.self", { n: number }> = new TaskRoute({
  path: "y.self",
  payload: z.object({ n: z.number() }),
  run: ({ n }, ctx) => ctx.enqueue(self, { n: n - 1 }),
});
// and so does one on what it returns.
export const self2 = new TaskRoute({
  path: "y.self2",
  payload: z.object({ n: z.number() }),
  run: ({ n }, ctx): Promise<{ id: string }> => ctx.enqueue(self2, { n: n - 1 }),
});

const worker = createTasks({ routes: [pingR, pongR, self, self2] });
await worker.enqueue(ping, { n: 1 });
await worker.enqueue(pingR, { n: 1 });
// @ts-expect-error wrong payload through a listed route's contract
await worker.enqueue(ping, { n: "1" });

// A service that only produces lists contracts; what their bodies return is not known to it.
const producer = createTasks({ routes: [ping, pong] });
const run = await producer.enqueue(ping, { n: 1 });
expectTypeOf(await run.result()).toEqualTypeOf<unknown>();
await producer.enqueueMany(pong, [{ payload: { n: 1 } }]);
// @ts-expect-error wrong payload
await producer.enqueue(ping, { n: "1" });
// @ts-expect-error not registered
await producer.enqueue(self, { n: 1 });

// A contract has no body and no context; its route may ask for one.
// @ts-expect-error a contract has no body
new TaskContract({ path: "y.body", run: () => {} });
const withContext = ping.route(async (_payload, ctx: TaskContext<{ log: string }>) => ctx.context.log);
createTasks({ routes: [withContext], context: () => ({ log: "" }) });
// @ts-expect-error context missing
createTasks({ routes: [withContext] });

// Defaults and coercions: callers give the schema's input, the body gets its output.
const typed = new TaskContract({
  path: "y.typed",
  payload: z.object({ at: z.coerce.date<string>(), retries: z.number().default(3) }),
});
export const typedR = typed.route(({ at, retries }) => {
  expectTypeOf(at).toEqualTypeOf<Date>();
  expectTypeOf(retries).toEqualTypeOf<number>();
  return { at };
});
const typedTasks = createTasks({ routes: [typedR] });
expectTypeOf(await (await typedTasks.enqueue(typed, { at: "2026-01-01" })).result()).toEqualTypeOf<{ at: Date }>();
// @ts-expect-error the input is a text
await typedTasks.enqueue(typed, { at: new Date() });
