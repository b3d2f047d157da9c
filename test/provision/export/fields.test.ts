import { describe, expect, it } from "vitest";
import { toGcloudScript, toTerraform } from "../../../src/provision/export/index.ts";
import type {
  DesiredResource,
  DesiredState,
  JobSettings,
  QueueSettings,
  SubscriptionSettings,
  TopicSettings,
} from "../../../src/provision/resources.ts";
import { leavesOf, type PathOf } from "./leaves.ts";
import { type Call, record } from "./recorded-gcloud.ts";
import { everything, template } from "./scene.ts";
import { readModule } from "./terraform-module.ts";

/** Where an export says a field, and how to read it there. */
type Place = readonly [name: string, read?: (said: unknown) => unknown];

/** How a field is said: in Terraform, and in the flags that make and that change a resource. */
interface Said {
  readonly terraform: Place;
  readonly create: Place;
  readonly update: Place;
}

/** A field that cannot be changed is not in an update. */
type Fixed = Omit<Said, "update">;
/** A field that always has one value, which is that of a resource for which nothing is said. */
interface Unsaid {
  readonly always: unknown;
}
/** A field that gcloud has a command of its own for. */
type Apart = Pick<Said, "terraform">;

const seconds = (said: unknown): unknown => (/^[\d.]+s$/.test(String(said)) ? Number.parseFloat(String(said)) : said);
const number = (said: unknown): unknown => Number(said);
const orEmpty = (said: unknown): unknown => said ?? "";
const base64 = (said: unknown): unknown => Buffer.from(String(said), "base64").toString();
const pairs = (said: unknown): unknown =>
  Object.fromEntries(
    String(said)
      .split(",")
      .map((pair) => pair.split("=")),
  );
const contentType = (said: unknown): unknown => (pairs(said) as Record<string, unknown>)["Content-Type"];
const upper = (said: unknown): unknown => String(said).toUpperCase();

const asItIs = (said: unknown): unknown => said;

const flag = (terraform: string, name: string, read: (said: unknown) => unknown = asItIs): Said => ({
  terraform: [terraform, read === number ? asItIs : read],
  create: [name, read],
  update: [name, read],
});
const labels: Said = { terraform: ["labels"], create: ["labels", pairs], update: ["update-labels", pairs] };

// Every field of the types has to be here, or this file does not compile; and of the objects, or the tests fail.
const TOPIC: Readonly<Record<PathOf<TopicSettings>, Said>> = { labels };
const SUBSCRIPTION: Readonly<Record<PathOf<SubscriptionSettings>, Said | Fixed | Unsaid>> = {
  topic: { terraform: ["topic"], create: ["topic"] },
  "pushConfig.pushEndpoint": flag("push_config.push_endpoint", "push-endpoint", orEmpty),
  "pushConfig.oidcToken.serviceAccountEmail": flag(
    "push_config.oidc_token.service_account_email",
    "push-auth-service-account",
  ),
  "pushConfig.oidcToken.audience": flag("push_config.oidc_token.audience", "push-auth-token-audience"),
  ackDeadlineSeconds: flag("ack_deadline_seconds", "ack-deadline", number),
  "retryPolicy.minimumBackoff": flag("retry_policy.minimum_backoff", "min-retry-delay", seconds),
  "retryPolicy.maximumBackoff": flag("retry_policy.maximum_backoff", "max-retry-delay", seconds),
  "deadLetterPolicy.deadLetterTopic": flag("dead_letter_policy.dead_letter_topic", "dead-letter-topic"),
  "deadLetterPolicy.maxDeliveryAttempts": flag(
    "dead_letter_policy.max_delivery_attempts",
    "max-delivery-attempts",
    number,
  ),
  "expirationPolicy.ttl": {
    ...flag("", "expiration-period"),
    terraform: ["expiration_policy.ttl", (said) => (said === "" ? "never" : said)],
  },
  messageRetentionDuration: flag("message_retention_duration", "message-retention-duration", seconds),
  enableMessageOrdering: { terraform: ["enable_message_ordering"], create: ["enable-message-ordering"] },
  filter: { always: "" },
  detached: { always: false },
  labels,
};
const QUEUE: Readonly<Record<PathOf<QueueSettings>, Said>> = {
  "rateLimits.maxDispatchesPerSecond": flag(
    "rate_limits.max_dispatches_per_second",
    "max-dispatches-per-second",
    number,
  ),
  "rateLimits.maxConcurrentDispatches": flag(
    "rate_limits.max_concurrent_dispatches",
    "max-concurrent-dispatches",
    number,
  ),
  "retryConfig.maxAttempts": flag("retry_config.max_attempts", "max-attempts", number),
  "retryConfig.minBackoff": flag("retry_config.min_backoff", "min-backoff", seconds),
  "retryConfig.maxBackoff": flag("retry_config.max_backoff", "max-backoff", seconds),
  "retryConfig.maxDoublings": flag("retry_config.max_doublings", "max-doublings", number),
  "retryConfig.maxRetryDuration": flag("retry_config.max_retry_duration", "max-retry-duration", seconds),
  "stackdriverLoggingConfig.samplingRatio": flag(
    "stackdriver_logging_config.sampling_ratio",
    "log-sampling-ratio",
    number,
  ),
};
const JOB: Readonly<Record<PathOf<JobSettings>, Said | Apart>> = {
  "pubsubTarget.topicName": flag("pubsub_target.topic_name", "topic"),
  "pubsubTarget.data": { ...flag("", "message-body"), terraform: ["pubsub_target.data", base64] },
  "httpTarget.uri": flag("http_target.uri", "uri"),
  "httpTarget.httpMethod": flag("http_target.http_method", "http-method", upper),
  "httpTarget.headers.Content-Type": {
    terraform: ["http_target.headers.Content-Type"],
    create: ["headers", contentType],
    update: ["update-headers", contentType],
  },
  "httpTarget.body": { ...flag("", "message-body"), terraform: ["http_target.body", base64] },
  "httpTarget.oidcToken.serviceAccountEmail": flag(
    "http_target.oidc_token.service_account_email",
    "oidc-service-account-email",
  ),
  "httpTarget.oidcToken.audience": flag("http_target.oidc_token.audience", "oidc-token-audience"),
  attemptDeadline: flag("attempt_deadline", "attempt-deadline", seconds),
  description: flag("description", "description"),
  schedule: flag("schedule", "schedule"),
  timeZone: flag("time_zone", "time-zone"),
  "retryConfig.retryCount": flag("retry_config.retry_count", "max-retry-attempts", number),
  "retryConfig.minBackoffDuration": flag("retry_config.min_backoff_duration", "min-backoff", seconds),
  "retryConfig.maxBackoffDuration": flag("retry_config.max_backoff_duration", "max-backoff", seconds),
  "retryConfig.maxDoublings": flag("retry_config.max_doublings", "max-doublings", number),
  state: { terraform: ["paused", (said) => (said === true ? "PAUSED" : "ENABLED")] },
};
const FIELDS: Readonly<Record<string, Readonly<Record<string, Said | Fixed | Unsaid | Apart>>>> = {
  topic: TOPIC,
  subscription: SUBSCRIPTION,
  queue: QUEUE,
  job: JOB,
};

