import { afterEach } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { resolveConfig } from "../../src/core/config.ts";
import { GoogleClients } from "../../src/google/clients.ts";
import { measured } from "../../src/google/publish-request.ts";
import { Publisher, type PublisherSettings } from "../../src/google/publisher.ts";
import { WatchedClock } from "../backends/watched-clock.ts";
import { TopicServer } from "./topic-server.ts";

export const TOPIC = "projects/p/topics/t";

const SETTINGS: PublisherSettings = { timeout: 10_000, maxInFlight: 20_000, maxInFlightBytes: 40_000_000 };

const closing: (() => unknown)[] = [];

/** Closes after each test what the scenes of a file have opened. */
export function closeTopicScenes(): void {
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });
}

/** A publisher with Google's real client, and a server on a socket that does what the test says. */
export interface TopicScene<C extends Clock> {
  readonly server: TopicServer;
  readonly publisher: Publisher;
  readonly clients: GoogleClients;
  readonly clock: C;
  /** Publishes one text; resolves to its message id. */
  publish(text: string, orderingKey?: string, topic?: string): Promise<string>;
}

export function openTopicScene(settings?: Partial<PublisherSettings>): Promise<TopicScene<WatchedClock>>;
export function openTopicScene<C extends Clock>(settings: Partial<PublisherSettings>, clock: C): Promise<TopicScene<C>>;
export async function openTopicScene(
  settings: Partial<PublisherSettings> = {},
  clock: Clock = new WatchedClock(),
): Promise<TopicScene<Clock>> {
  const server = await TopicServer.open();
  const clients = new GoogleClients(resolveConfig({ GCP_PROJECT_ID: "p", TASKS_EMULATOR_HOST: server.host }));
  closing.push(
    () => clients.close(),
    () => server.close(),
  );
  // Pauses are as long as they can be, so that tests can wait for them by their length.
  const publisher = new Publisher(
    { clock, random: () => 1, connect: () => clients.publishCall() },
    { ...SETTINGS, ...settings },
  );
  const publish = (text: string, orderingKey?: string, topic = TOPIC) =>
    new Promise<string>((accepted, refused) => {
      const message = measured({ text, attributes: undefined, orderingKey });
      publisher.publish(topic, { message, takenAt: clock.now(), accepted, refused });
    });
  return { server, publisher, clients, clock, publish };
}

/** The texts of each request that a server has got. */
export function requestsOf(server: TopicServer): readonly (readonly string[])[] {
  return server.arrivals.map(({ messages }) => messages.map(({ data }) => data));
}

/** The numbers of a range as texts. */
export function texts(from: number, to: number): readonly string[] {
  return Array.from({ length: to - from }, (_, index) => String(from + index));
}
