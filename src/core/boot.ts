import type { Clock } from "./clock.ts";
import { TasksError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { BootSettings, Provisioner } from "./provisioning.ts";
import { within } from "./within.ts";

/** What provisioning at the start of a process works with. */
export interface BootScope {
  readonly settings: BootSettings;
  /** Names the client: two evaluations of one list in a process provision once. */
  readonly key: string;
  readonly clock: Clock;
  readonly logger: Logger;
  provisioner(): Promise<Provisioner>;
}

/** On the global object, because bundlers evaluate a module more than once in one process. */
const BOOTS = Symbol.for("taskroute.boots");

function boots(): Map<string, Promise<void>> {
  const holder = globalThis as { [BOOTS]?: Map<string, Promise<void>> };
  holder[BOOTS] ??= new Map();
  return holder[BOOTS];
}

/** Provisions once in a process; resolves when that is done. Rejects when it failed, which is logged as well. */
export function boot(scope: BootScope): Promise<void> {
  const begun = boots().get(scope.key) ?? run(scope);
  boots().set(scope.key, begun);
  begun.catch(() => {});
  return begun;
}

async function run({ settings, clock, logger, provisioner }: BootScope): Promise<void> {
  const ending = new AbortController();
  const work = async () => (await provisioner()).provision({ signal: ending.signal });
  try {
    const { results } = await within(clock, settings.timeout * 1000, work(), () => {
      ending.abort();
      throw new TasksError(
        "TIMEOUT",
        `provisioning at boot: expected an end within ${settings.timeout} s, got none; raise timeout, or provision in the deployment`,
      );
    });
    const written = results.filter(({ status }) => status === "done").length;
    logger.info("provisioned at boot", { resources: results.length, written });
    const left = results.filter(({ status, change }) => status === "skipped" && change.routes.length > 0);
    if (left.length > 0)
      logger.warn("provisioning at boot left some resources as they are", {
        skipped: left.map(({ change: { name }, note }) => `${name}: ${note}`),
      });
  } catch (error) {
    const { message: reason } = error as Error;
    if (settings.required) logger.error("provisioning at boot failed, and the service takes no work", { reason });
    else logger.error("provisioning at boot failed; the service goes on with what there is", { reason });
    throw error;
  }
}
