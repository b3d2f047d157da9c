import { type PageRequest, pageOf } from "./paging.ts";
import type { Pubsub } from "./pubsub.ts";
import { assertName, assertProjectName, taken } from "./pubsub-names.ts";
import { withRetentionOf } from "./pubsub-publisher.ts";
import { type PullRequest, pull } from "./pubsub-pull.ts";
import { acknowledge, modifyDeadline } from "./pubsub-receive.ts";
import type { PushConfig, SubscriptionRequest } from "./pubsub-resources.ts";
import { completeSubscription } from "./pubsub-settings.ts";
import { streamingPull } from "./pubsub-stream.ts";
import { Subscription } from "./pubsub-subscription.ts";
import type { Method, Service } from "./service.ts";
import { CODES, invalid, RpcError } from "./status.ts";
import { type TimeParts, toMillis } from "./time.ts";
import { applyMask, type FieldMask, type Updatable } from "./update-mask.ts";

/** `google/pubsub/v1/pubsub.proto`, Subscription; that the filter cannot be changed was seen of the service. */
const SUBSCRIPTION_FIELDS: Updatable = {
  kind: "Subscription",
  mutable: [
    "ack_deadline_seconds",
    "bigquery_config",
    "cloud_storage_config",
    "dead_letter_policy",
    "enable_exactly_once_delivery",
    "expiration_policy",
    "labels",
    "message_retention_duration",
    "message_transforms",
    "push_config",
    "retain_acked_messages",
    "retry_policy",
    "tags",
  ],
  immutable: ["name", "topic", "enable_message_ordering", "filter", "detached"],
  spelling: ["push_config", "pushConfig"],
};

interface NamedSubscription {
  readonly subscription?: string;
}

interface UpdateSubscriptionRequest {
  readonly subscription?: SubscriptionRequest;
  readonly updateMask?: FieldMask;
}

/** Subscriptions: `google.pubsub.v1.Subscriber`, without snapshots. */
export function subscriberService(pubsub: Pubsub): Service {
  const find = (name: string | undefined) =>
    pubsub.subscription(assertName(pubsub.scope.projects, "subscriptions", name, "subscription"));
  return {
    name: "google.pubsub.v1.Subscriber",
    methods: { ...settingMethods(pubsub, find), ...receivingMethods(find) },
    streams: { StreamingPull: (stream) => streamingPull(stream, find) },
    state: () => ({ subscriptions: stateOf(pubsub) }),
  };
}

type Find = (name: string | undefined) => Subscription;

function settingMethods(pubsub: Pubsub, find: Find): Readonly<Record<string, Method>> {
  return {
    CreateSubscription: (request: SubscriptionRequest) => createSubscription(pubsub, request),
    GetSubscription: ({ subscription }: NamedSubscription) => find(subscription).resource,
    UpdateSubscription: (request: UpdateSubscriptionRequest) => updateSubscription(pubsub, request),
    ListSubscriptions: (request: PageRequest & { readonly project?: string }) => {
      const prefix = `projects/${assertProjectName(pubsub.scope.projects, request.project)}/`;
      const own = [...pubsub.subscriptions.keys()].filter((name) => name.startsWith(prefix));
      const { items, nextPageToken } = pageOf(own, (name) => name, request);
      return { subscriptions: items.map((name) => pubsub.subscriptions.get(name)?.resource), nextPageToken };
    },
    // There are none: they cannot be made.
    ListSnapshots: ({ project }: { readonly project?: string }) => {
      assertProjectName(pubsub.scope.projects, project);
      return {};
    },
    DeleteSubscription: ({ subscription }: NamedSubscription) => {
      pubsub.exclude(find(subscription));
      return {};
    },
    ModifyPushConfig: (request: NamedSubscription & { readonly pushConfig?: PushConfig }) => {
      const subscription = find(request.subscription);
      subscription.update(completeSubscription({ ...subscription.resource, pushConfig: request.pushConfig ?? {} }));
      return {};
    },
  };
}

function receivingMethods(find: Find): Readonly<Record<string, Method>> {
  return {
    Pull: (request: PullRequest) => pull(find(request.subscription), request),
    Acknowledge: (request: NamedSubscription & { readonly ackIds?: readonly string[] }) => {
      acknowledge(find(request.subscription), someOf(request.ackIds));
      return {};
    },
    ModifyAckDeadline: (
      request: NamedSubscription & { readonly ackIds?: readonly string[]; readonly ackDeadlineSeconds?: number },
    ) => {
      modifyDeadline(find(request.subscription), someOf(request.ackIds), request.ackDeadlineSeconds ?? 0);
      return {};
    },
    Seek: (request: NamedSubscription & { readonly time?: TimeParts; readonly snapshot?: string }) => {
      const { backlog } = find(request.subscription);
      if (request.snapshot !== undefined)
        throw new RpcError(CODES.UNIMPLEMENTED, "The emulator has no snapshots; seek to a time.");
      if (request.time === undefined)
        throw invalid("No target was specified in the SeekRequest. Must specify either a time or a snapshot");
      backlog.seek(toMillis(request.time));
      return {};
    },
  };
}

function createSubscription(pubsub: Pubsub, request: SubscriptionRequest): object {
  const { projects } = pubsub.scope;
  const name = assertName(projects, "subscriptions", request.name);
  const topic = assertName(projects, "topics", request.topic, "topic");
  const settings = completeSubscription({ ...request, name, topic });
  if (pubsub.subscriptions.has(name)) throw taken(name);
  const source = pubsub.topic(topic);
  assertDeadLetterTopic(pubsub, settings);
  const { detached: _, ...fresh } = settings;
  const subscription = new Subscription(withRetentionOf(source.resource, fresh), pubsub.parts);
  pubsub.include(subscription);
  return subscription.resource;
}

function updateSubscription(
  pubsub: Pubsub,
  { subscription: update = {}, updateMask }: UpdateSubscriptionRequest,
): object {
  const subscription = pubsub.subscription(assertName(pubsub.scope.projects, "subscriptions", update.name));
  const updated = completeSubscription(applyMask(subscription.resource, update, updateMask, SUBSCRIPTION_FIELDS));
  if (updateMask?.paths?.includes("dead_letter_policy")) assertDeadLetterTopic(pubsub, updated);
  subscription.update(updated);
  pubsub.watchExpiry(subscription);
  return subscription.resource;
}

function assertDeadLetterTopic(pubsub: Pubsub, { deadLetterPolicy }: SubscriptionRequest): void {
  if (deadLetterPolicy === undefined) return;
  const name = assertName(pubsub.scope.projects, "topics", deadLetterPolicy.deadLetterTopic, "dead_letter_topic");
  pubsub.topic(name);
}

function someOf(ackIds: readonly string[] | undefined): readonly string[] {
  if (ackIds === undefined || ackIds.length === 0) throw invalid("No ack ids specified.");
  return ackIds;
}

function stateOf({ subscriptions }: Pubsub): object {
  return Object.fromEntries([...subscriptions.values()].map(({ name, backlog }) => [name, { unacked: backlog.size }]));
}
