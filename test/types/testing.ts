// What the test kit must infer, and what the compiler must refuse; checked by tsc, never run.
import { type TaskContext, TaskContract, TaskRoute, VirtualClock } from "taskroute";
import {
  type AnyTestTasks,
  type AsJson,
  assertDelivered,
  assertEnqueued,
  assertSucceeded,
  createTestTasks,
  pushRequest,
  type TaskMatchers,
  type TestTasks,
  taskMatchers,
} from "taskroute/testing";
import { expect, expectTypeOf } from "vitest";
import { z } from "zod";

const mail = new TaskRoute({
  path: "t.mail",
  payload: z.object({ to: z.string(), at: z.date().optional(), tags: z.array(z.string()).default([]) }),
  run: ({ to }) => to.length,
});
const close = new TaskRoute({
  path: "t.close",
  schedule: "0 9 * * *",
  run: async (_payload, ctx: TaskContext<{ db: string }>) => ctx.context.db,
});
const stranger = new TaskRoute({ path: "t.stranger", payload: z.object({ id: z.string() }), run: () => {} });
const contract = new TaskContract({ path: "t.contract", payload: z.object({ n: z.number() }) });

const tasks = createTestTasks({ routes: [mail, close, contract], context: () => ({ db: "" }) });
expectTypeOf(tasks).toExtend<AnyTestTasks>();
expectTypeOf(tasks.clock).toEqualTypeOf<VirtualClock>();
expectTypeOf(tasks.now).toEqualTypeOf<Date>();

// Options are those of createTasks, but for the backend.
createTestTasks({ routes: [mail], clock: new VirtualClock(), patience: 1, allowDeadLetters: true, onCrash: () => {} });
// @ts-expect-error context missing
createTestTasks({ routes: [close] });
// @ts-expect-error the backend is the kit's own
createTestTasks({ routes: [mail], backend: () => {} });
// @ts-expect-error the clock must be one that is turned by hand
createTestTasks({ routes: [mail], clock: { now: () => 0 } });

// A delivery of a route has its payload, as JSON carries it, and its result.
const delivered = await tasks.deliverNext(mail);
expectTypeOf(delivered.path).toEqualTypeOf<"t.mail">();
expectTypeOf(delivered.payload).toEqualTypeOf<
  AsJson<{ to: string; at?: Date | undefined; tags?: string[] | undefined }>
>();
expectTypeOf(delivered.payload.at).toEqualTypeOf<string | undefined>();
expectTypeOf(delivered.payload.tags).toEqualTypeOf<readonly string[] | undefined>();
if (delivered.outcome.type === "done") expectTypeOf(delivered.outcome.result).toEqualTypeOf<number>();
if (delivered.outcome.type === "failed") expectTypeOf(delivered.outcome.error).toEqualTypeOf<unknown>();
expectTypeOf((await tasks.runSchedule(close)).path).toEqualTypeOf<"t.close">();
expectTypeOf((await tasks.redeliverLast(mail)).payload.to).toEqualTypeOf<string>();

// Lists are told apart by the path.
for (const record of [...tasks.enqueued, ...tasks.pending, ...tasks.delivered, ...tasks.succeeded]) {
  expectTypeOf(record.path).toEqualTypeOf<"t.mail" | "t.close" | "t.contract">();
  if (record.path === "t.mail") expectTypeOf(record.payload.to).toEqualTypeOf<string>();
  if (record.path === "t.contract") expectTypeOf(record.payload.n).toEqualTypeOf<number>();
}

// @ts-expect-error not in the list
await tasks.deliverNext(stranger);
// @ts-expect-error not in the list
tasks.crashDuring(stranger);
// @ts-expect-error not in the list
await tasks.runSchedule(stranger);
// @ts-expect-error a moment, not a number of seconds
await tasks.deliverUntil(60);
// @ts-expect-error a field of the wrong type
await tasks.enqueue(mail, { to: 1 });

// A part of a payload: fields may be missing, texts may be patterns, anything may be a matcher.
assertEnqueued(tasks, mail);
assertEnqueued(tasks, mail, { to: /@example\.com$/ });
assertEnqueued(tasks, mail, { at: new Date(), tags: ["a"] });
assertDelivered(tasks, mail, { at: "2026-01-01T00:00:00.000Z", to: expect.any(String) });
assertSucceeded(tasks, contract, { n: expect.any(Number) });
assertEnqueued(tasks, close, { anything: 1 });
// @ts-expect-error a field that does not exist
assertEnqueued(tasks, mail, { too: "" });
// @ts-expect-error a field of the wrong type
assertDelivered(tasks, mail, { to: 1 });
// @ts-expect-error an element of the wrong type
assertSucceeded(tasks, mail, { tags: [1] });

// Matchers are typed once the framework's own interface was told of them.
export const matchers: TaskMatchers<void> = expect(tasks);
matchers.toHaveEnqueued(mail, { to: "ada" });
// @ts-expect-error a field of the wrong type
matchers.toHaveEnqueued(mail, { to: 1 });
expect.extend(taskMatchers);

// A push is typed by its route, and is what fetch takes.
const push = await pushRequest(mail, { to: "ada" }, { attempt: 2, token: "expired" });
await fetch("http://127.0.0.1", push);
new Request("http://127.0.0.1", push);
await pushRequest(contract, { n: 1 });
// @ts-expect-error wrong payload
await pushRequest(mail, { to: 1 });
// @ts-expect-error missing payload
await pushRequest(mail);
// @ts-expect-error a kind of token that does not exist
await pushRequest(mail, { to: "" }, { token: "stolen" });

// A helper of one's own can take any client.
export const count = (any: AnyTestTasks): number => any.delivered.length;
count(tasks);
export function only(client: TestTasks<typeof mail>): string | undefined {
  return client.succeeded[0]?.payload.to;
}
