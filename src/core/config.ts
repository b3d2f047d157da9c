import { type CloudConfig, type CloudOptions, readCloudConfig, withCloudOptions } from "./cloud-config.ts";
import { assertNoFaults, type FaultOptions, readFaults } from "./fault-options.ts";
import { assertNaming, type Naming } from "./names.ts";
import { shown } from "./options.ts";
import { Problems } from "./problems.ts";

/** Environment variables as `process.env` holds them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Values of `TASKS_BACKEND`. */
export const BACKEND_NAMES = ["immediate", "local", "local-http", "pubsub", "cloud-tasks"] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

/** Every variable that the library reads, with what it means; the reference in the docs is tested against this list. */
export const VARIABLES = {
  TASKS_ENVIRONMENT: "Prefix of every resource name, such as dev, staging or prod. Default dev.",
  TASKS_NAMESPACE: "The service's own part of every resource name. Required outside dev; there the default is app.",
  TASKS_BACKEND:
    "immediate, local, local-http, pubsub, cloud-tasks, or pubsub,cloud-tasks for both. Default outside production: local.",
  TASKS_SERVICE_ACCOUNT:
    "E-mails of the service accounts whose push tokens are accepted, comma-separated; subscriptions, tasks and jobs are made to push as the first. Required in production with OIDC.",
  TASKS_AUDIENCE:
    "Audiences that push tokens may be addressed to, comma-separated. Default: CLOUD_RUN_SERVICE_URL, with and without the push path.",
  TASKS_PUSH_SECRET:
    "Shared secrets accepted instead of OIDC tokens, comma-separated for rotation. Not for Pub/Sub, which cannot send them.",
  TASKS_PUSH_PATH: "Path at which the push handler is mounted. Default /tasks/pubsub.",
  TASKS_PUSH_URL: "Where local-http posts. Default http://127.0.0.1:{PORT or 8080}{TASKS_PUSH_PATH}.",
  TASKS_LOCAL_FILE:
    "File in which local and local-http keep their queue when no backend is passed in code; :memory: for none. Default .taskroute/local.db, in tests none.",
  TASKS_FAULT_DUPLICATE_RATE: "Share, 0–1, of acknowledged deliveries that a local engine repeats. Default 0.",
  TASKS_FAULT_FAILURE_RATE: "Share, 0–1, of deliveries that it answers as failed without running the task. Default 0.",
  TASKS_FAULT_DROP_RATE: "Share, 0–1, of acknowledgements that it loses after the task has run. Default 0.",
  TASKS_FAULT_LATENCY_SECONDS: "Seconds, up to 3600, that each of its deliveries takes to arrive. Default 0.",
  TASKS_FAULT_LATENCY_JITTER: "By what share, 0–1, of itself that latency varies. Default 0.",
  TASKS_FAULT_REORDER_RATE: "Share, 0–1, of deliveries that it puts behind the others that wait. Default 0.",
  TASKS_FAULT_SEED: "Whole number, 0–4294967295, that makes faults repeatable. Default: random, and logged.",
  TASKS_DEFERRAL_QUEUE:
    "Cloud Tasks queue in which delayed and deduplicated messages of Pub/Sub wait: its id, its full name, or true for {environment}--{namespace}-deferral. Default: none, and delay, runAt and dedupeKey are refused.",
  TASKS_GENERATION:
    "Whole number that grows with every deployment: an older one never overwrites what a newer one has provisioned. Default: the number in K_REVISION.",
  TASKS_EMULATOR_HOST:
    "host:port of a taskroute emulator, for all three services and the keys of its push tokens. Default: Google Cloud.",
  PUBSUB_EMULATOR_HOST: "host:port of an emulator of Pub/Sub. Default: TASKS_EMULATOR_HOST.",
  CLOUD_TASKS_EMULATOR_HOST: "host:port of an emulator of Cloud Tasks. Default: TASKS_EMULATOR_HOST.",
  CLOUD_SCHEDULER_EMULATOR_HOST: "host:port of an emulator of Cloud Scheduler. Default: TASKS_EMULATOR_HOST.",
  GCP_PROJECT_ID: "Project of every cloud resource. Default: GOOGLE_CLOUD_PROJECT.",
  GOOGLE_CLOUD_PROJECT: "What GCP_PROJECT_ID is where that is not set.",
  GCP_PROJECT_NUMBER:
    "Number of that project, after which Pub/Sub's service agent is named. Default: provisioning asks Cloud Resource Manager for it.",
  CLOUD_RUN_SERVICE_URL: "Public https URL of the service, without the push path.",
  SCHEDULER_LOCATION: "Region of scheduler jobs. Default europe-west2.",
  TASKS_QUEUE_LOCATION: "Region of Cloud Tasks queues. Default: SCHEDULER_LOCATION.",
} as const;

