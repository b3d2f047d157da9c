import type { Config } from "../core/config.ts";
import { TasksError } from "../core/errors.ts";

/** What is known of the project. */
export type ProjectConfig = Pick<Config, "projectId" | "projectNumber" | "emulators" | "onCloudRun">;

/** Fetches a URL with the credentials of Google's clients; resolves to the parsed answer. */
export type AuthorisedFetch = (url: string) => Promise<unknown>;

/** https://cloud.google.com/run/docs/container-contract#metadata-server */
const METADATA = "http://metadata.google.internal/computeMetadata/v1/project";
/** https://cloud.google.com/resource-manager/reference/rest/v3/projects/get */
const RESOURCE_MANAGER = "https://cloudresourcemanager.googleapis.com/v3/projects";
/** Milliseconds for one question. */
const TIMEOUT = 5000;
/** What is taken where an emulator does not tell: nobody looks at it there. */
const EMULATED = "123456789012";

/**
 * The number of the project, after which Pub/Sub's service agent is named; none of the three services tells it. It is
 * `GCP_PROJECT_NUMBER`; else, on Cloud Run, the metadata server tells it to everybody; else Cloud Resource Manager is asked,
 * whose `resourcemanager.projects.get` every role of Pub/Sub from viewer on includes.
 *
 * @throws TasksError `NOT_PERMITTED` that says how to set it.
 */
export async function projectNumber(config: ProjectConfig, authorised: AuthorisedFetch): Promise<string> {
  const { projectId, emulators, onCloudRun } = config;
  if (config.projectNumber !== undefined) return config.projectNumber;
  if (emulators.pubsub !== undefined) return (await emulatedNumber(emulators.pubsub, projectId)) ?? EMULATED;
  const own = onCloudRun ? await ownNumber(projectId) : undefined;
  if (own !== undefined) return own;
  try {
    const number = numberOf(await authorised(`${RESOURCE_MANAGER}/${projectId}`));
    if (number !== undefined) return number;
    throw new Error("the answer holds no number");
  } catch (error) {
    const { status } = error as { status?: unknown };
    const got = typeof status === "number" ? `HTTP status ${status}` : "no answer that holds it";
    throw new TasksError(
      "NOT_PERMITTED",
      `grants: expected the number of project ${projectId} from Cloud Resource Manager, got ${got}; set GCP_PROJECT_NUMBER to what gcloud projects describe ${projectId} --format="value(projectNumber)" prints, or pass grants: "project"`,
      { cause: error },
    );
  }
}

function numberOf(answer: unknown): string | undefined {
  const { name } = (answer ?? {}) as { name?: unknown };
  return /^projects\/(\d+)$/.exec(String(name))?.[1];
}

/** The number of the project that this runs in, if that is the one asked for. */
async function ownNumber(projectId: string | undefined): Promise<string | undefined> {
  const ask = async (what: string) => {
    const headers = { "Metadata-Flavor": "Google" };
    const answer = await fetch(`${METADATA}/${what}`, { headers, signal: AbortSignal.timeout(TIMEOUT) });
    return answer.ok ? (await answer.text()).trim() : undefined;
  };
  try {
    const [id, number] = await Promise.all([ask("project-id"), ask("numeric-project-id")]);
    return id === projectId && number !== undefined && /^\d+$/.test(number) ? number : undefined;
  } catch {
    // There is another one to ask.
    return undefined;
  }
}

/** An emulator may answer in the place of Cloud Resource Manager; Google's own does not. */
async function emulatedNumber(host: string, projectId: string | undefined): Promise<string | undefined> {
  try {
    const answer = await fetch(`http://${host}/v3/projects/${projectId}`, { signal: AbortSignal.timeout(TIMEOUT) });
    return answer.ok ? numberOf(await answer.json()) : undefined;
  } catch {
    return undefined;
  }
}
