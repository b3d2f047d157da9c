import type { TimeParts } from "./time.ts";

/** A `google.pubsub.v1.Topic`, as far as it is emulated; what else was sent of it is kept and answered. */
export interface TopicResource {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly messageRetentionDuration?: TimeParts;
}

/** A `google.pubsub.v1.PushConfig`. */
export interface PushConfig {
  readonly pushEndpoint?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly oidcToken?: { readonly serviceAccountEmail?: string; readonly audience?: string };
  readonly pubsubWrapper?: object;
  readonly noWrapper?: { readonly writeMetadata?: boolean };
}

/** A `google.pubsub.v1.DeadLetterPolicy`. */
export interface DeadLetterPolicy {
  readonly deadLetterTopic?: string;
  readonly maxDeliveryAttempts?: number;
}

/** A `google.pubsub.v1.Subscription`, with the server's defaults filled in. */
export interface SubscriptionResource {
  readonly name: string;
  readonly topic: string;
  readonly pushConfig: PushConfig;
  readonly ackDeadlineSeconds: number;
  readonly retainAckedMessages?: boolean;
  readonly messageRetentionDuration: TimeParts;
  readonly labels?: Readonly<Record<string, string>>;
  readonly enableMessageOrdering?: boolean;
  readonly expirationPolicy: { readonly ttl?: TimeParts };
  readonly filter?: string;
  readonly deadLetterPolicy?: DeadLetterPolicy;
  readonly retryPolicy?: { readonly minimumBackoff?: TimeParts; readonly maximumBackoff?: TimeParts };
  readonly detached?: boolean;
  readonly enableExactlyOnceDelivery?: boolean;
  readonly topicMessageRetentionDuration?: TimeParts;
  readonly state: string;
}

/** A subscription as it is sent: everything but its name may be absent. */
export type SubscriptionRequest = Partial<SubscriptionResource>;

/** A message that was published. One object stands in every subscription. */
export interface StoredMessage {
  readonly messageId: string;
  /** Milliseconds since the epoch. */
  readonly publishTime: number;
  readonly data: Uint8Array | undefined;
  readonly attributes: Readonly<Record<string, string>> | undefined;
  /** Empty for none. */
  readonly orderingKey: string;
}

/** A `google.pubsub.v1.PubsubMessage` on its way in. */
export interface PubsubMessage {
  readonly data?: Uint8Array;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
}
