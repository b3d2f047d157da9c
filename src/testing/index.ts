export { assertDelivered, assertDrained, assertEnqueued, assertSucceeded } from "./assertions.ts";
export { createTestTasks, type TestOptions, type TestTasksOptions } from "./create-test-tasks.ts";
export type { AnyTestTasks } from "./expectations.ts";
export { type MatcherResult, type RouteMatcher, type TaskMatchers, taskMatchers } from "./matchers.ts";
export type { PayloadPart } from "./payload-part.ts";
export { type PushRequestOptions, pushRequest, type TestPush } from "./push-request.ts";
export type { AsJson, DeliveredTask, EnqueuedTask, PendingTask } from "./records.ts";
export { type TestIdentity, testIdentity } from "./test-identity.ts";
export type { DeliverOptions, TestTasks } from "./test-tasks.ts";
