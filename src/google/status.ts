import { isTasksError, TasksError, type TasksErrorCode } from "../core/errors.ts";

/** The codes of google.rpc.Code that are told apart here. */
export const GRPC = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

const NAMES = new Map<number, string>(Object.entries(GRPC).map(([name, code]) => [code, name]));

/** What was tried when an error came. */
export interface Attempted {
  /** The verb of the sentence: `publish to`, `create`. */
  readonly action: string;
  /** Full name of the resource, `projects/P/topics/T`; `projects/P` for what concerns the whole project. */
  readonly resource: string;
  /** The role that permits it, e.g. `roles/pubsub.publisher`. */
  readonly role?: string;
  /** The account as which the resource is to push: whoever sets it needs a role on that account as well. */
  readonly account?: string | undefined;
  /** The code for what has none of its own. Default `NOT_ACCEPTED`. */
  readonly otherwise?: TasksErrorCode;
}

/** The gRPC code of an error of Google's clients; `undefined` when it has none. */
export function grpcCode(error: unknown): number | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "number" && code >= 1 && code <= 16 ? code : undefined;
}

/** The name of a gRPC code, e.g. `NOT_FOUND`. */
function grpcName(code: number | undefined): string {
  return (code !== undefined && NAMES.get(code)) || "an error";
}

/** Codes after which the same call may well succeed. Pub/Sub's own client retries a publish after the same ones. */
const TRANSIENT: ReadonlySet<number> = new Set([
  GRPC.CANCELLED,
  GRPC.UNKNOWN,
  GRPC.DEADLINE_EXCEEDED,
  GRPC.RESOURCE_EXHAUSTED,
  GRPC.ABORTED,
  GRPC.INTERNAL,
  GRPC.UNAVAILABLE,
]);

/** Whether the same call may succeed a little later. */
export function isTransient(error: unknown): boolean {
  const code = grpcCode(error);
  return code !== undefined && TRANSIENT.has(code) && !lacksCredentials(code, textOf(error));
}

/**
 * Says in one sentence what is wrong and what to do about it, for an error of Google's clients. The original is its
 * `cause`; no token is in the text. A {@link TasksError} is returned as it is.
 */
export function explained(error: unknown, attempted: Attempted): TasksError {
  if (isTasksError(error)) return error;
  const code = grpcCode(error);
  const text = textOf(error);
  const [kind, sentence] = diagnosis(code, text, attempted);
  return new TasksError(kind, sentence, { cause: error });
}

/** First match wins: a refused location comes under several codes, and so do missing credentials. */
function diagnosis(code: number | undefined, text: string, attempted: Attempted): [TasksErrorCode, string] {
  const { action, resource } = attempted;
  const subject = `${action} ${resource}`;
  if (lacksCredentials(code, text)) return ["NO_CREDENTIALS", withoutCredentials(subject, text)];
  if (code === GRPC.PERMISSION_DENIED) return ["NOT_PERMITTED", notPermitted(subject, text, attempted)];
  if (code === GRPC.RESOURCE_EXHAUSTED)
    return [
      "QUOTA_EXHAUSTED",
      `${subject}: expected room in the project's quota, got "${text}"; wait, or raise it in the console under IAM & Admin, Quotas`,
    ];
  if (isWrongLocation(code, text, resource)) return ["INVALID_CONFIG", wrongLocation(subject, text, resource)];
  if (code === GRPC.NOT_FOUND && /project/i.test(text) && /not found|not exist/i.test(text) && !/resource=/.test(text))
    return [
      "INVALID_CONFIG",
      `${subject}: expected the project to exist, got "${text}"; set GCP_PROJECT_ID to its id, which is not its display name`,
    ];
  if (code === GRPC.NOT_FOUND)
    return [
      "NOT_PROVISIONED",
      `${subject}: expected it to exist, got NOT_FOUND ("${text}"); run taskroute apply, that is: await tasks.provision()`,
    ];
  // Google's services answer; only an emulator's port may have nobody behind it.
  const nobody = /ECONNREFUSED (\S+?:\d+)/.exec(text)?.[1];
  if (nobody !== undefined)
    return [
      attempted.otherwise ?? "NOT_ACCEPTED",
      `${subject}: expected an answer, got no connection to ${nobody}; start the emulator there, or unset the variable that names it, such as TASKS_EMULATOR_HOST`,
    ];
  return [
    attempted.otherwise ?? "NOT_ACCEPTED",
    `${subject}: expected it to be done, got ${code === undefined ? "an error" : grpcName(code)} ("${text}"); ${advice(code)}`,
  ];
}

