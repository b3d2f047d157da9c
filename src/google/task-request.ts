import type { OutgoingTask } from "../core/backend.ts";
import type { Config } from "../core/config.ts";
import { CARRIED_ATTEMPTS, PRIORITY, SCHEDULED_FOR } from "../core/delivery.ts";
import { encodeEnvelope } from "../core/envelope.ts";
import { TasksError } from "../core/errors.ts";
import type { HttpRequest } from "./task-creator.ts";

/** Largest task, in bytes. https://cloud.google.com/tasks/docs/quotas#limits */
const LARGEST_TASK = 1024 * 1024;
/** What the fields of a task take beside their texts, generously. */
const FRAMING = 512;

/** To whom tasks are sent, and how they prove who sent them. */
export interface PushTarget {
  readonly url: string;
  readonly proof: Pick<HttpRequest, "oidcToken">;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The push handler of a client as the target of its tasks. They prove themselves by what the handler asks for: a shared
 * secret where the environment names one, else a token of the push account; outside production it may be nothing.
 *
 * @throws TasksError `INVALID_CONFIG` without the service's URL, which the first deployment of a service cannot know yet.
 */
export function pushTargetOf(config: Config): PushTarget {
  const { pushEndpoint: url, pushSecrets, serviceAccounts, audiences } = config;
  if (url === undefined) {
    throw new TasksError(
      "INVALID_CONFIG",
      "CLOUD_RUN_SERVICE_URL: expected the service's URL, to which Cloud Tasks sends its tasks, got none; set it, or pass cloud: { serviceUrl } to createTasks",
    );
  }
  const [secret] = pushSecrets;
  if (secret !== undefined) return { url, proof: {}, headers: { authorization: `Bearer ${secret}` } };
  const [serviceAccountEmail] = serviceAccounts;
  if (serviceAccountEmail === undefined) return { url, proof: {}, headers: {} };
  return { url, proof: { oidcToken: { serviceAccountEmail, audience: audiences[0] ?? url } }, headers: {} };
}

/**
 * Refuses, in production, a client whose tasks nobody could tell from anybody's.
 *
 * @throws TasksError `INVALID_CONFIG`.
 */
export function assertPushAccount({ production, serviceAccounts, pushSecrets }: Config): void {
  if (!production || serviceAccounts.length > 0 || pushSecrets.length > 0) return;
  throw new TasksError(
    "INVALID_CONFIG",
    "TASKS_SERVICE_ACCOUNT: expected the e-mail of the account as which Cloud Tasks calls the service, got none; set it, or pass cloud: { serviceAccount } to createTasks",
  );
}

/** A task as the request that Cloud Tasks is to send. */
export function taskRequestOf(task: OutgoingTask, { url, proof, headers }: PushTarget): HttpRequest {
  const { id, route, payloadJson, enqueuedAt } = task;
  return {
    url,
    httpMethod: "POST",
    headers: { ...headers, ...ownHeaders(task) },
    body: Buffer.from(encodeEnvelope({ id, name: route.name, payloadJson, enqueuedAt })),
    ...proof,
  };
}

function ownHeaders({ carriedAttempts, priority, scheduledFor }: OutgoingTask): Record<string, string> {
  return {
    "content-type": "application/json",
    ...(carriedAttempts === 0 ? {} : { [CARRIED_ATTEMPTS]: String(carriedAttempts) }),
    ...(priority === undefined ? {} : { [PRIORITY]: priority }),
    ...(scheduledFor === undefined ? {} : { [SCHEDULED_FOR]: scheduledFor.toISOString() }),
  };
}

/**
 * Refuses a task that Cloud Tasks would find too large.
 *
 * @param names texts that travel beside the request: the name of the task.
 * @throws TasksError `INVALID_PAYLOAD`.
 */
export function assertTaskSize(path: string, request: HttpRequest, names: string): void {
  const { url, headers, body, oidcToken, oauthToken } = request;
  const proofs = [
    oidcToken?.serviceAccountEmail,
    oidcToken?.audience,
    oauthToken?.serviceAccountEmail,
    oauthToken?.scope,
  ];
  const texts = [names, url, ...proofs, ...Object.entries(headers).flat()].join("");
  const size = body.length + Buffer.byteLength(texts) + FRAMING;
  if (size <= LARGEST_TASK) return;
  throw new TasksError(
    "INVALID_PAYLOAD",
    `payload of "${path}": expected a task of at most ${LARGEST_TASK} bytes (1 MiB), the limit of Cloud Tasks, got ${size}; keep the data elsewhere, e.g. in Cloud Storage, and pass its URL`,
  );
}
