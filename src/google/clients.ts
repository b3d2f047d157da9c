import { createRequire } from "node:module";
import type { v1 } from "@google-cloud/pubsub";
import type { v1 as schedulerV1 } from "@google-cloud/scheduler";
import type { v2 as tasksV2 } from "@google-cloud/tasks";
import type { Config } from "../core/config.ts";
import { TasksError } from "../core/errors.ts";
import { type CallParts, type PublishCall, publishCallOf, type Stub } from "./publish-call.ts";
import { explained } from "./status.ts";

/** Google's generated client of Pub/Sub's topics. */
export type PublisherClient = v1.PublisherClient;
/** Google's generated client of Pub/Sub's subscriptions. */
export type SubscriberClient = v1.SubscriberClient;
/** Google's generated client of Cloud Tasks. */
export type CloudTasksClient = tasksV2.CloudTasksClient;
/** Google's generated client of Cloud Scheduler. */
export type CloudSchedulerClient = schedulerV1.CloudSchedulerClient;

/** What all generated clients take. */
type ClientOptions = NonNullable<ConstructorParameters<typeof v1.PublisherClient>[0]>;

/** What is used of google-gax, which the clients carry; it is no dependency of ours. */
interface Gax extends CallParts {
  readonly grpc: CallParts["grpc"] & {
    readonly credentials: { createInsecure(): NonNullable<ClientOptions["sslCreds"]> };
  };
  readonly googleAuthLibrary: { readonly PassThroughClient: new () => NonNullable<ClientOptions["authClient"]> };
}

/** What is used of a generated client while it is made and closed. */
interface Closable {
  initialize(): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * How a connection is found out that has died without a word, as behind a NAT gateway or in an instance that was frozen:
 * else every call in it would run out of time until the kernel gives it up, a quarter of an hour later. After 30 s in which
 * nothing was asked, the first call asks along with itself whether anybody is there. https://grpc.io/docs/guides/keepalive/
 */
const KEEP_ALIVE: KeepAlive = { idle: 30_000, answer: 4000 };

/** How long a connection may be idle before it is asked for, and how long its answer may take; milliseconds. */
interface KeepAlive {
  readonly idle: number;
  readonly answer: number;
}

type Peer = "@google-cloud/pubsub" | "@google-cloud/tasks" | "@google-cloud/scheduler";

/** What the clients need to know of the environment. */
export type ClientsConfig = Pick<Config, "projectId" | "emulators">;

/**
 * The project of every resource.
 *
 * @throws TasksError `INVALID_CONFIG` when none is set.
 */
function projectOf({ projectId }: Pick<Config, "projectId">): string {
  if (projectId !== undefined) return projectId;
  throw new TasksError(
    "INVALID_CONFIG",
    "GCP_PROJECT_ID: expected the project of the cloud resources, got none; set it, or pass cloud: { projectId } to createTasks",
  );
}

/**
 * Imports a package that only some programs need.
 *
 * @throws TasksError `MISSING_PACKAGE` when it is not installed.
 */
export async function loadPeer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error, name)) throw error;
    throw new TasksError(
      "MISSING_PACKAGE",
      `${name}: expected the package to be installed, got none; run npm install ${name}`,
      { cause: error },
    );
  }
}

/** Bundlers and Node spell it differently; a dependency of the package that is missing is another matter. */
function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return /^(ERR_)?MODULE_NOT_FOUND$/.test(String(code)) && String(message).includes(`'${name}'`);
}

/**
 * Google's clients for one backend or provisioner, each loaded and made at its first use: that costs 150–200 ms and
 * 50 MB, gRPC included, which a process that only receives pushes never pays.
 *
 * Where an emulator stands for a service, its client talks to that, in plain text and without credentials.
 */
export class GoogleClients {
  readonly projectId: string;
  readonly #emulators: ClientsConfig["emulators"];
  readonly #keepAlive: { readonly "grpc.keepalive_time_ms": number; readonly "grpc.keepalive_timeout_ms": number };
  readonly #made = new Map<string, Promise<Closable>>();
  #publishCall: Promise<PublishCall> | undefined;
  #closed = false;

  /** @throws TasksError `INVALID_CONFIG` when there is no project. */
  constructor(config: ClientsConfig, { idle, answer }: KeepAlive = KEEP_ALIVE) {
    this.projectId = projectOf(config);
    this.#emulators = config.emulators;
    this.#keepAlive = { "grpc.keepalive_time_ms": idle, "grpc.keepalive_timeout_ms": answer };
  }