function advice(code: number | undefined): string {
  return code === undefined || TRANSIENT.has(code) ? "try again" : "see cause";
}

/** google-auth-library's texts, and gRPC's when the plug-in that adds the token fails. */
function lacksCredentials(code: number | undefined, text: string): boolean {
  if (code === GRPC.UNAUTHENTICATED) return true;
  return /could not load the default credentials|could not refresh access token|invalid_grant|reauth|metadata from plugin failed/i.test(
    text,
  );
}

function withoutCredentials(subject: string, text: string): string {
  return `${subject}: expected credentials of Google Cloud, got "${text}"; run gcloud auth application-default login, or run as a service account`;
}

function notPermitted(subject: string, text: string, attempted: Attempted): string {
  const api = /([a-z]+\.googleapis\.com)/.exec(text)?.[1];
  if (/has not been used in project|it is disabled|SERVICE_DISABLED/i.test(text) && api !== undefined)
    return `${subject}: expected ${api} to be enabled, got "${text}"; run gcloud services enable ${api} --project=${projectOf(attempted.resource)}`;
  const needed = neededRole(text, attempted);
  if (needed === undefined)
    return `${subject}: expected permission, got "${text}"; grant the account that this runs as what the text names`;
  const { role, resource } = needed;
  return `${subject}: expected ${role} on ${resource}, got PERMISSION_DENIED ("${text}"); run ${grantCommand(resource, role)}, where ACCOUNT is the one that this runs as`;
}

/** Setting an account on a resource asks for a permission on that account, which the text then names. */
function neededRole(
  text: string,
  { role, resource, account }: Attempted,
): { readonly role: string; readonly resource: string } | undefined {
  if (/actAs/i.test(text) && account !== undefined)
    return {
      role: "roles/iam.serviceAccountUser",
      resource: `projects/${projectOf(resource)}/serviceAccounts/${account}`,
    };
  return role === undefined ? undefined : { role, resource };
}

function projectOf(resource: string): string {
  return resource.split("/")[1] ?? "";
}

/** The gcloud command that grants a role on a topic, subscription, queue, service account, or else on the project. */
export function grantCommand(resource: string, role: string, member = "serviceAccount:ACCOUNT"): string {
  const [, project = "", collection, third, , queue] = resource.split("/");
  const binding = `--member=${member} --role=${role}`;
  if (collection === "topics" || collection === "subscriptions")
    return `gcloud pubsub ${collection} add-iam-policy-binding ${third} --project=${project} ${binding}`;
  if (collection === "locations" && resource.includes("/queues/"))
    return `gcloud tasks queues add-iam-policy-binding ${queue} --location=${third} --project=${project} ${binding}`;
  if (collection === "serviceAccounts")
    return `gcloud iam service-accounts add-iam-policy-binding ${third} --project=${project} ${binding}`;
  return `gcloud projects add-iam-policy-binding ${project} ${binding}`;
}

function isWrongLocation(code: number | undefined, text: string, resource: string): boolean {
  if (!resource.includes("/locations/")) return false;
  return (code === GRPC.INVALID_ARGUMENT || code === GRPC.NOT_FOUND) && /\b(location|region)\b/i.test(text);
}

function wrongLocation(subject: string, text: string, resource: string): string {
  const variable = resource.includes("/jobs") ? "SCHEDULER_LOCATION" : "TASKS_QUEUE_LOCATION";
  return `${subject}: expected a region that has the service, got ${resource.split("/")[3]} ("${text}"); set ${variable} to one, e.g. europe-west1`;
}

/** Longest text of a service that is repeated, in characters. */
const LONGEST_TEXT = 300;

/** What the service said, without the code in front, in one line, with anything that looks like a token left out. */
function textOf(error: unknown): string {
  const { message, details } = (error ?? {}) as { message?: unknown; details?: unknown };
  const said = typeof details === "string" && details !== "" ? details : String(message ?? error);
  const text = said
    .replace(/^\d+ [A-Z_]+: /, "")
    .replace(/ya29\.[\w.-]+|eyJ[\w-]+(\.[\w-]*)*|Bearer \S+/g, "(token)")
    .replace(/\s+/g, " ")
    .trim();
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text;
}
