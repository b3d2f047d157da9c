import { type PageRequest, pageOf } from "./paging.ts";
import type { Pubsub } from "./pubsub.ts";
import { assertLabels, assertName, assertProjectName, DELETED_TOPIC, taken } from "./pubsub-names.ts";
import type { PubsubMessage, TopicResource } from "./pubsub-resources.ts";
import { assertTopicRetention } from "./pubsub-settings.ts";
import { Topic } from "./pubsub-topic.ts";
import type { Service } from "./service.ts";
import { CODES, RpcError } from "./status.ts";
import { applyMask, type FieldMask, type Updatable } from "./update-mask.ts";

/** `google/pubsub/v1/pubsub.proto`, Topic. */
const TOPIC_FIELDS: Updatable = {
  kind: "Topic",
  mutable: [
    "labels",
    "message_storage_policy",
    "kms_key_name",
    "message_retention_duration",
    "schema_settings",
    "tags",
  ],
  immutable: [],
  spelling: ["schema_settings", "schemaSetings"],
};

interface NamedTopic {
  readonly topic?: string;
}

/** Topics: `google.pubsub.v1.Publisher`. */
export function publisherService(pubsub: Pubsub): Service {
  const { projects } = pubsub.scope;
  const find = ({ topic }: NamedTopic) => pubsub.topic(assertName(projects, "topics", topic, "topic"));
  return {
    name: "google.pubsub.v1.Publisher",
    methods: {
      CreateTopic: (request: TopicResource) => createTopic(pubsub, request),
      UpdateTopic: (request: { readonly topic?: TopicResource; readonly updateMask?: FieldMask }) => {
        const topic = pubsub.topic(assertName(projects, "topics", request.topic?.name));
        return updateTopic(topic, request.topic ?? {}, request.updateMask);
      },
      Publish: (request: NamedTopic & { readonly messages?: readonly PubsubMessage[] }) => {
        const name = assertName(projects, "topics", request.topic, "topic");
        return { messageIds: pubsub.publishAll(name, request.messages ?? []) };
      },
      GetTopic: (request: NamedTopic) => find(request).resource,
      ListTopics: (request: PageRequest & { readonly project?: string }) => {
        const prefix = `projects/${assertProjectName(projects, request.project)}/`;
        const own = [...pubsub.topics.keys()].filter((name) => name.startsWith(prefix));
        const { items, nextPageToken } = pageOf(own, (name) => name, request);
        return { topics: items.map((name) => pubsub.topics.get(name)?.resource), nextPageToken };
      },
      ListTopicSnapshots: (request: NamedTopic) => {
        find(request);
        return {};
      },
      ListTopicSubscriptions: (request: NamedTopic & PageRequest) => {
        const attached = [...find(request).subscriptions].map(({ name }) => name);
        const { items, nextPageToken } = pageOf(attached, (name) => name, request);
        return { subscriptions: items, nextPageToken };
      },
      DeleteTopic: (request: NamedTopic) => deleteTopic(pubsub, find(request)),
      DetachSubscription: (request: { readonly subscription?: string }) => {
        const name = assertName(projects, "subscriptions", request.subscription, "subscription");
        const subscription = pubsub.subscription(name);
        pubsub.topics.get(subscription.resource.topic)?.subscriptions.delete(subscription);
        subscription.detach();
        return {};
      },
    },
    state: () => ({ topics: pubsub.topics.size }),
    close: () => pubsub.close(),
  };
}

function createTopic(pubsub: Pubsub, request: TopicResource): object {
  const name = assertName(pubsub.scope.projects, "topics", request.name);
  assertTopic(request);
  if (pubsub.topics.has(name)) throw taken(name);
  const topic = new Topic(request);
  pubsub.topics.set(name, topic);
  return topic.resource;
}

function updateTopic(topic: Topic, update: object, mask: FieldMask | undefined): object {
  const updated = applyMask(topic.resource, update, mask, TOPIC_FIELDS);
  assertTopic(updated);
  topic.resource = updated;
  for (const subscription of topic.subscriptions) subscription.update(withRetentionOf(updated, subscription.resource));
  return updated;
}

const NOT_EMULATED = ["schemaSettings", "ingestionDataSourceSettings", "messageTransforms"];

function assertTopic(topic: Partial<TopicResource>): void {
  const refused = NOT_EMULATED.find((field) => field in topic);
  if (refused !== undefined) throw new RpcError(CODES.UNIMPLEMENTED, `The emulator has no ${refused} of topics.`);
  assertLabels(topic.labels);
  assertTopicRetention(topic.messageRetentionDuration);
}

/** The settings of a subscription, with what its topic says of them. */
export function withRetentionOf<T extends object>(
  { messageRetentionDuration }: TopicResource,
  settings: T,
): T & { readonly topicMessageRetentionDuration?: NonNullable<TopicResource["messageRetentionDuration"]> } {
  const { topicMessageRetentionDuration: _, ...rest } = settings as T & { topicMessageRetentionDuration?: object };
  const kept = rest as T;
  return messageRetentionDuration === undefined
    ? kept
    : { ...kept, topicMessageRetentionDuration: messageRetentionDuration };
}

/** Subscriptions outlive their topic, with what they hold; one of the same name later is another topic. */
function deleteTopic(pubsub: Pubsub, topic: Topic): object {
  const { name } = topic.resource;
  pubsub.topics.delete(name);
  pubsub.scope.iam.delete(name);
  for (const subscription of topic.subscriptions)
    subscription.update({ ...subscription.resource, topic: DELETED_TOPIC });
  return {};
}
