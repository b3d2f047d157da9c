import { createRequire } from "node:module";
import { PubSub, v1 } from "@google-cloud/pubsub";
import { PassThroughClient } from "google-auth-library";
import { type Emulator, type EmulatorOptions, startEmulator, VirtualClock } from "../../src/emulator/index.ts";
import { type LogLine, recordLog } from "../support/log.ts";

export const PROJECT = "demo";
/** Which way a client talks to the emulator. */
export type Way = "grpc" | "rest";

// Google's clients would look for the metadata server of a machine of Google Cloud.
process.env.METADATA_SERVER_DETECTION = "none";

const { grpc }: { readonly grpc: typeof import("google-gax").grpc } = createRequire(
  import.meta.resolve("@google-cloud/pubsub"),
)("google-gax");

/** Google's generated Pub/Sub clients. */
export interface Clients {
  readonly publisher: v1.PublisherClient;
  readonly subscriber: v1.SubscriberClient;
}

/** A running emulator on virtual time, and Google's clients to it. */
export class EmulatorScene {
  readonly clock: VirtualClock;
  readonly emulator: Emulator;
  readonly #lines: readonly LogLine[];
  readonly #closers: (() => unknown)[] = [];

  private constructor(emulator: Emulator, clock: VirtualClock, lines: readonly LogLine[]) {
    this.emulator = emulator;
    this.clock = clock;
    this.#lines = lines;
  }

  static async open(options: EmulatorOptions = {}): Promise<EmulatorScene> {
    const clock = new VirtualClock();
    const { logger, lines } = recordLog();
    return new EmulatorScene(await startEmulator({ clock, logger, ...options }), clock, lines);
  }

  /** Pushes that were sent. */
  get begun(): number {
    return this.#lines.filter(({ message }) => message === "a push was sent").length;
  }

  /** Pushes whose answers have arrived, or that were given up. */
  get answered(): number {
    return this.#lines.filter(({ message }) => /^a push was (not )?acknowledged$/.test(message)).length;
  }

  /** Google's high-level client. */
  pubsub(): PubSub {
    const client = new PubSub({
      projectId: PROJECT,
      apiEndpoint: `${this.emulator.host}:${this.emulator.port}`,
      emulatorMode: true,
      sslCreds: grpc.credentials.createInsecure(),
    });
    this.#closers.push(() => client.close());
    return client;
  }

  /** Google's generated clients, over gRPC or over REST. */
  clients(way: Way): Clients {
    const { host, port, restPort } = this.emulator;
    const options =
      way === "grpc"
        ? { port, sslCreds: grpc.credentials.createInsecure() }
        : { port: restPort, fallback: "rest" as const, protocol: "http", authClient: new PassThroughClient() };
    const all = { projectId: PROJECT, apiEndpoint: host, ...options };
    const publisher = new v1.PublisherClient(all);
    const subscriber = new v1.SubscriberClient(all);
    this.#closers.push(
      () => publisher.close(),
      () => subscriber.close(),
    );
    return { publisher, subscriber };
  }

  /** Sends a request to a path of the emulator, and resolves to status and JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: an answer is JSON, whose fields the tests know.
  async fetch(method: string, path: string, body?: object, port = this.emulator.restPort): Promise<[number, any]> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`http://${this.emulator.host}:${port}${path}`, init);
    return [response.status, await response.json()];
  }

  /** Lets time pass, in seconds. */
  pass(seconds: number): Promise<void> {
    return this.clock.advance(seconds * 1000);
  }

  async close(): Promise<void> {
    for (const close of this.#closers) await close();
    await this.emulator.close();
  }
}

/** Full name of a topic. */
export function topicName(id: string): string {
  return `projects/${PROJECT}/topics/${id}`;
}

/** Full name of a subscription. */
export function subscriptionName(id: string): string {
  return `projects/${PROJECT}/subscriptions/${id}`;
}

/** The code and text that a call of Google's client fails with. */
export async function failureOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    // Over REST `details` is a list.
    const { code, details, message } = error as { code: number; details?: unknown; message: string };
    return `${code} ${typeof details === "string" ? details : message}`;
  }
  return "none";
}

/** A request for IAM policies in the form that the clients' types ask for. */
export function iamRequest<T extends object>(request: T): T & { toJSON(): T } {
  return { ...request, toJSON: () => request };
}
