import { afterEach } from "vitest";
import { resolveConfig } from "../../src/core/config.ts";
import type { AnyRoute } from "../../src/core/declaration.ts";
import type { FinishedEvent } from "../../src/core/events.ts";
import { resourceNames } from "../../src/core/names.ts";
import type { RuntimeOptions } from "../../src/core/runtime-options.ts";
import type { AnyTasks } from "../../src/core/tasks.ts";
import { type Emulator, startEmulator } from "../../src/emulator/index.ts";
import { type CloudTasksClient, GoogleClients, type SubscriberClient } from "../../src/google/clients.ts";
import { type LogLine, recordLog } from "../support/log.ts";
import { Endpoint } from "./endpoint.ts";
import { Recorder } from "./recorder.ts";
import { WatchedClock } from "./watched-clock.ts";

export const PROJECT = "demo";
const PUSHER = "push@demo.iam.gserviceaccount.com";
const NAMING = { environment: "dev", namespace: "app" };
const QUEUES = `projects/${PROJECT}/locations/europe-west2`;
export const DEFERRAL_QUEUE = `${QUEUES}/queues/dev--app-deferral`;

const closing: (() => unknown)[] = [];

/** Closes after each test what the scenes of a file have opened. */
export function closeTopicScenes(): void {
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
}

/**
 * An emulator on virtual time and the endpoint of a service on a real server: messages go through Google's real client,
 * and come back over HTTP with signed tokens.
 */
export class TopicScene {
  readonly clock: WatchedClock;
  readonly emulator: Emulator;
  readonly endpoint: Endpoint;
  readonly recorder: Recorder = new Recorder();
  readonly lines: readonly LogLine[];
  /** To be spread into `createTasks`, together with a backend. */
  readonly options: RuntimeOptions & Required<Pick<RuntimeOptions, "env">>;
  readonly clients: GoogleClients;

  readonly #pushes: readonly LogLine[];

  private constructor(clock: WatchedClock, emulator: Emulator, endpoint: Endpoint, pushes: readonly LogLine[]) {
    this.clock = clock;
    this.emulator = emulator;
    this.endpoint = endpoint;
    this.#pushes = pushes;
    const { logger, lines } = recordLog();
    this.lines = lines;
    const env = {
      TASKS_EMULATOR_HOST: emulator.env.TASKS_EMULATOR_HOST,
      GCP_PROJECT_ID: PROJECT,
      CLOUD_RUN_SERVICE_URL: new URL(endpoint.url).origin,
      TASKS_SERVICE_ACCOUNT: PUSHER,
      TASKS_DEFERRAL_QUEUE: "true",
    };
    this.options = { clock, logger, hooks: this.recorder.hooks, env };
    this.clients = new GoogleClients(resolveConfig(env));
  }

  static async open(clock: WatchedClock = new WatchedClock()): Promise<TopicScene> {
    const { logger, lines } = recordLog();
    const scene = new TopicScene(clock, await startEmulator({ clock, logger }), await Endpoint.open(), lines);
    closing.push(async () => {
      await scene.clients.close();
      await scene.endpoint.stop();
      await scene.emulator.close();
    });
    return scene;
  }

  /** Makes what routes need, as provisioning does. */
  async provision(routes: readonly AnyRoute[]): Promise<void> {
    const [publisher, subscriber, queues] = await Promise.all([
      this.clients.publisher(),
      this.clients.subscriber(),
      this.clients.tasks(),
    ]);
    await queues.createQueue({ parent: QUEUES, queue: { name: DEFERRAL_QUEUE } });
    for (const route of routes) {
      const { topic, subscription, deadTopic, deadSubscription } = namesOf(route);
      await publisher.createTopic({ name: topic });
      await publisher.createTopic({ name: deadTopic });
      await subscriber.createSubscription({ name: deadSubscription, topic: deadTopic, ackDeadlineSeconds: 60 });
      await subscriber.createSubscription({ name: subscription, topic, ...this.#delivery(route) });
    }
  }

  #delivery({ path, settings }: AnyRoute): Parameters<SubscriberClient["createSubscription"]>[0] {
    const { ackDeadline, minRetryDelay, maxRetryDelay, maxAttempts, ordered } = settings;
    return {
      pushConfig: {
        pushEndpoint: this.endpoint.url,
        oidcToken: { serviceAccountEmail: PUSHER, audience: new URL(this.endpoint.url).origin },
      },
      ackDeadlineSeconds: ackDeadline,
      retryPolicy: { minimumBackoff: { seconds: minRetryDelay }, maximumBackoff: { seconds: maxRetryDelay } },
      deadLetterPolicy: {
        deadLetterTopic: namesOf({ path }).deadTopic,
        maxDeliveryAttempts: Math.min(100, Math.max(5, 5 * maxAttempts)),
      },
      enableMessageOrdering: ordered,
    };
  }

  /** Hands what is pushed to a client, and closes that after the test. */
  adopt<T extends AnyTasks & { close(): Promise<void> }>(tasks: T): T {
    this.endpoint.serve(tasks);
    closing.push(() => Promise.all([tasks.close(), this.clock.advance(60_000)]));
    return tasks;
  }

  /** Lets time pass until so many runs have come to an outcome, of this type if one is given: failures slow pushes down. */
  async outcomes(count: number, type?: FinishedEvent["outcome"]["type"]): Promise<readonly FinishedEvent[]> {
    const seen = () => this.recorder.finished.filter(({ outcome }) => type === undefined || outcome.type === type);
    while (seen().length < count) {
      await new Promise((resolve) => setImmediate(resolve));
      // Or deadlines would pass while this process is slow.
      if (this.#isIdle) await this.clock.advance(1000);
    }
    return seen();
  }

  get #isIdle(): boolean {
    const count = (pattern: RegExp) => this.#pushes.filter(({ message }) => pattern.test(message)).length;
    return count(/^a push was sent$/) === count(/^a push was (not )?acknowledged$/);
  }

  /** Google's client of Cloud Tasks, to look into the deferral queue. */
  queues(): Promise<CloudTasksClient> {
    return this.clients.tasks();
  }
}

/** Full names of a route's resources. */
export function namesOf({
  path,
}: Pick<AnyRoute, "path">): Record<"topic" | "subscription" | "deadTopic" | "deadSubscription", string> {
  const names = resourceNames(NAMING, path);
  return {
    topic: `projects/${PROJECT}/topics/${names.topicName}`,
    subscription: `projects/${PROJECT}/subscriptions/${names.subscriptionName}`,
    deadTopic: `projects/${PROJECT}/topics/${names.deadLetterTopicName}`,
    deadSubscription: `projects/${PROJECT}/subscriptions/${names.deadLetterSubscriptionName}`,
  };
}
