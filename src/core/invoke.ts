import type { Clock } from "./clock.ts";
import type { TaskContext } from "./context.ts";
import { describeError } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import { TasksError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { RunContext } from "./run-context.ts";
import { within } from "./within.ts";

/** What a context factory and a middleware are told about the run. `ctx.context` is not made yet in a factory. */
export interface RunInfo {
  readonly payload: unknown;
  readonly ctx: TaskContext;
}

/** Makes the service's own context for one run. Whatever has `Symbol.asyncDispose` or `Symbol.dispose` is disposed of after it. */
export type ContextFactory<C> = (info: RunInfo) => C | Promise<C>;

/**
 * Wraps every run: may look, measure, add an `AsyncLocalStorage` scope, or throw to fail the run. Calls `next` and returns
 * what it returns, or a result of its own. Calling `next` again gives the same promise. The run never ends before what `next`
 * started: a middleware that returns nothing is taken to have returned it, failure included.
 */
export type Middleware = (info: RunInfo, next: () => Promise<unknown>) => unknown;

/** What surrounds the body of a task. */
export interface Invocation {
  readonly context: ContextFactory<unknown> | undefined;
  readonly middleware: readonly Middleware[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long the disposal of a context may hold up the end of its run. */
const LONGEST_DISPOSAL_MS = 5000;

/** The body as the executor calls it: types were checked where the route was declared, and the payload by its schema. */
type Body = (payload: unknown, ctx: TaskContext) => unknown;

/** Runs a route's body within the service's context and middleware; a plain call where there is neither. */
export function invoke(invocation: Invocation, route: AnyRoute, payload: unknown, ctx: RunContext): unknown {
  const run = route.run as Body;
  if (invocation.middleware.length === 0 && invocation.context === undefined) return run.call(route, payload, ctx);
  const body = () => run.call(route, payload, ctx);
  const wrapped = invocation.middleware.length === 0 ? body : () => wrap(invocation.middleware, { payload, ctx }, body);
  return invocation.context === undefined
    ? wrapped()
    : inContext(invocation.context, { payload, ctx }, ctx, wrapped, invocation);
}

function wrap(middleware: readonly Middleware[], info: RunInfo, body: () => unknown): unknown {
  const from = (index: number): unknown => {
    const layer = middleware[index];
    return layer === undefined ? body() : throughLayer(layer, info, async () => from(index + 1));
  };
  return from(0);
}

/** A forgotten `return` or `await` must not acknowledge work that goes on, or has failed. */
async function throughLayer(layer: Middleware, info: RunInfo, enter: () => Promise<unknown>): Promise<unknown> {
  let inner: Promise<unknown> | undefined;
  const result = await layer(info, () => {
    inner ??= enter();
    // Waited for below; a layer that throws first must not leave it unhandled.
    inner.catch(() => {});
    return inner;
  });
  if (result === undefined) return inner;
  await inner?.catch(() => {});
  return result;
}

async function inContext(
  factory: ContextFactory<unknown>,
  info: RunInfo,
  ctx: RunContext,
  body: () => unknown,
  { clock, logger }: Invocation,
): Promise<unknown> {
  const context = await factory(info);
  ctx.context = context;
  try {
    // A factory that outlasted the deadline: the delivery is answered, and will come again.
    ctx.signal.throwIfAborted();
    return await body();
  } finally {
    // The work is done or has failed by now: a context that cannot be closed, or takes for ever, must not change that.
    const tooLong = () => {
      throw new TasksError(
        "TIMEOUT",
        `context: expected to be disposed of within ${LONGEST_DISPOSAL_MS / 1000} s, got no end`,
      );
    };
    await within(clock, LONGEST_DISPOSAL_MS, dispose(context), tooLong).catch((error: unknown) =>
      logger.error("a task's context could not be disposed of", {
        task: ctx.path,
        taskId: ctx.taskId,
        error: describeError(error),
      }),
    );
  }
}

async function dispose(context: unknown): Promise<void> {
  if ((typeof context !== "object" && typeof context !== "function") || context === null) return;
  const { [Symbol.asyncDispose]: disposeLater, [Symbol.dispose]: disposeNow } = context as Partial<
    AsyncDisposable & Disposable
  >;
  if (typeof disposeLater === "function") await disposeLater.call(context);
  else if (typeof disposeNow === "function") disposeNow.call(context);
}
