import { Alarm } from "../engine/alarm.ts";
import { iamService } from "./pubsub-iam.ts";
import { idOf, missing, projectOf } from "./pubsub-names.ts";
import { assertPublishable, storedMessage } from "./pubsub-publish.ts";
import { publisherService } from "./pubsub-publisher.ts";
import { PushSender } from "./pubsub-push-sender.ts";
import type { PubsubMessage } from "./pubsub-resources.ts";
import { subscriberService } from "./pubsub-subscriber.ts";
import type { Subscription, SubscriptionParts } from "./pubsub-subscription.ts";
import type { Topic } from "./pubsub-topic.ts";
import type { EmulatorScope, OutgoingMessage, Service } from "./service.ts";
import { toMillis } from "./time.ts";

/** Topics, subscriptions and messages, and the services by which they are used. */
export class Pubsub {
  readonly topics: Map<string, Topic> = new Map();
  readonly subscriptions: Map<string, Subscription> = new Map();
  readonly scope: EmulatorScope;
  readonly services: readonly Service[];
  /** What every subscription of this is made with. */
  readonly parts: SubscriptionParts;
  readonly #sender: PushSender;
  readonly #expiry: Alarm<Subscription>;
  #lastId: number;

  constructor(scope: EmulatorScope) {
    this.scope = scope;
    this.#sender = new PushSender(scope.clock);
    this.#expiry = new Alarm(scope.clock, (subscription) => this.#expire(subscription));
    // Ids of 16 digits that grow, like the service's; those of an emulator that is started later are greater.
    this.#lastId = Math.floor(scope.clock.now() * 1000);
    this.parts = {
      scope,
      sender: this.#sender,
      deadLetter: (subscription, message) => this.#deadLetter(subscription, message),
      canDeadLetter: (subscription) => this.#deadLetterTopic(subscription) !== undefined,
    };
    this.services = [publisherService(this), subscriberService(this), iamService(this)];
  }

  /**
   * The topic of a name.
   *
   * @throws RpcError NOT_FOUND.
   */
  topic(name: string): Topic {
    const topic = this.topics.get(name);
    if (topic === undefined) throw missing(name);
    return topic;
  }

  /**
   * The subscription of a name, which counts as used by this.
   *
   * @throws RpcError NOT_FOUND.
   */
  subscription(name: string): Subscription {
    const subscription = this.subscriptions.get(name);
    if (subscription === undefined) throw missing(name);
    subscription.usedAt = this.scope.clock.now();
    return subscription;
  }

  /** Takes a subscription in, and sees to it that it expires. */
  include(subscription: Subscription): void {
    this.subscriptions.set(subscription.name, subscription);
    this.topics.get(subscription.resource.topic)?.subscriptions.add(subscription);
    this.watchExpiry(subscription);
  }

  /** Deletes a subscription. */
  exclude(subscription: Subscription): void {
    this.subscriptions.delete(subscription.name);
    this.topics.get(subscription.resource.topic)?.subscriptions.delete(subscription);
    this.scope.iam.delete(subscription.name);
    subscription.delete();
  }

  /** Looks for the end of a subscription's time to live, from now on. */
  watchExpiry(subscription: Subscription): void {
    const { ttl } = subscription.resource.expirationPolicy;
    if (ttl !== undefined) this.#expiry.set(subscription.usedAt + toMillis(ttl), subscription);
  }

  /**
   * Publishes messages to a topic.
   *
   * @returns their ids. Nothing is published when it throws.
   * @throws RpcError INVALID_ARGUMENT, NOT_FOUND.
   */
  publishAll(name: string, messages: readonly PubsubMessage[]): readonly string[] {
    const topic = this.topic(name);
    assertPublishable(messages);
    const now = this.scope.clock.now();
    return messages.map((message) => {
      this.#lastId += 1;
      const stored = storedMessage(message, String(this.#lastId), now);
      for (const subscription of topic.subscriptions) subscription.add(stored);
      return stored.messageId;
    });
  }

  /** Publishes one message, see `EmulatorScope.publish`. */
  async publish(topic: string, message: OutgoingMessage): Promise<string> {
    const [id = ""] = this.publishAll(topic, [message]);
    return id;
  }

  /** Stops everything. */
  async close(): Promise<void> {
    this.#expiry.stop();
    for (const subscription of this.subscriptions.values()) subscription.delete();
    this.#sender.close();
  }

  #expire(subscription: Subscription): void {
    if (subscription.isDeleted) return;
    const { ttl } = subscription.resource.expirationPolicy;
    if (ttl === undefined) return;
    if (subscription.usedAt + toMillis(ttl) > this.scope.clock.now()) {
      this.watchExpiry(subscription);
      return;
    }
    this.scope.logger.warn("a subscription expired", { subscription: subscription.name });
    this.exclude(subscription);
  }

  #deadLetter(subscription: Subscription, message: OutgoingMessage): boolean {
    const topic = this.#deadLetterTopic(subscription);
    if (topic === undefined) return false;
    // What was published once is within the limits, but for the attributes that are added.
    this.#lastId += 1;
    const stored = storedMessage(message, String(this.#lastId), this.scope.clock.now());
    for (const target of topic.subscriptions) target.add(stored);
    this.scope.logger.info("a message was forwarded to a dead-letter topic", {
      subscription: subscription.name,
      topic: topic.resource.name,
    });
    return true;
  }

  /**
   * Where the dead letters of a subscription go; `undefined` when they cannot. The service agent needs a role on either side:
   * https://cloud.google.com/pubsub/docs/dead-letter-topics#granting_forwarding_permissions
   */
  #deadLetterTopic({ name, resource }: Subscription): Topic | undefined {
    const { deadLetterTopic = "" } = resource.deadLetterPolicy ?? {};
    const topic = this.topics.get(deadLetterTopic);
    const { checksGrants, iam, projects } = this.scope;
    if (topic === undefined || !checksGrants) return topic;
    const agent = projects.pubsubAgent(projectOf(name));
    const isGranted = iam.grants(deadLetterTopic, PUBLISHING, agent) && iam.grants(name, SUBSCRIBING, agent);
    if (isGranted) return topic;
    this.scope.logger.warn("a dead letter is not forwarded: the Pub/Sub service agent lacks a role", {
      subscription: idOf(name),
      topic: idOf(deadLetterTopic),
      agent,
    });
    return undefined;
  }
}

/** Roles that hold `pubsub.topics.publish` and `pubsub.subscriptions.consume`. */
const PUBLISHING = ["roles/pubsub.publisher", "roles/pubsub.editor", "roles/pubsub.admin"];
const SUBSCRIBING = ["roles/pubsub.subscriber", "roles/pubsub.editor", "roles/pubsub.admin"];
