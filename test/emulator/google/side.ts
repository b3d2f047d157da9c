import { createRequire } from "node:module";
import { v1 } from "@google-cloud/pubsub";
import { startEmulator } from "../../../src/emulator/index.ts";
import { type Answer, failureText, plain } from "./answer.ts";
import { findGoogleEmulator, GoogleEmulator } from "./google-emulator.ts";

// Google's clients would look for the metadata server of a machine of Google Cloud.
process.env.METADATA_SERVER_DETECTION = "none";

const { grpc }: { readonly grpc: typeof import("google-gax").grpc } = createRequire(
  import.meta.resolve("@google-cloud/pubsub"),
)("google-gax");

/** Whose emulator. */
export type Whose = "ours" | "google";

/** The emulators that are at hand: ours always. */
export function whoseAtHand(): readonly Whose[] {
  const found = findGoogleEmulator();
  if ("launcher" in found) return ["ours", "google"];
  process.stderr.write(`Google's Pub/Sub emulator is left out: ${found.missing}. Ours is tested alone.\n`);
  return ["ours"];
}

interface Running {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/** One emulator that runs, and Google's clients to it. */
export class Side {
  readonly whose: Whose;
  readonly host: string;
  readonly publisher: v1.PublisherClient;
  readonly subscriber: v1.SubscriberClient;
  readonly #running: Running;
  #projects = 0;

  private constructor(whose: Whose, running: Running) {
    this.whose = whose;
    this.#running = running;
    this.host = `${running.host}:${running.port}`;
    const options = {
      projectId: "unused",
      apiEndpoint: running.host,
      port: running.port,
      sslCreds: grpc.credentials.createInsecure(),
    };
    this.publisher = new v1.PublisherClient(options);
    this.subscriber = new v1.SubscriberClient(options);
  }

  static async open(whose: Whose): Promise<Side> {
    return new Side(whose, await start(whose));
  }

  /** A project that nothing has been made in. */
  project(): Project {
    return new Project(this, `p-${++this.#projects}`);
  }

  async close(): Promise<void> {
    await this.publisher.close();
    await this.subscriber.close();
    await this.#running.close();
  }
}

function start(whose: Whose): Promise<Running> {
  if (whose === "ours") return startEmulator();
  const found = findGoogleEmulator();
  if ("missing" in found) throw new Error(`expected Google's Pub/Sub emulator, but ${found.missing}`);
  return GoogleEmulator.start(found.launcher);
}

/** A topic and a subscription, as Google's clients take them and give them out. */
export type Topic = Parameters<v1.PublisherClient["createTopic"]>[0];
export type Subscription = Parameters<v1.SubscriberClient["createSubscription"]>[0];

/** Most calls are about one topic and one subscription: they are called so. */
const TOPIC = "orders";
const SUBSCRIPTION = "orders-sub";

/** A project of one emulator, with all that a test asks it. */
export class Project {
  readonly side: Side;
  readonly id: string;

  constructor(side: Side, id: string) {
    this.side = side;
    this.id = id;
  }

  get publisher(): v1.PublisherClient {
    return this.side.publisher;
  }

  get subscriber(): v1.SubscriberClient {
    return this.side.subscriber;
  }

  get name(): string {
    return `projects/${this.id}`;
  }

  readonly topicName = (id: string = TOPIC): string => `${this.name}/topics/${id}`;

  readonly subscriptionName = (id: string = SUBSCRIPTION): string => `${this.name}/subscriptions/${id}`;

  /** Makes a topic. */
  async topic(fields: Topic = {}): Promise<Topic> {
    return (await this.publisher.createTopic({ name: this.topicName(), ...fields }))[0];
  }

  /** Makes a subscription to {@link TOPIC}, which must be there. */
  async subscription(fields: Subscription = {}): Promise<Subscription> {
    const request = { name: this.subscriptionName(), topic: this.topicName(), ...fields };
    return (await this.subscriber.createSubscription(request))[0];
  }

  /** What a call comes to: the plain answer, or code and text of the failure. */
  async answer(call: Promise<unknown>): Promise<Answer> {
    try {
      return this.neutral(plain(await call));
    } catch (error) {
      return this.neutral(failureText(error));
    }
  }

  /** Without the project's own name, so that answers of two projects can be compared. */
  neutral<T extends Answer>(answer: T): T {
    return JSON.parse(JSON.stringify(answer ?? null).replaceAll(this.id, "P"));
  }

  /** Sends a request to the REST API below the project, and resolves to the answer, as it is. */
  async rest(method: string, path: string, body?: object | string): Promise<RestAnswer> {
    const response = await fetch(`http://${this.side.host}/v1/${this.name}${path}`, {
      method,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      headers: { "content-type": "application/json" },
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
    return { status: response.status, body: isJson ? JSON.parse(text) : text.trim() };
  }
}

/** An answer over REST: JSON, or plain text where Google's emulator has no more. */
export interface RestAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: an answer is JSON, whose fields the tests know.
  readonly body: any;
}

/** An answer over REST in one line where it is a refusal. */
export function restAnswer({ status, body }: RestAnswer): Answer {
  if (status === 200) return body;
  if (typeof body === "string") return `${status} ${body}`;
  const { error } = body;
  return error.code === status ? `${status} ${error.status} ${error.message ?? ""}`.trim() : body;
}
