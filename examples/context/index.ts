/**
 * What a task needs from its service: a database connection of its own, a request scope, a metric. The context is made for
 * each run and disposed of after it, whether the task returned or threw.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { createTasks, immediate, type Middleware, silentLogger, type TaskContext, TaskRoute } from "taskroute";
import { z } from "zod";

/** What the tasks of this service work with. */
interface App {
  readonly db: Connection;
}

/** Stands for a connection of a pool. */
class Connection implements AsyncDisposable {
  async query(sql: string, values: readonly string[]): Promise<string> {
    console.log(`  ${sql} [${values}]`);
    if (values.includes("ghost")) throw new Error("no such user");
    return "Ada";
  }
  async [Symbol.asyncDispose](): Promise<void> {
    console.log("  connection released");
  }
}

/** Annotating `ctx` is all it takes: `createTasks` then asks for a `context` that fits every route. */
const greet = new TaskRoute({
  path: "accounts.greet",
  payload: z.object({ userId: z.string() }),
  run: async ({ userId }, ctx: TaskContext<App>) => {
    const name = await ctx.context.db.query("select name from users where id = $1", [userId]);
    log(`greeting ${name}`);
    return `Hello, ${name}`;
  },
});

/** The run that a line of any function, however deep, belongs to. */
const currentRun = new AsyncLocalStorage<{ taskId: string }>();

function log(message: string): void {
  console.log(`  [${currentRun.getStore()?.taskId}] ${message}`);
}

/** Wraps every run. What it does not catch goes on to the library, which retries. */
const inScope: Middleware = ({ ctx }, next) => currentRun.run({ taskId: ctx.taskId }, next);

const measured: Middleware = async ({ ctx }, next) => {
  try {
    return await next();
  } finally {
    console.log(`  ${ctx.name} measured`);
  }
};

const tasks = createTasks({
  routes: [greet],
  context: (): App & AsyncDisposable => {
    const db = new Connection();
    return { db, [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() };
  },
  middleware: [inScope, measured],
  backend: immediate(),
  logger: silentLogger,
});

for (const userId of ["42", "ghost"]) {
  console.log(`user ${userId}`);
  const run = await tasks.enqueue(greet, { userId }, { id: `greet-${userId}` });
  const outcome = await run.outcome();
  console.log(`  ${outcome.type}`);
}

// Output:
// user 42
//   select name from users where id = $1 [42]
//   [greet-42] greeting Ada
//   greet measured
//   connection released
//   done
// user ghost
//   select name from users where id = $1 [ghost]
//   greet measured
//   connection released
//   failed