  /** @throws TasksError `MISSING_PACKAGE`, `NO_CREDENTIALS`, `CLOSED`; so do the others. */
  publisher(): Promise<PublisherClient> {
    return this.#client("publisher", async () => {
      const { PublisherClient } = (await loadPubSub()).v1;
      return new PublisherClient(this.#options("@google-cloud/pubsub", this.#emulators.pubsub));
    });
  }

  /** The publish method without the layers above gRPC, which cost more than a small message does itself. */
  publishCall(): Promise<PublishCall> {
    this.#publishCall ??= this.#makePublishCall();
    return this.#publishCall;
  }

  async #makePublishCall(): Promise<PublishCall> {
    try {
      const client = await this.publisher();
      return publishCallOf((await client.initialize()) as object as Stub, gaxOf("@google-cloud/pubsub"));
    } catch (error) {
      this.#publishCall = undefined;
      throw error;
    }
  }

  subscriber(): Promise<SubscriberClient> {
    return this.#client("subscriber", async () => {
      const { SubscriberClient } = (await loadPubSub()).v1;
      return new SubscriberClient(this.#options("@google-cloud/pubsub", this.#emulators.pubsub));
    });
  }

  tasks(): Promise<CloudTasksClient> {
    return this.#client("tasks", async () => {
      const { CloudTasksClient } = (await loadPeer("@google-cloud/tasks", () => import("@google-cloud/tasks"))).v2;
      return new CloudTasksClient(this.#options("@google-cloud/tasks", this.#emulators.cloudTasks));
    });
  }

  scheduler(): Promise<CloudSchedulerClient> {
    return this.#client("scheduler", async () => {
      const loaded = await loadPeer("@google-cloud/scheduler", () => import("@google-cloud/scheduler"));
      return new loaded.v1.CloudSchedulerClient(this.#options("@google-cloud/scheduler", this.#emulators.scheduler));
    });
  }

  /** One that could not be made, for want of credentials, is made anew when next asked for. */
  #client<C extends Closable>(name: string, make: () => Promise<C>): Promise<C> {
    if (this.#closed)
      return Promise.reject(
        new TasksError("CLOSED", `${name} client: expected an open one, got a closed one; use it before close()`),
      );
    const known = this.#made.get(name) as Promise<C> | undefined;
    if (known !== undefined) return known;
    const made = this.#make(make);
    this.#made.set(name, made);
    made.catch(() => this.#made.delete(name));
    return made;
  }

  async #make<C extends Closable>(make: () => Promise<C>): Promise<C> {
    const client = await make();
    try {
      // Finds the credentials. Left to the first call, a failure would stay with the client for good.
      await client.initialize();
    } catch (error) {
      throw explained(error, { action: "connect to", resource: `projects/${this.projectId}` });
    }
    return client;
  }

  /** The project is always passed on: without it a look-up at the metadata server follows. */
  #options(peer: Peer, emulator: string | undefined): ClientOptions {
    if (emulator === undefined) return { projectId: this.projectId, ...this.#keepAlive };
    const { grpc, googleAuthLibrary } = gaxOf(peer);
    const [host = "", port] = emulator.split(":");
    return {
      projectId: this.projectId,
      ...this.#keepAlive,
      apiEndpoint: host,
      port: Number(port),
      sslCreds: grpc.credentials.createInsecure(),
      // Or credentials would be looked for at the metadata server, for the sake of their universe.
      authClient: new googleAuthLibrary.PassThroughClient(),
    };
  }

  /** Closes every channel. Calls under way fail; safe to call again. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#publishCall = undefined;
    await Promise.all([...this.#made.values()].map(async (made) => (await made.catch(() => undefined))?.close()));
    this.#made.clear();
  }
}

function loadPubSub(): Promise<typeof import("@google-cloud/pubsub")> {
  return loadPeer("@google-cloud/pubsub", () => import("@google-cloud/pubsub"));
}

/** The copy of google-gax that a client uses: channel credentials of another one are refused. */
function gaxOf(peer: Peer): Gax {
  return createRequire(createRequire(import.meta.url).resolve(peer))("google-gax") as Gax;
}
