import { type Arrived, Worker } from "../worker.ts";
import type { Project, Subscription } from "./side.ts";

/** Longer than anything here takes, on a machine that does other things besides. */
const PATIENCE_MS = 100_000;

/** Resolves once a condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`expected ${what}, it did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A body that Pub/Sub pushes. */
export interface Pushed {
  readonly message: Readonly<Record<string, unknown>> & { readonly messageId: string; readonly data?: string };
  readonly subscription: string;
  readonly deliveryAttempt?: number;
}

/** Does something with a worker, and closes it whatever happens. */
export async function withWorker<T>(use: (worker: Worker) => Promise<T>): Promise<T> {
  const worker = await Worker.open();
  try {
    return await use(worker);
  } finally {
    await worker.close();
  }
}

/** Makes a topic and a subscription that pushes at once, and again at once, to a path of a worker. */
export async function pushTo(
  project: Project,
  worker: Worker,
  { pushConfig, ...fields }: Subscription = {},
): Promise<void> {
  await project.topic();
  await project.subscription({
    pushConfig: { pushEndpoint: `${worker.url}/push`, ...pushConfig },
    retryPolicy: AT_ONCE,
    ...fields,
  });
}

/** No back-off of the message's own. */
export const AT_ONCE = { minimumBackoff: { seconds: 0 }, maximumBackoff: { seconds: 0 } } as const;

/** Waits until so many pushes have arrived. */
export async function arrivals(worker: Worker, count: number): Promise<readonly Arrived[]> {
  await until(() => worker.arrived.length >= count, `${count} pushes to arrive`);
  return worker.arrived;
}

/** The body of a push that has arrived. */
export function bodyOf(arrived: Arrived | undefined): Pushed {
  return JSON.parse(arrived?.body ?? "");
}
