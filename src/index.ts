export { type ImmediateOptions, immediate } from "./backends/immediate.ts";
export { type LocalOptions, local } from "./backends/local.ts";
export { type LocalHttpOptions, localHttp } from "./backends/local-http.ts";
export type { Authenticator, AuthFactory, AuthScope, HeaderLookup, Verdict } from "./core/auth.ts";
export type {
  Backend,
  BackendFactory,
  BackendHost,
  Capabilities,
  OutgoingTask,
  PushTrust,
  Receipt,
} from "./core/backend.ts";
export type { Clock, TimerHandle, TimerOptions } from "./core/clock.ts";
export type { CloudConfig, CloudOptions, Emulators } from "./core/cloud-config.ts";
export { BACKEND_NAMES, type BackendName, type Config, type Environment, isProduction } from "./core/config.ts";
export { consoleLogger } from "./core/console-logger.ts";
export type { EnqueueOptions, PayloadArgs, TaskContext, TaskFunction } from "./core/context.ts";
export { TaskContract } from "./core/contract.ts";
export type { DeadLetter, DeadLetterBox, DeadLetterSink } from "./core/dead-letter.ts";
export type { AnyRoute, RouteRef } from "./core/declaration.ts";
export type { Delivery, Dispatch, Transport } from "./core/delivery.ts";
export { Busy, Discard, isTasksError, RetryAfter, TasksError, type TasksErrorCode } from "./core/errors.ts";
export type { EnqueuedEvent, FinishedEvent, Hooks, StartedEvent, TaskEvent } from "./core/events.ts";
export type { FaultOptions } from "./core/fault-options.ts";
export type { ContextFactory, Middleware, RunInfo } from "./core/invoke.ts";
export { type Logger, type LogMethod, silentLogger } from "./core/logger.ts";
export type { Naming, ResourceNames } from "./core/names.ts";
export type { BusyReason, Outcome, ParkReason, RejectReason, SkipReason } from "./core/outcome.ts";
export type {
  BootProvisioning,
  Change,
  ChangeResult,
  FieldChange,
  Plan,
  PlanOptions,
  ProvisionOptions,
  ProvisionReport,
  ResourceKind,
} from "./core/provisioning.ts";
export { TaskRoute, type TaskRouteOptions } from "./core/route.ts";
export type {
  KillSwitchOptions,
  PriorityOptions,
  QueueOptions,
  RouteSettings,
  TaskContractOptions,
  Via,
} from "./core/route-options.ts";
export type { RuntimeOptions } from "./core/runtime-options.ts";
export type { ResultOptions, TaskRun } from "./core/task-run.ts";
export type {
  AnyTasks,
  BulkItem,
  BulkResult,
  ContextOf,
  ContextOption,
  DeadLetters,
  InputOf,
  ResultOf,
  Tasks,
  TasksOptions,
} from "./core/tasks.ts";
export { createTasks } from "./create-tasks.ts";
export { clockStartingAt, VirtualClock } from "./engine/clock.ts";
export type { Synchronous } from "./engine/journal-file.ts";
export type { LocalEngineOptions } from "./engine/open-engine.ts";
export { noAuth } from "./push/no-auth.ts";
export { type OidcKeySource, type OidcOptions, oidc } from "./push/oidc.ts";
export { type SharedSecretOptions, sharedSecret } from "./push/shared-secret.ts";
