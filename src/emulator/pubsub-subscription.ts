import { Backlog } from "./pubsub-backlog.ts";
import type { BacklogRules } from "./pubsub-backlog-rules.ts";
import { Courier, retryDelay } from "./pubsub-courier.ts";
import type { Consumer, Entry } from "./pubsub-entry.ts";
import { compileFilter, type Filter } from "./pubsub-filter.ts";
import { idOf, missing, projectOf } from "./pubsub-names.ts";
import type { PushSender } from "./pubsub-push-sender.ts";
import type { StoredMessage, SubscriptionResource } from "./pubsub-resources.ts";
import { isPush } from "./pubsub-settings.ts";
import type { EmulatorScope, OutgoingMessage } from "./service.ts";
import { toMillis } from "./time.ts";

/** What subscriptions have in common. */
export interface SubscriptionParts {
  readonly scope: EmulatorScope;
  readonly sender: PushSender;
  /** Publishes a dead letter; `false` when it cannot be. */
  deadLetter(subscription: Subscription, message: OutgoingMessage): boolean;
  /** Whether dead letters of a subscription can be published. */
  canDeadLetter(subscription: Subscription): boolean;
}

/** One subscription: its settings, and the messages in it. */
export class Subscription {
  readonly backlog: Backlog;
  /** When somebody last did something with it, in milliseconds since the epoch. */
  usedAt: number;
  readonly #parts: SubscriptionParts;
  readonly #filter: Filter;
  readonly #watchers = new Set<() => void>();
  #resource: SubscriptionResource;
  #courier: Courier | undefined;
  #isDeleted = false;

  constructor(resource: SubscriptionResource, parts: SubscriptionParts) {
    this.#resource = resource;
    this.#parts = parts;
    this.#filter = compileFilter(resource.filter ?? "");
    this.usedAt = parts.scope.clock.now();
    this.backlog = new Backlog(parts.scope.clock, this.#rules());
    this.#steer();
  }

  get name(): string {
    return this.#resource.name;
  }

  get resource(): SubscriptionResource {
    return this.#resource;
  }

  get isDeleted(): boolean {
    return this.#isDeleted;
  }

  /** Milliseconds that a message is kept. */
  get retention(): number {
    return toMillis(this.#resource.messageRetentionDuration);
  }

  /** Takes other settings over. */
  update(resource: SubscriptionResource): void {
    const isSamePush =
      isPush(resource.pushConfig) === isPush(this.#resource.pushConfig) &&
      resource.detached === this.#resource.detached;
    this.#resource = resource;
    if (isSamePush) return;
    this.#steer();
    this.#tellWatchers();
  }

  /** Takes a message in, if the filter lets it pass. */
  add(message: StoredMessage): void {
    if (this.#filter(message.attributes ?? {})) this.backlog.add(message);
  }

  /** Calls back when messages cannot be pulled any more, or the subscription is gone; gives out what ends that. */
  watch(callback: () => void): () => void {
    this.#watchers.add(callback);
    return () => this.#watchers.delete(callback);
  }

  /** Takes messages out, unless they are pushed. */
  take(consumer: Consumer, most: number, seconds: number = this.#resource.ackDeadlineSeconds): readonly Entry[] {
    this.usedAt = this.#parts.scope.clock.now();
    return this.backlog.take(consumer, most, seconds);
  }

  /** What is answered once it is deleted. */
  gone(): Error {
    return missing(this.name);
  }

  /** Ends it: it and its messages are gone. */
  delete(): void {
    this.#isDeleted = true;
    this.#drop();
    this.#tellWatchers();
  }

  /** Takes it off its topic: its messages are gone, and nothing comes after them. */
  detach(): void {
    this.update({ ...this.#resource, detached: true });
    for (const entry of this.backlog.all()) this.backlog.settle(entry);
  }

  /** The id of the delivery of a message, by which it is acknowledged. */
  ackId({ message, deliveries }: Entry): string {
    return Buffer.from(`${this.name}:${message.messageId}:${deliveries}`).toString("base64url");
  }

  #drop(): void {
    const courier = this.#courier;
    this.#courier = undefined;
    courier?.stop();
    this.backlog.close();
  }

  #tellWatchers(): void {
    for (const callback of [...this.#watchers]) callback();
  }

  /** Lets messages go the way that the settings want. */
  #steer(): void {
    const { scope, sender } = this.#parts;
    const pushes = isPush(this.#resource.pushConfig) && this.#resource.detached !== true;
    const old = this.#courier;
    this.#courier = undefined;
    old?.stop();
    if (pushes) this.#courier = new Courier(scope, sender, this.#courierHost());
    this.backlog.reoffer();
  }

  #rules(): BacklogRules {
    const subscription = this;
    return {
      get isOrdered() {
        return subscription.#resource.enableMessageOrdering === true;
      },
      get retention() {
        return subscription.retention;
      },
      get retainsAcked() {
        const { retainAckedMessages, topicMessageRetentionDuration } = subscription.#resource;
        return retainAckedMessages === true || topicMessageRetentionDuration !== undefined;
      },
      get isPush() {
        return subscription.#courier !== undefined;
      },
      backoff: (failures) => retryDelay(this.#resource, failures),
      forward: (entry) => this.#isSpent(entry.failures) && this.#forward(entry),
      push: (entry) => this.#courier?.send(entry),
    };
  }

  #courierHost(): ConstructorParameters<typeof Courier>[2] {
    const subscription = this;
    const { backlog } = this;
    return {
      get resource() {
        return subscription.#resource;
      },
      get retention() {
        return subscription.retention;
      },
      entry: (messageId) => backlog.entry(messageId),
      settle: (entry) => {
        this.usedAt = this.#parts.scope.clock.now();
        backlog.settle(entry);
      },
      putBack: (entry) => backlog.putBack(entry),
      isSpent: (failures) => this.#isSpent(failures),
      forward: (entry) => this.#forward(entry),
    };
  }

  #isSpent(failures: number): boolean {
    const { deadLetterPolicy } = this.#resource;
    const { maxDeliveryAttempts = Number.POSITIVE_INFINITY } = deadLetterPolicy ?? {};
    return failures >= maxDeliveryAttempts && this.#parts.canDeadLetter(this);
  }

  /** https://cloud.google.com/pubsub/docs/handling-failures#track-delivery-attempts */
  #forward({ message, failures }: Entry): boolean {
    const { attributes, data, orderingKey, publishTime } = message;
    return this.#parts.deadLetter(this, {
      ...(data === undefined ? {} : { data }),
      orderingKey,
      attributes: {
        ...attributes,
        CloudPubSubDeadLetterSourceDeliveryCount: String(failures),
        CloudPubSubDeadLetterSourceSubscription: idOf(this.name),
        CloudPubSubDeadLetterSourceSubscriptionProject: projectOf(this.name),
        CloudPubSubDeadLetterSourceTopicPublishTime: new Date(publishTime).toISOString().replace("Z", "+00:00"),
      },
    });
  }
}
