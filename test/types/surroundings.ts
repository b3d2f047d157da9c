// What surrounds the tasks: context, middleware, hooks, backends; checked by tsc, never run.
import {
  type AnyRoute,
  type AnyTasks,
  type Authenticator,
  type AuthFactory,
  type BackendFactory,
  type ContextOf,
  createTasks,
  type EnqueuedEvent,
  type FinishedEvent,
  type Hooks,
  type InputOf,
  immediate,
  isTasksError,
  type Logger,
  type Middleware,
  type Outcome,
  type ResultOf,
  type StartedEvent,
  type TaskContext,
  TaskRoute,
  TasksError,
} from "taskroute";
import { createPushHandler, type PushHandler } from "taskroute/push";
import { expectTypeOf } from "vitest";
import { z } from "zod";

interface Database {
  readonly query: (sql: string) => Promise<number>;
}

const plain = new TaskRoute({
  path: "z.plain",
  payload: z.object({ id: z.string() }),
  run: (_payload, ctx) => {
    expectTypeOf(ctx).toEqualTypeOf<TaskContext<unknown>>();
    expectTypeOf(ctx.context).toEqualTypeOf<unknown>();
    expectTypeOf(ctx.signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(ctx.deadline).toEqualTypeOf<Date>();
    expectTypeOf(ctx.enqueuedAt).toEqualTypeOf<Date | undefined>();
    expectTypeOf(ctx.logger).toEqualTypeOf<Logger>();
    expectTypeOf(ctx.taskId).toEqualTypeOf<string>();
    expectTypeOf([ctx.attempt, ctx.maxAttempts]).toEqualTypeOf<number[]>();
    // @ts-expect-error the context is to be read
    ctx.attempt = 2;
    return "text" as const;
  },
});
const stored = new TaskRoute({
  path: "z.stored",
  run: async (_payload, { context }: TaskContext<{ db: Database }>) => {
    expectTypeOf(context).toEqualTypeOf<{ db: Database }>();
    // @ts-expect-error the context has no such service
    context.mailer;
    return context.db.query("select 1");
  },
});
const mailing = new TaskRoute({
  path: "z.mailing",
  run: (_payload, { context }: TaskContext<{ mailer: string }>) => context.mailer,
});

// What routes ask for adds up.
expectTypeOf<ContextOf<[typeof plain]>>().toEqualTypeOf<unknown>();
expectTypeOf<ContextOf<[typeof stored, typeof mailing, typeof plain]>>().toEqualTypeOf<
  { db: Database } & { mailer: string }
>();
expectTypeOf<InputOf<typeof plain>>().toEqualTypeOf<{ id: string }>();
expectTypeOf<ResultOf<typeof plain>>().toEqualTypeOf<"text">();
expectTypeOf<ResultOf<typeof stored>>().toEqualTypeOf<number>();

const db: Database = { query: async () => 1 };

// A factory may be synchronous or not, may give more than is asked for, and sees the run.
createTasks({ routes: [plain] });
createTasks({ routes: [plain], context: () => ({ anything: 1 }) });
createTasks({ routes: [stored], context: async () => ({ db, more: 1 }) });
createTasks({ routes: [stored, mailing, plain], context: () => ({ db, mailer: "" }) });
createTasks({
  routes: [stored],
  context: ({ payload, ctx }) => {
    expectTypeOf(payload).toEqualTypeOf<unknown>();
    expectTypeOf(ctx).toEqualTypeOf<TaskContext>();
    return { db, [Symbol.asyncDispose]: async () => {} };
  },
});
// @ts-expect-error a service is missing
createTasks({ routes: [stored, mailing], context: () => ({ db }) });
// @ts-expect-error a service has another type
createTasks({ routes: [stored], context: () => ({ db: "postgres" }) });
// @ts-expect-error a context is made by a function
createTasks({ routes: [stored], context: { db } });

// Middleware sees the run and passes on what it came to.
const timed: Middleware = async ({ ctx, payload }, next) => {
  expectTypeOf(ctx).toEqualTypeOf<TaskContext>();
  expectTypeOf(payload).toEqualTypeOf<unknown>();
  expectTypeOf(next()).toEqualTypeOf<Promise<unknown>>();
  return next();
};
createTasks({ routes: [plain], middleware: [timed, (_info, next) => next()] });
// @ts-expect-error middleware is a list
createTasks({ routes: [plain], middleware: timed });

// Hooks are told what happened.
const hooks: Hooks = {
  enqueued: (event) => expectTypeOf(event).toEqualTypeOf<EnqueuedEvent>(),
  started: (event) => expectTypeOf(event).toEqualTypeOf<StartedEvent>(),
  finished: async (event) => {
    expectTypeOf(event).toEqualTypeOf<FinishedEvent>();
    expectTypeOf(event.outcome).toEqualTypeOf<Outcome>();
  },
};
const tasks = createTasks({ routes: [plain], hooks, backend: immediate({ throwOnFailure: true }) });
// @ts-expect-error no such hook
createTasks({ routes: [plain], hooks: { failed: () => {} } });
// @ts-expect-error no such option
immediate({ throwOnFailur: true });

// The outcome is a closed union: whoever handles it can be held to handle all of it.
export function told(outcome: Outcome): string {
  switch (outcome.type) {
    case "done":
    case "failed":
    case "denied":
      return outcome.type;
    case "skipped":
    case "discarded":
    case "rejected":
    case "busy":
      return outcome.reason;
    case "refused":
      return String(outcome.status);
  }
}

// Any client will do for handlers, and any route for lists.
expectTypeOf(tasks).toExtend<AnyTasks>();
expectTypeOf(plain).toExtend<AnyRoute>();
expectTypeOf(createPushHandler(tasks, { route: plain, bodyLimit: 1024 })).toEqualTypeOf<PushHandler>();
// @ts-expect-error a backend's factory is not a backend
createTasks({ routes: [plain], backend: { name: "mine" } });

// Authentication and backends of one's own.
export const auth: AuthFactory = ({ production }): Authenticator => ({
  kind: "none",
  authenticate: (header) =>
    production ? { ok: false, reason: "no" } : { ok: true, principal: header("x-user") ?? "" },
});
export const backend: BackendFactory = () => ({
  name: "mine",
  capabilities: {
    delay: false,
    dedupe: false,
    priority: false,
    ordering: false,
    durable: false,
    results: false,
    overlap: false,
  },
  send: ({ id }) => ({ id, deduplicated: false }),
  close: async () => {},
});

try {
  await tasks.enqueue(plain, { id: "1" });
} catch (error) {
  if (isTasksError(error, "UNSUPPORTED")) expectTypeOf(error).toEqualTypeOf<TasksError>();
}
// @ts-expect-error codes are a closed union
new TasksError("OOPS", "text");
