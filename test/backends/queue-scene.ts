import { createRequire } from "node:module";
import { v2 } from "@google-cloud/tasks";
import { PassThroughClient } from "google-auth-library";
import { afterEach } from "vitest";
import { resolveConfig } from "../../src/core/config.ts";
import type { AnyRoute } from "../../src/core/declaration.ts";
import { queueAttempts } from "../../src/core/headroom.ts";
import { resourceNames } from "../../src/core/names.ts";
import { queueNamesOf } from "../../src/core/queue-name.ts";
import type { RuntimeOptions } from "../../src/core/runtime-options.ts";
import type { AnyTasks } from "../../src/core/tasks.ts";
import { type Emulator, startEmulator } from "../../src/emulator/index.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { GoogleClients } from "../../src/google/clients.ts";
import { eventually } from "../emulator/worker.ts";
import { type LogLine, recordLog } from "../support/log.ts";
import { Endpoint } from "./endpoint.ts";
import { Recorder } from "./recorder.ts";

export const PROJECT = "demo";
export const LOCATION = "europe-west2";
export const PUSHER = "push@demo.iam.gserviceaccount.com";
/** The code of gRPC. */
const NOT_FOUND = 5;
const NAMING = { environment: "dev", namespace: "app" };

const { grpc }: { readonly grpc: typeof import("google-gax").grpc } = createRequire(
  import.meta.resolve("@google-cloud/tasks"),
)("google-gax");

const closing: (() => unknown)[] = [];

/** Closes after each test what the scenes of a file have opened. */
export function closeQueueScenes(): void {
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
}

/** A task as Cloud Tasks shows it in full, with its body as text. */
export interface SeenTask {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly oidcToken: { readonly serviceAccountEmail: string; readonly audience: string } | null;
  /** Seconds since the epoch, and seconds. */
  readonly scheduleTime: number;
  readonly dispatchDeadline: number;
  readonly dispatchCount: number;
}

/**
 * An emulator on virtual time, the endpoint of a service on a real server, and Google's client to look into queues. Tasks go
 * through Google's real client, and come back over HTTP with signed tokens.
 */
export class QueueScene {
  readonly clock: VirtualClock;
  readonly emulator: Emulator;
  readonly endpoint: Endpoint;
  readonly recorder: Recorder = new Recorder();
  readonly lines: readonly LogLine[];
  /** To be spread into `createTasks`, together with a backend. */
  readonly options: RuntimeOptions & Required<Pick<RuntimeOptions, "env">>;
  readonly client: v2.CloudTasksClient;

  private constructor(clock: VirtualClock, emulator: Emulator, endpoint: Endpoint) {
    this.clock = clock;
    this.emulator = emulator;
    this.endpoint = endpoint;
    const { logger, lines } = recordLog();
    this.lines = lines;
    const env = {
      TASKS_EMULATOR_HOST: emulator.env.TASKS_EMULATOR_HOST,
      GCP_PROJECT_ID: PROJECT,
      CLOUD_RUN_SERVICE_URL: new URL(endpoint.url).origin,
      TASKS_SERVICE_ACCOUNT: PUSHER,
    };
    this.options = { clock, logger, hooks: this.recorder.hooks, env };
    this.client = new v2.CloudTasksClient({
      projectId: PROJECT,
      apiEndpoint: emulator.host,
      port: emulator.port,
      sslCreds: grpc.credentials.createInsecure(),
      authClient: new PassThroughClient(),
    });
  }

  static async open(clock: VirtualClock = new VirtualClock()): Promise<QueueScene> {
    const scene = new QueueScene(clock, await startEmulator({ clock }), await Endpoint.open());
    closing.push(async () => {
      await scene.client.close();
      await scene.endpoint.stop();
      await scene.emulator.close();
    });
    return scene;
  }

  /** Makes the queues of routes, as provisioning does, unless one is not managed. They are paused: a test dispatches. */
  async makeQueues(routes: readonly AnyRoute[], { managed = true } = {}): Promise<void> {
    for (const route of routes) {
      const { minRetryDelay, maxRetryDelay } = route.settings;
      const retryConfig = {
        maxAttempts: queueAttempts(route),
        minBackoff: { seconds: minRetryDelay },
        maxBackoff: { seconds: maxRetryDelay },
        ...(managed ? { maxRetryDuration: { seconds: 7 * 86_400 } } : {}),
      };
      for (const id of queueNamesOf(NAMING, route)) {
        const name = this.queue(id);
        await this.client.createQueue({
          parent: name.slice(0, name.indexOf("/queues/")),
          queue: { name, retryConfig },
        });
        await this.client.pauseQueue({ name });
      }
    }
  }

