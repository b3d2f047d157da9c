import { hash } from "node:crypto";
import { CODES, RpcError } from "./status.ts";

/** Which projects there are, and their numbers. */
export class Projects {
  readonly #numbers: Readonly<Record<string, string>> | undefined;

  /** @param numbers project numbers by project id; without, every project exists, with a number of its own. */
  constructor(numbers: Readonly<Record<string, string>> | undefined) {
    this.#numbers = numbers;
  }

  /** Whether a project exists, by its id or by its number. */
  has(project: string): boolean {
    if (this.#numbers === undefined) return true;
    return Object.hasOwn(this.#numbers, project) || Object.values(this.#numbers).includes(project);
  }

  /** The number of a project: as given, else 12 digits that are always the same for one id. */
  number(project: string): string {
    if (/^\d+$/.test(project)) return project;
    return (
      this.#numbers?.[project] ?? String((BigInt(`0x${hash("sha256", project)}`) % 899_999_999_999n) + 100_000_000_000n)
    );
  }

  /**
   * The account as which Pub/Sub forwards dead letters and asks for tokens, as a member of IAM policies.
   * https://cloud.google.com/iam/docs/service-agents
   */
  pubsubAgent(project: string): string {
    return `serviceAccount:service-${this.number(project)}@gcp-sa-pubsub.iam.gserviceaccount.com`;
  }

  /**
   * What Cloud Resource Manager answers for a project, by the path of a GET; `undefined` for any other path.
   * https://cloud.google.com/resource-manager/reference/rest/v3/projects/get and its version 1.
   *
   * @throws RpcError PERMISSION_DENIED for a project that is not there, as the service does not tell the two apart.
   */
  describe(path: string): object | undefined {
    const [, version, project = ""] = /^\/(v1|v3)\/projects\/([^/:]+)$/.exec(path) ?? [];
    if (version === undefined) return undefined;
    if (!this.has(project))
      throw new RpcError(CODES.PERMISSION_DENIED, `The caller does not have permission (project=${project}).`);
    const number = this.number(project);
    return version === "v3"
      ? { name: `projects/${number}`, projectId: project, state: "ACTIVE", displayName: project }
      : { projectNumber: number, projectId: project, lifecycleState: "ACTIVE", name: project };
  }
}
