import { AssertionError } from "node:assert";
import type { RouteRef } from "../core/declaration.ts";
import {
  type AnyTestTasks,
  asTestTasks,
  type Finding,
  isDelivered,
  isDrained,
  isEnqueued,
  isSucceeded,
} from "./expectations.ts";
import type { PayloadPart } from "./payload-part.ts";

function assertHolds({ holds, text }: Finding, assertion: (...given: never[]) => void): void {
  if (!holds) throw new AssertionError({ message: text, stackStartFn: assertion });
}

/**
 * Asserts that a task of a route was enqueued since the client was made, whether or not it was delivered.
 *
 * @param part some of its payload. Default: any.
 * @throws AssertionError that shows what was enqueued instead.
 */
export function assertEnqueued<I>(
  tasks: AnyTestTasks,
  route: RouteRef<string, I>,
  part?: PayloadPart<NoInfer<I>>,
): void {
  assertHolds(isEnqueued(asTestTasks("assertEnqueued", tasks), route, part), assertEnqueued);
}

/**
 * Asserts that a task of a route was delivered, whatever came of it.
 *
 * @param part some of its payload. Default: any.
 * @throws AssertionError that shows what was delivered instead.
 */
export function assertDelivered<I>(
  tasks: AnyTestTasks,
  route: RouteRef<string, I>,
  part?: PayloadPart<NoInfer<I>>,
): void {
  assertHolds(isDelivered(asTestTasks("assertDelivered", tasks), route, part), assertDelivered);
}

/**
 * Asserts that a task of a route was delivered, returned and was acknowledged.
 *
 * @param part some of its payload. Default: any.
 * @throws AssertionError that shows what was delivered instead, and what came of it.
 */
export function assertSucceeded<I>(
  tasks: AnyTestTasks,
  route: RouteRef<string, I>,
  part?: PayloadPart<NoInfer<I>>,
): void {
  assertHolds(isSucceeded(asTestTasks("assertSucceeded", tasks), route, part), assertSucceeded);
}

/**
 * Asserts that no task waits or is under way.
 *
 * @throws AssertionError that lists those that are left.
 */
export function assertDrained(tasks: AnyTestTasks): void {
  assertHolds(isDrained(asTestTasks("assertDrained", tasks)), assertDrained);
}