  /** Makes the topics and subscriptions in which the dead letters of routes are kept. */
  async makeDeadLetterTopics(routes: readonly AnyRoute[]): Promise<void> {
    const clients = new GoogleClients(resolveConfig(this.options.env));
    const [publisher, subscriber] = await Promise.all([clients.publisher(), clients.subscriber()]);
    for (const { path } of routes) {
      const { deadLetterTopicName, deadLetterSubscriptionName } = resourceNames(NAMING, path);
      const topic = `projects/${PROJECT}/topics/${deadLetterTopicName}`;
      await publisher.createTopic({ name: topic });
      const name = `projects/${PROJECT}/subscriptions/${deadLetterSubscriptionName}`;
      await subscriber.createSubscription({ name, topic });
    }
    await clients.close();
  }

  /** As whom, and to whom, the tasks of this service call. */
  get oidcToken(): { readonly serviceAccountEmail: string; readonly audience: string } {
    return { serviceAccountEmail: PUSHER, audience: new URL(this.endpoint.url).origin };
  }

  /** Full name of a queue. */
  queue(id: string): string {
    return id.includes("/") ? id : `projects/${PROJECT}/locations/${LOCATION}/queues/${id}`;
  }

  /** Hands what the emulator dispatches to a client, and closes that after the test. */
  adopt<T extends AnyTasks & { close(): Promise<void> }>(tasks: T): T {
    this.endpoint.serve(tasks);
    closing.push(() => Promise.all([tasks.close(), this.clock.advance(60_000)]));
    return tasks;
  }

  /** The tasks of a queue. */
  async tasksOf(id: string): Promise<readonly SeenTask[]> {
    const [tasks] = await this.client.listTasks({ parent: this.queue(id), responseView: "FULL" });
    return tasks.map(({ name, httpRequest, scheduleTime, dispatchDeadline, dispatchCount }) => ({
      name: name ?? "",
      url: httpRequest?.url ?? "",
      headers: httpRequest?.headers ?? {},
      body: Buffer.from((httpRequest?.body ?? "") as Uint8Array).toString(),
      oidcToken: (httpRequest?.oidcToken ?? null) as SeenTask["oidcToken"],
      scheduleTime: Number(scheduleTime?.seconds) + Number(scheduleTime?.nanos) / 1e9,
      dispatchDeadline: Number(dispatchDeadline?.seconds),
      dispatchCount: dispatchCount ?? 0,
    }));
  }

  /** Lets time pass, in seconds. */
  pass(seconds: number): Promise<void> {
    return this.clock.advance(seconds * 1000);
  }

  /** Dispatches the task of a paused queue that is due first; resolves once that is answered, or its connection broken. */
  async dispatch(id: string): Promise<void> {
    await this.#answered(await this.begin(id));
  }

  /** Dispatches the task of a paused queue that is due first, whose handler does not answer until the deadline has passed. */
  async dispatchUnanswered(id: string): Promise<void> {
    const before = this.endpoint.received.length;
    const task = await this.begin(id);
    await eventually(() => this.endpoint.received.length > before, "a delivery");
    await this.pass(task.dispatchDeadline);
    await this.#answered(task);
  }

  /** Dispatches what is in a paused queue until it is empty, and what is created meanwhile. */
  async dispatchAll(id: string): Promise<void> {
    while ((await this.tasksOf(id)).length > 0) await this.dispatch(id);
  }

  /** Begins to dispatch the task of a queue that is due first, and returns it as it was before. */
  async begin(id: string): Promise<SeenTask> {
    const [task] = (await this.tasksOf(id)).toSorted((a, b) => a.scheduleTime - b.scheduleTime);
    if (task === undefined) throw new Error(`expected a task in ${id}, found none`);
    await this.client.runTask({ name: task.name });
    return task;
  }

  async #answered({ name, dispatchCount }: SeenTask): Promise<void> {
    for (;;) {
      const found = await this.client.getTask({ name }).catch((error: { code: number }) => {
        if (error.code !== NOT_FOUND) throw error;
        return undefined;
      });
      if (found === undefined) return;
      const [task] = found;
      if ((task.dispatchCount ?? 0) > dispatchCount && task.lastAttempt?.responseTime) return;
    }
  }
}
