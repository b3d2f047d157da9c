import type { RequestListener } from "node:http";
import { type Clock, systemClock } from "../core/clock.ts";
import { guarded, type Logger, silentLogger } from "../core/logger.ts";
import { createIdentity } from "../engine/identity.ts";
import { Calls } from "./calls.ts";
import { control } from "./control.ts";
import { EmulatorFaults } from "./faults.ts";
import { GrpcFront } from "./grpc.ts";
import { oidcDocument } from "./oidc.ts";
import { assertEmulatorOptions, portRefusal } from "./options.ts";
import { Projects } from "./projects.ts";
import { CLIENT_PACKAGES, loadProtos } from "./protos.ts";
import { bodyOf, parseBody, RestFront, sendError, sendJson } from "./rest.ts";
import { Listener } from "./server.ts";
import { World, type WorldParts } from "./world.ts";

export { VirtualClock } from "../engine/clock.ts";
export type { EmulatorFaultOptions } from "./faults.ts";

/** Options of {@link startEmulator}. */
export interface EmulatorOptions {
  /** Port for gRPC. Default 0: one that is free. Either port answers gRPC and REST. */
  readonly port?: number;
  /** Port for REST. Default 0: one that is free. */
  readonly restPort?: number;
  /** Address to listen on. Default `127.0.0.1`: only this machine reaches it. */
  readonly host?: string;
  /** Where time comes from. Default the machine's; a `VirtualClock` moves when it is told to. */
  readonly clock?: Clock;
  /** The projects that exist, with their numbers. Default: every project exists, with a number of its own. */
  readonly projects?: Readonly<Record<string, string>>;
  /** Whether dead letters wait for the grants of the Pub/Sub service agent (`"strict"`), as on Google Cloud. Default `"off"`. */
  readonly iam?: "strict" | "off";
  /** Where it says what happens. Default: nowhere. */
  readonly logger?: Logger;
  /** Service account that signs where a resource names none. Default `emulator@taskroute.iam.gserviceaccount.com`. */
  readonly email?: string;
}

/** An emulator that runs. */
export interface Emulator {
  readonly host: string;
  readonly port: number;
  readonly restPort: number;
  /**
   * Environment variables for the programs that are to use it, all `host:port`: Google's Pub/Sub clients read
   * `PUBSUB_EMULATOR_HOST`.
   */
  readonly env: Readonly<Record<EmulatorVariable, string>>;
  /** Stops it: every connection ends, and what it holds is gone. Safe to call again. */
  close(): Promise<void>;
}

/** Names of the variables of {@link Emulator.env}. */
export type EmulatorVariable =
  | "TASKS_EMULATOR_HOST"
  | "PUBSUB_EMULATOR_HOST"
  | "CLOUD_TASKS_EMULATOR_HOST"
  | "CLOUD_SCHEDULER_EMULATOR_HOST";

/**
 * Starts an emulator of Pub/Sub, Cloud Tasks and Cloud Scheduler in this process: their gRPC and REST APIs, as Google's
 * clients and the gcloud command line use them. Each is served if its client package is installed
 * (`@google-cloud/pubsub`, `@google-cloud/tasks`, `@google-cloud/scheduler`). Everything is in memory.
 *
 * Rejects with a TasksError: `MISSING_PACKAGE` when none of the packages is installed; `INVALID_OPTION` for options that are
 * wrong, and for a port that is taken.
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  assertEmulatorOptions(options);
  const { port = 0, restPort = 0, host = "127.0.0.1", clock = systemClock } = options;
  const { email = "emulator@taskroute.iam.gserviceaccount.com" } = options;
  const logger = guarded(options.logger ?? silentLogger);
  const protos = loadProtos();
  const parts: WorldParts = {
    clock,
    logger,
    identity: await createIdentity({ email }),
    faults: new EmulatorFaults(),
    projects: new Projects(options.projects),
    iam: options.iam ?? "off",
  };
  let world = new World(parts);
  const calls = new Calls(protos, world.services, logger, () => parts.faults.disturbCall());
  const grpc = new GrpcFront(protos, calls);
  const reset = async () => {
    const old = world;
    world = new World(parts);
    calls.replace(world.services);
    await old.close();
  };
  const answer = answering(parts, calls, reset);
  const listener = new Listener((socket) => grpc.accept(socket), answer);
  const ports = await opened(listener, host, [port, restPort]);
  const missing = CLIENT_PACKAGES.filter((name) => !protos.installed.includes(name));
  if (missing.length > 0) logger.warn("some services are not served: their packages are not installed", { missing });
  let closing: Promise<void> | undefined;
  const close = async () => {
    grpc.close();
    await Promise.all([listener.close(), world.close()]);
  };
  return {
    host,
    ...ports,
    env: variables(`${host}:${ports.port}`),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

async function opened(
  listener: Listener,
  host: string,
  [port, restPort]: readonly [number, number],
): Promise<{ readonly port: number; readonly restPort: number }> {
  const open = (wanted: number) =>
    listener.open(host, wanted).catch((error: unknown) => {
      throw portRefusal(error, host, wanted);
    });
  try {
    return { port: await open(port), restPort: await open(restPort) };
  } catch (error) {
    await listener.close();
    throw error;
  }
}

function variables(address: string): Emulator["env"] {
  return {
    TASKS_EMULATOR_HOST: address,
    PUBSUB_EMULATOR_HOST: address,
    CLOUD_TASKS_EMULATOR_HOST: address,
    CLOUD_SCHEDULER_EMULATOR_HOST: address,
  };
}

/** What answers the requests of HTTP/1: the control API, the keys, the numbers of projects, and the services' REST. */
function answering(parts: WorldParts, calls: Calls, reset: () => Promise<void>): RequestListener {
  const rest = new RestFront(calls);
  const controlled = { clock: parts.clock, faults: parts.faults, services: () => calls.services, reset };
  return async (request, response) => {
    const [path = "/"] = (request.url ?? "/").split("?");
    const { method: verb = "GET" } = request;
    try {
      if (path.startsWith("/control/")) {
        const body = parseBody(await bodyOf(request));
        sendJson(response, 200, await control(controlled, { verb, path: path.slice("/control/".length), body }));
        return;
      }
      const origin = `http://${request.headers.host ?? "127.0.0.1"}`;
      const document =
        verb === "GET"
          ? ((await oidcDocument(path, parts.identity, origin)) ?? parts.projects.describe(path))
          : undefined;
      if (document !== undefined) sendJson(response, 200, document);
      else await rest.answer(request, response);
    } catch (error) {
      sendError(response, error);
    }
  };
}