/** What says where a resource is rather than what it is like. */
const PLACE = {
  terraform: ["//", "name", "project", "location", "region"],
  flags: ["location", "project"],
};

/** Compares everything that one form of an export says of a resource with everything that is desired of it. */
function expectAll(
  resource: DesiredResource,
  form: keyof Said,
  said: ReadonlyMap<string, unknown>,
  place: readonly string[],
): void {
  const read = new Set(place);
  for (const [path, value] of leavesOf(resource.settings)) {
    const field = FIELDS[resource.kind]?.[path];
    const where = `${form} of ${resource.name}: ${path}`;
    expect(field, `${where} has to be said by both exports`).toBeDefined();
    if (field === undefined) continue;
    if ("always" in field) expect(value, where).toBe(field.always);
    const at = (field as Partial<Said>)[form];
    if (at === undefined) continue;
    const [name, reader = asItIs] = at;
    read.add(name);
    expect(reader(said.get(name)), where).toEqual(value);
  }
  expect([...said.keys()].filter((name) => !read.has(name))).toEqual([]);
}

const GROUPS = { topic: "topics", subscription: "subscriptions", queue: "queues", job: "jobs" } as const;

function callFor({ kind, name }: DesiredResource, calls: readonly Call[], verb: string): Call | undefined {
  const id = name.slice(name.lastIndexOf("/") + 1);
  return calls.find(({ words }) => words[1] === GROUPS[kind] && words[2] === verb && words.at(-1) === id);
}

const TYPES = {
  topic: "google_pubsub_topic",
  subscription: "google_pubsub_subscription",
  queue: "google_cloud_tasks_queue",
  job: "google_cloud_scheduler_job",
} as const;

/** The full name of a resource of Terraform's. */
function nameOf(kind: DesiredResource["kind"], of: ReadonlyMap<string, unknown>): string {
  const location = of.get("location") ?? of.get("region");
  return `projects/${of.get("project")}${location === undefined ? "" : `/locations/${location}`}/${GROUPS[kind]}/${of.get("name")}`;
}

describe.each([
  ["routes with every setting", everything],
  ["the queues and the job of a template for background jobs", template],
] satisfies [string, () => DesiredState][])("the exports of %s", (_, state) => {
  const desired = state();
  const { resources } = readModule(toTerraform(desired));
  const made = record(toGcloudScript(desired), { there: false });
  const changed = record(toGcloudScript(desired), { there: true });

  it.each(desired.resources.map((resource) => [resource.name, resource] as const))(
    "say everything of %s",
    (_name, it) => {
      const block = resources.find(
        ({ type, arguments: of }) => type === TYPES[it.kind] && nameOf(it.kind, of) === it.name,
      );
      expect(block).toBeDefined();
      expectAll(it, "terraform", block?.arguments ?? new Map(), PLACE.terraform);
      const create = callFor(it, made.calls, "create");
      const update = callFor(it, changed.calls, "update");
      for (const call of [create, update]) {
        const [, project, , location] = it.name.split("/");
        expect(call?.flags.get("project") ?? desired.projectId).toBe(project);
        expect(call?.flags.get("location")).toBe(it.kind === "queue" || it.kind === "job" ? location : undefined);
      }
      expectAll(it, "create", create?.flags ?? new Map(), PLACE.flags);
      expectAll(it, "update", update?.flags ?? new Map(), PLACE.flags);
    },
  );

  it("hold nothing else of these kinds", () => {
    const types: readonly string[] = Object.values(TYPES);
    expect(resources.filter(({ type }) => types.includes(type))).toHaveLength(desired.resources.length);
    const creations = made.calls.filter(({ words }) => words.includes("create"));
    expect(creations).toHaveLength(desired.resources.length);
    expect([made.status, changed.status]).toEqual([0, 0]);
  });
});

it("the routes with every setting have every field of every type", () => {
  const has = (kind: string): string[] => {
    const all = everything().resources.filter((resource) => resource.kind === kind);
    return [...new Set(all.flatMap(({ settings }) => leavesOf(settings).map(([path]) => path)))].sort();
  };
  for (const [kind, fields] of Object.entries(FIELDS)) expect(has(kind)).toEqual(Object.keys(fields).sort());
});
