import type { RouteRef } from "../core/declaration.ts";
import { asTestTasks, type Finding, isDelivered, isDrained, isEnqueued, isSucceeded } from "./expectations.ts";
import type { PayloadPart } from "./payload-part.ts";

/**
 * What `expect(tasks)` can do once `expect.extend(taskMatchers)` was called. To be merged into the framework's own
 * interface, so that the compiler knows it: see the guide.
 */
export interface TaskMatchers<R = void> {
  /** That a task of a route was enqueued since the client was made, whether or not it was delivered. */
  toHaveEnqueued<I>(route: RouteRef<string, I>, part?: PayloadPart<NoInfer<I>>): R;
  /** That a task of a route was delivered, whatever came of it. */
  toHaveDelivered<I>(route: RouteRef<string, I>, part?: PayloadPart<NoInfer<I>>): R;
  /** That a task of a route was delivered, returned and was acknowledged. */
  toHaveSucceeded<I>(route: RouteRef<string, I>, part?: PayloadPart<NoInfer<I>>): R;
  /** That no task waits or is under way. */
  toBeDrained(): R;
}

/** What a matcher answers, as Jest and Vitest take it. */
export interface MatcherResult {
  readonly pass: boolean;
  message(): string;
}

/** A matcher about tasks of a route. */
export type RouteMatcher = (tasks: unknown, route: { readonly path: string }, part?: unknown) => MatcherResult;

function result({ holds, text }: Finding): MatcherResult {
  return { pass: holds, message: () => text };
}

/** The matchers of {@link TaskMatchers}, for `expect.extend` of Vitest and Jest. */
export const taskMatchers: {
  toHaveEnqueued: RouteMatcher;
  toHaveDelivered: RouteMatcher;
  toHaveSucceeded: RouteMatcher;
  toBeDrained(tasks: unknown): MatcherResult;
} = {
  toHaveEnqueued: (tasks, route, part) => result(isEnqueued(asTestTasks("toHaveEnqueued", tasks), route, part)),
  toHaveDelivered: (tasks, route, part) => result(isDelivered(asTestTasks("toHaveDelivered", tasks), route, part)),
  toHaveSucceeded: (tasks, route, part) => result(isSucceeded(asTestTasks("toHaveSucceeded", tasks), route, part)),
  toBeDrained: (tasks) => result(isDrained(asTestTasks("toBeDrained", tasks))),
};
