import type { Environment } from "./config.ts";
import { assertKnownOptions, shown } from "./options.ts";
import type { Problems } from "./problems.ts";
import { isQueueName } from "./queue-name.ts";

/** What `createTasks({ cloud })` says of Google Cloud; each wins over the variable of its name in the reference. */
export interface CloudOptions {
  /** Project of every cloud resource. Default `GCP_PROJECT_ID`, else `GOOGLE_CLOUD_PROJECT`. */
  readonly projectId?: string;
  /** Number of the project, which provisioning asks of Cloud Resource Manager otherwise. Default `GCP_PROJECT_NUMBER`. */
  readonly projectNumber?: string;
  /** Region of scheduler jobs. Default `SCHEDULER_LOCATION`, else `europe-west2`. */
  readonly schedulerLocation?: string;
  /** Region of queues. Default `TASKS_QUEUE_LOCATION`, else that of the jobs. */
  readonly queueLocation?: string;
  /** Public https URL of the service, without the push path. Default `CLOUD_RUN_SERVICE_URL`. */
  readonly serviceUrl?: string;
  /** E-mail of the account as which subscriptions, tasks and jobs push. Default: the first of `TASKS_SERVICE_ACCOUNT`. */
  readonly serviceAccount?: string;
  /** Audience of push tokens. Default: the first of `TASKS_AUDIENCE`, else `serviceUrl`. */
  readonly audience?: string;
  /** Queue in which delayed and deduplicated messages of Pub/Sub wait; `true` for a derived name. Default `TASKS_DEFERRAL_QUEUE`. */
  readonly deferralQueue?: string | true;
  /** Number of this deployment. Default `TASKS_GENERATION`, else the number in `K_REVISION`. */
  readonly generation?: number;
}

/** Which variable each option stands for. */
const VARIABLE: Readonly<Record<keyof CloudOptions, string>> = {
  projectId: "GCP_PROJECT_ID",
  projectNumber: "GCP_PROJECT_NUMBER",
  schedulerLocation: "SCHEDULER_LOCATION",
  queueLocation: "TASKS_QUEUE_LOCATION",
  serviceUrl: "CLOUD_RUN_SERVICE_URL",
  serviceAccount: "TASKS_SERVICE_ACCOUNT",
  audience: "TASKS_AUDIENCE",
  deferralQueue: "TASKS_DEFERRAL_QUEUE",
  generation: "TASKS_GENERATION",
};

/**
 * The environment as it is with these options: they are read, checked and reported as the variables they stand for.
 *
 * @throws TasksError `INVALID_OPTION` for an option that does not exist.
 */
export function withCloudOptions(env: Environment, options: CloudOptions | undefined): Environment {
  if (options === undefined) return env;
  assertKnownOptions("createTasks cloud", options, Object.keys(VARIABLE));
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return {
    ...env,
    ...Object.fromEntries(given.map(([name, value]) => [VARIABLE[name as keyof CloudOptions], String(value)])),
  };
}

/** Where the services are that take the place of Google's, `host:port` each; `undefined` means Google Cloud. */
export interface Emulators {
  readonly pubsub: string | undefined;
  readonly cloudTasks: string | undefined;
  readonly scheduler: string | undefined;
  /** Who serves the keys with which push tokens are signed; `undefined` means Google. */
  readonly keys: string | undefined;
}

/** What the environment says of Google Cloud. */
export interface CloudConfig {
  readonly projectId: string | undefined;
  readonly projectNumber: string | undefined;
  readonly schedulerLocation: string;
  readonly queueLocation: string;
  /** Id or full name of the queue in which messages of Pub/Sub wait; `true` for the derived name. */
  readonly deferralQueue: string | true | undefined;
  /** Number of this deployment; `undefined` when nothing tells. */
  readonly generation: number | undefined;
  /** Whether it runs as a service of Cloud Run. */
  readonly onCloudRun: boolean;
  readonly emulators: Emulators;
}

function readEmulatorHosts(env: Environment, problems: Problems): Emulators {
  const read = (name: string): string | undefined => {
    const value = env[name]?.trim().replace(/^http:\/\//, "");
    if (value === undefined || value === "") return undefined;
    if (/^[^\s:/]+:\d{1,5}$/.test(value)) return value;
    problems.add(`${name}: expected host:port, got ${shown(value)}; write it like 127.0.0.1:8085`);
    return undefined;
  };
  const all = read("TASKS_EMULATOR_HOST");
  return {
    pubsub: read("PUBSUB_EMULATOR_HOST") ?? all,
    cloudTasks: read("CLOUD_TASKS_EMULATOR_HOST") ?? all,
    scheduler: read("CLOUD_SCHEDULER_EMULATOR_HOST") ?? all,
    keys: all,
  };
}

/** The number in a revision's name counts up with every deployment: `service-00042-abc`. */
function readGeneration(env: Environment, problems: Problems): number | undefined {
  const given = env.TASKS_GENERATION?.trim();
  if (given === undefined || given === "") {
    const counted = /-(\d+)-[a-z0-9]+$/.exec(env.K_REVISION ?? "")?.[1];
    return counted === undefined ? undefined : Number(counted);
  }
  if (/^\d{1,15}$/.test(given)) return Number(given);
  problems.add(`TASKS_GENERATION: expected a whole number of up to 15 digits, got ${shown(given)}; count deployments`);
  return undefined;
}

function readProjectNumber(env: Environment, problems: Problems): string | undefined {
  const given = env.GCP_PROJECT_NUMBER?.trim() || undefined;
  if (given === undefined || /^\d{1,20}$/.test(given)) return given;
  problems.add(
    `GCP_PROJECT_NUMBER: expected digits, got ${shown(given)}; gcloud projects describe PROJECT --format="value(projectNumber)" prints it`,
  );
  return undefined;
}

function readDeferralQueue(env: Environment, problems: Problems): string | true | undefined {
  const given = env.TASKS_DEFERRAL_QUEUE?.trim() || undefined;
  if (given === undefined || given === "false") return undefined;
  if (given === "true") return true;
  if (isQueueName(given)) return given;
  problems.add(
    `TASKS_DEFERRAL_QUEUE: expected true, a queue id of 1–100 letters, digits and hyphens, or projects/P/locations/L/queues/Q, got ${shown(given)}; correct it, or leave it out`,
  );
  return undefined;
}

/** Reads it, and collects what is wrong. */
export function readCloudConfig(env: Environment, problems: Problems): CloudConfig {
  const schedulerLocation = env.SCHEDULER_LOCATION?.trim() || "europe-west2";
  return {
    projectId: env.GCP_PROJECT_ID?.trim() || env.GOOGLE_CLOUD_PROJECT?.trim() || undefined,
    projectNumber: readProjectNumber(env, problems),
    schedulerLocation,
    queueLocation: env.TASKS_QUEUE_LOCATION?.trim() || schedulerLocation,
    deferralQueue: readDeferralQueue(env, problems),
    generation: readGeneration(env, problems),
    onCloudRun: (env.K_SERVICE ?? "") !== "",
    emulators: readEmulatorHosts(env, problems),
  };
}