/** Marks of an environment that is production whatever `NODE_ENV` says: Cloud Run sets none. */
const PRODUCTION_MARKS = ["K_SERVICE", "CLOUD_RUN_JOB", "GAE_ENV"] as const;
/** Set in every container of Kubernetes: in a service's, which is production, and in that of a CI job, which is not. */
const KUBERNETES_MARK = "KUBERNETES_SERVICE_HOST";

/** What test runners set in the processes that they start. */
const TEST_MARKS = ["VITEST", "JEST_WORKER_ID", "NODE_TEST_CONTEXT"] as const;

/** Where a local queue is kept, unless said otherwise: relative to the working directory. */
const LOCAL_FILE = ".taskroute/local.db";
/** As SQLite calls a database without a file. */
const IN_MEMORY = ":memory:";

/** What the environment says, checked. */
export interface Config extends Naming, CloudConfig {
  /** `NODE_ENV=production`, or on Cloud Run, App Engine or Kubernetes. */
  readonly production: boolean;
  /** The names that `TASKS_BACKEND` lists, the default first; empty when it is not set. */
  readonly backends: readonly BackendName[];
  readonly serviceAccounts: readonly string[];
  readonly audiences: readonly string[];
  readonly pushSecrets: readonly string[];
  readonly pushPath: string;
  readonly pushUrl: string;
  readonly serviceUrl: string | undefined;
  /** Where the services push to: `serviceUrl` with the push path. */
  readonly pushEndpoint: string | undefined;
  /** Where a local backend chosen by the environment keeps its queue; `undefined` for memory. */
  readonly localFile: string | undefined;
  /** What goes wrong on a local engine. */
  readonly faults: FaultOptions;
}

/** What `createTasks` says itself; it wins over the environment. */
export interface ConfigOverrides {
  /** `true` makes it production whatever the variables say. */
  readonly production?: boolean | undefined;
  /** `true` makes it a test whatever the variables say. */
  readonly testing?: boolean | undefined;
  readonly environment?: string | undefined;
  readonly namespace?: string | undefined;
  readonly cloud?: CloudOptions | undefined;
}

