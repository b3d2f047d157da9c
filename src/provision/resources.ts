import type { Naming } from "../core/names.ts";
import type { ResourceKind } from "../core/provisioning.ts";

/**
 * Resources as plain data. Settings are spelled as the services spell them, and say only what this library sets: what they
 * leave out is left as it is. Durations are seconds; bodies are text.
 */
interface Settled<K extends ResourceKind, S> {
  readonly kind: K;
  /** Full name, e.g. `projects/P/topics/T`. */
  readonly name: string;
  readonly settings: S;
}

/** What a resource is there for. */
interface Placed {
  /** Paths of the routes that it serves, in the order of the list. */
  readonly routes: readonly string[];
  /** Full names of the resources that must be there before it. */
  readonly dependsOn: readonly string[];
}

/** What Pub/Sub's own service agent needs to forward dead letters, each on one resource. */
export type AgentRole = "roles/pubsub.publisher" | "roles/pubsub.subscriber";

/** A topic of Pub/Sub. */
export interface TopicSettings {
  readonly labels: Readonly<Record<string, string>>;
}

/** A subscription of Pub/Sub. */
export interface SubscriptionSettings {
  /** Full name. Cannot be changed. */
  readonly topic: string;
  /** Where it pushes to, and as whom; an empty endpoint is a subscription that is pulled from. */
  readonly pushConfig: {
    readonly pushEndpoint: string;
    readonly oidcToken?: { readonly serviceAccountEmail: string; readonly audience: string };
  };
  readonly ackDeadlineSeconds: number;
  readonly retryPolicy?: { readonly minimumBackoff: number; readonly maximumBackoff: number };
  readonly deadLetterPolicy?: { readonly deadLetterTopic: string; readonly maxDeliveryAttempts: number };
  /** Without a policy of never, a subscription is deleted after 31 idle days. */
  readonly expirationPolicy: { readonly ttl: "never" };
  /** How long what is not acknowledged is kept. Left to the service, which takes 7 days, where it is absent. */
  readonly messageRetentionDuration?: number;
  /** Cannot be changed. */
  readonly enableMessageOrdering: boolean;
  /** Cannot be changed. Always empty: a filter would acknowledge tasks unseen. */
  readonly filter: "";
  /** Whether it was cut off from its topic, which cannot be undone. */
  readonly detached: false;
  readonly labels: Readonly<Record<string, string>>;
}

/** A queue of Cloud Tasks. */
export interface QueueSettings {
  readonly rateLimits?: { readonly maxDispatchesPerSecond?: number; readonly maxConcurrentDispatches?: number };
  readonly retryConfig: {
    readonly maxAttempts: number;
    readonly minBackoff: number;
    readonly maxBackoff: number;
    readonly maxDoublings?: number;
    readonly maxRetryDuration: number;
  };
  readonly stackdriverLoggingConfig?: { readonly samplingRatio: number };
}

/** What a scheduler job does at every tick: it publishes, or it posts. */
export type JobTarget =
  | {
      /** Full name of the topic, and the text of the message. */
      readonly pubsubTarget: { readonly topicName: string; readonly data: string };
    }
  | {
      readonly httpTarget: {
        readonly uri: string;
        readonly httpMethod: "POST";
        readonly headers: { readonly "Content-Type": "application/json" };
        /** Text. */
        readonly body: string;
        readonly oidcToken: { readonly serviceAccountEmail: string; readonly audience: string };
      };
      /** Seconds until a call counts as failed, 15–1800. */
      readonly attemptDeadline: number;
    };

/** A job of Cloud Scheduler. */
export type JobSettings = JobTarget & {
  /** Ends in the marker that says whose it is (see marker.ts); at most 500 characters. */
  readonly description: string;
  /** Cron in five fields. */
  readonly schedule: string;
  /** IANA name. */
  readonly timeZone: string;
  readonly retryConfig: {
    readonly retryCount: number;
    readonly minBackoffDuration: number;
    readonly maxBackoffDuration: number;
    readonly maxDoublings: number;
  };
  /** A new job is always `ENABLED`; it is paused by a call of its own. */
  readonly state: "ENABLED" | "PAUSED";
};

export interface DesiredTopic extends Settled<"topic", TopicSettings>, Placed {
  /** Whether Pub/Sub's service agent must be allowed to publish to it: on a dead-letter topic. */
  readonly agentRole?: "roles/pubsub.publisher";
}

export interface DesiredSubscription extends Settled<"subscription", SubscriptionSettings>, Placed {
  /** Whether Pub/Sub's service agent must be allowed to acknowledge what it forwards: on one with a dead-letter policy. */
  readonly agentRole?: "roles/pubsub.subscriber";
}

export interface DesiredQueue extends Settled<"queue", QueueSettings>, Placed {
  /** Whether its name was given rather than derived; such a queue is never deleted. */
  readonly literal: boolean;
}

export type DesiredJob = Settled<"job", JobSettings> & Placed;

/** A resource as it should be. */
export type DesiredResource = DesiredTopic | DesiredSubscription | DesiredQueue | DesiredJob;

/** A resource as it was found. */
export interface ObservedResource {
  readonly kind: ResourceKind;
  /** Full name. */
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Whose resources they are, and of which deployment. */
export interface Owner extends Naming {
  /** `undefined` when nothing tells. */
  readonly generation: number | undefined;
}

/** A queue that routes use and that is not ours to make. */
export interface ForeignQueue {
  /** Full name. */
  readonly name: string;
  /** Paths of the routes whose tasks, or delayed messages, it holds. */
  readonly routes: readonly string[];
}

/** Everything that the routes of a service need in the cloud. */
export interface DesiredState {
  readonly owner: Owner;
  readonly projectId: string;
  /** E-mail of the account as which Google's services push; `undefined` when nothing tells. */
  readonly pushAccount: string | undefined;
  /** Full names of the queues that are used and that others make. */
  readonly foreignQueues: readonly ForeignQueue[];
  /** Parents (`projects/P/locations/L`) in which the service's queues are. */
  readonly queueParents: readonly string[];
  /** The parent in which its jobs are. */
  readonly jobParent: string;
  /** Kinds of which there are none and nobody is asked: other services are emulated, and theirs is not. */
  readonly apart: readonly ResourceKind[];
  /** In an order in which they can be made: topics, subscriptions, queues, jobs. */
  readonly resources: readonly DesiredResource[];
  /** Paths that are listed without a body: their resources are made by the service that runs them. */
  readonly contracts: readonly string[];
}
