import { invalid } from "./status.ts";

const LOCATION = /^projects\/[A-Za-z0-9:.-]+\/locations\/[A-Za-z0-9-]+$/;
const JOB = /^projects\/([A-Za-z0-9:.-]+)\/locations\/[A-Za-z0-9-]+\/jobs\/[A-Za-z0-9_-]{1,500}$/;

/**
 * Checks the name of a location.
 *
 * @throws RpcError INVALID_ARGUMENT.
 */
export function assertJobLocation(name = ""): string {
  if (!LOCATION.test(name)) throw invalid("Invalid resource field value in the request.");
  return name;
}

/**
 * Checks the name of a job.
 *
 * @throws RpcError INVALID_ARGUMENT.
 */
export function assertJobName(name = ""): string {
  if (JOB.test(name)) return name;
  throw invalid('Job name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/jobs/<JOB_ID>".');
}

/** The project of a job's name. */
export function projectOf(name: string): string | undefined {
  return JOB.exec(name)?.[1];
}
