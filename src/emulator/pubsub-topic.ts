import type { TopicResource } from "./pubsub-resources.ts";
import type { Subscription } from "./pubsub-subscription.ts";

/** One topic, and the subscriptions that get what is published to it. */
export class Topic {
  resource: TopicResource;
  readonly subscriptions: Set<Subscription> = new Set();

  constructor(resource: TopicResource) {
    this.resource = resource;
  }
}