function listOf(value: string | undefined): readonly string[] {
  return (value ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function isMarked(env: Environment, marks: readonly string[]): boolean {
  return marks.some((mark) => (env[mark] ?? "") !== "");
}

/**
 * Whether this is production: `NODE_ENV=production`, or any of the platforms' own marks. Kubernetes' mark does not count
 * beside that of a test runner: tests often run there.
 */
export function isProduction(env: Environment): boolean {
  if (env.NODE_ENV === "production" || isMarked(env, PRODUCTION_MARKS)) return true;
  return isMarked(env, [KUBERNETES_MARK]) && !isMarked(env, TEST_MARKS);
}

/** Whether a test runner started this: `NODE_ENV=test`, or the own mark of Vitest, Jest or node:test. */
export function isTesting(env: Environment): boolean {
  return env.NODE_ENV === "test" || isMarked(env, TEST_MARKS);
}

/** Whether a framework only builds: Next.js sets this while `next build` evaluates route modules. */
export function isBuilding(env: Environment): boolean {
  return env.NEXT_PHASE === "phase-production-build";
}

function readUrl(env: Environment, name: string, problems: Problems): string | undefined {
  const value = env[name]?.trim();
  if (value === undefined || value === "") return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    problems.add(`${name}: expected an http(s) URL, got ${shown(value)}; set it to the service's address`);
    return undefined;
  }
  return value.replace(/\/+$/, "");
}

/** Several at once only of those that a route can choose between. */
function readBackends(env: Environment, problems: Problems): readonly BackendName[] {
  const names = listOf(env.TASKS_BACKEND);
  const known = names.filter((name) => BACKEND_NAMES.some((backend) => backend === name)) as BackendName[];
  const together = known.every((name) => name === "pubsub" || name === "cloud-tasks") && new Set(known).size === 2;
  if (known.length < names.length || (names.length > 1 && !together)) {
    const got = shown(env.TASKS_BACKEND);
    problems.add(`TASKS_BACKEND: expected ${BACKEND_NAMES.join(", ")}, or pubsub,cloud-tasks, got ${got}; correct it`);
  }
  return known;
}

function readNaming(env: Environment, overrides: ConfigOverrides, problems: Problems): Naming {
  const environment = overrides.environment ?? (env.TASKS_ENVIRONMENT?.trim() || "dev");
  const given = overrides.namespace ?? (env.TASKS_NAMESPACE?.trim() || undefined);
  if (given === undefined && environment !== "dev") {
    problems.add(
      `TASKS_NAMESPACE: expected the service's own name outside dev, got none; set it or pass namespace to createTasks`,
    );
  }
  const naming = { environment, namespace: given ?? "app" };
  problems.catch(() => assertNaming({ ...naming, namespace: "app" }), undefined);
  problems.catch(() => assertNaming({ ...naming, environment: "dev" }), undefined);
  return naming;
}

function readPushPath(env: Environment, problems: Problems): string {
  const path = env.TASKS_PUSH_PATH?.trim() || "/tasks/pubsub";
  if (!path.startsWith("/"))
    problems.add(`TASKS_PUSH_PATH: expected a path that begins with /, got ${shown(path)}; prefix it`);
  return path;
}

function readLocalFile(env: Environment, testing: boolean): string | undefined {
  const given = env.TASKS_LOCAL_FILE?.trim() || (testing ? IN_MEMORY : LOCAL_FILE);
  return given === IN_MEMORY ? undefined : given;
}

function readAudiences(env: Environment, serviceUrl: string | undefined, pushPath: string): readonly string[] {
  const given = listOf(env.TASKS_AUDIENCE);
  if (given.length > 0 || serviceUrl === undefined) return given;
  return [serviceUrl, `${serviceUrl}${pushPath}`];
}

/** Loopback addresses, at which a service without TLS is nobody else's to listen to. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** What is wrong with the URL at which Google's services are to reach the service. */
function assertServiceUrl({ serviceUrl, pushPath, production, emulators }: Config, problems: Problems): void {
  if (serviceUrl === undefined) return;
  const url = new URL(serviceUrl);
  if (pushPath !== "/" && url.pathname.endsWith(pushPath.replace(/\/+$/, "")))
    problems.add(
      `CLOUD_RUN_SERVICE_URL: expected the service's URL without the push path, got ${shown(serviceUrl)}; leave ${pushPath} out, it is added`,
    );
  const emulated = emulators.pubsub !== undefined || emulators.cloudTasks !== undefined;
  if (production && !emulated && url.protocol === "http:" && !LOOPBACK.test(url.hostname))
    problems.add(
      `CLOUD_RUN_SERVICE_URL: expected an https URL in production, got ${shown(serviceUrl)}; push tokens must not travel in the open`,
    );
}

/**
 * Reads and checks the environment.
 *
 * @throws TasksError `INVALID_CONFIG` with one line for each thing that is missing or wrong.
 */
export function resolveConfig(given: Environment, overrides: ConfigOverrides = {}): Config {
  const env = withCloudOptions(given, overrides.cloud);
  const problems = new Problems();
  const serviceUrl = readUrl(env, "CLOUD_RUN_SERVICE_URL", problems);
  const pushPath = readPushPath(env, problems);
  const pushUrl = readUrl(env, "TASKS_PUSH_URL", problems) ?? `http://127.0.0.1:${env.PORT || 8080}${pushPath}`;
  const config: Config = {
    ...readNaming(env, overrides, problems),
    production: overrides.production === true || isProduction(env),
    backends: readBackends(env, problems),
    serviceAccounts: listOf(env.TASKS_SERVICE_ACCOUNT),
    audiences: readAudiences(env, serviceUrl, pushPath),
    pushSecrets: listOf(env.TASKS_PUSH_SECRET),
    pushPath,
    pushUrl,
    ...readCloudConfig(env, problems),
    serviceUrl,
    pushEndpoint: serviceUrl === undefined ? undefined : `${serviceUrl}${pushPath}`,
    localFile: readLocalFile(env, overrides.testing === true || isTesting(env)),
    faults: readFaults(env, (problem) => problems.add(problem)),
  };
  for (const account of config.serviceAccounts) {
    if (!/^[^@\s]+@[^@\s]+$/.test(account)) {
      problems.add(
        `TASKS_SERVICE_ACCOUNT: expected e-mails separated by commas, got ${shown(account)}; use the account's full e-mail`,
      );
    }
  }
  assertServiceUrl(config, problems);
  problems.catch(() => assertNoFaults(config.production, config.faults), undefined);
  problems.throwAny();
  return Object.freeze(config);
}
