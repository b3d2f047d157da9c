import type { Config } from "../core/config.ts";
import type { ResourceKind } from "../core/provisioning.ts";
import { GoogleClients, type PublisherClient, type SubscriberClient } from "../google/clients.ts";
import { GRPC, grpcCode } from "../google/status.ts";
import type { Cloud, Page, Policy } from "./cloud.ts";
import { maskOf, messageOf, settingsOf } from "./gcp-settings.ts";
import { projectNumber } from "./project-number.ts";
import type { DesiredResource, ObservedResource } from "./resources.ts";

/** The largest pages that the services give: 1000 of topics, subscriptions and queues, 500 of jobs. */
const PAGE: Readonly<Record<ResourceKind, number>> = { topic: 1000, subscription: 1000, queue: 1000, job: 500 };

/** Repeating is left to whoever counts the calls; a call that takes half a minute will not come back. */
const CALL = { retry: null, timeout: 30_000 } as const;
const ONE_PAGE = { ...CALL, autoPaginate: false } as const;

/** Google Cloud, or the emulators that the configuration names. Clients are made at the first call to their service. */
export function googleCloud(config: Config): Cloud {
  return new GoogleCloud(config, new GoogleClients(config));
}

/** As the generated clients answer a list without auto-pagination: resources, the next request, the bare answer. */
type Listed = readonly [readonly object[], unknown, { readonly nextPageToken?: string | null }, ...unknown[]];

/** Google's types ask for the methods of a class, where its clients take plain objects. */
type PolicyRequest = Parameters<PublisherClient["getIamPolicy"]>[0];
type PolicyWrite = Parameters<PublisherClient["setIamPolicy"]>[0];

class GoogleCloud implements Cloud {
  readonly #config: Config;
  readonly #clients: GoogleClients;

  constructor(config: Config, clients: GoogleClients) {
    this.#config = config;
    this.#clients = clients;
  }

  async list(kind: ResourceKind, parent: string, page?: string): Promise<Page> {
    const paged = { pageSize: PAGE[kind], ...(page === undefined ? {} : { pageToken: page }) };
    const [resources, , { nextPageToken }] = await this.#list(kind, parent, paged);
    return { resources: resources.map((message) => observed(kind, message)), next: nextPageToken || undefined };
  }

  async #list(
    kind: ResourceKind,
    parent: string,
    paged: { readonly pageSize: number; readonly pageToken?: string },
  ): Promise<Listed> {
    switch (kind) {
      case "topic":
        return (await this.#clients.publisher()).listTopics({ project: parent, ...paged }, ONE_PAGE);
      case "subscription":
        return (await this.#clients.subscriber()).listSubscriptions({ project: parent, ...paged }, ONE_PAGE);
      case "queue":
        return (await this.#clients.tasks()).listQueues({ parent, ...paged }, ONE_PAGE);
      case "job":
        return (await this.#clients.scheduler()).listJobs({ parent, ...paged }, ONE_PAGE);
    }
  }

  async get(kind: ResourceKind, name: string): Promise<ObservedResource | undefined> {
    try {
      const [message] = await this.#get(kind, name);
      return observed(kind, message);
    } catch (error) {
      if (grpcCode(error) === GRPC.NOT_FOUND) return undefined;
      throw error;
    }
  }

  async #get(kind: ResourceKind, name: string): Promise<readonly [object, ...unknown[]]> {
    switch (kind) {
      case "topic":
        return (await this.#clients.publisher()).getTopic({ topic: name }, CALL);
      case "subscription":
        return (await this.#clients.subscriber()).getSubscription({ subscription: name }, CALL);
      case "queue":
        return (await this.#clients.tasks()).getQueue({ name }, CALL);
      case "job":
        return (await this.#clients.scheduler()).getJob({ name }, CALL);
    }
  }

  async create(resource: DesiredResource): Promise<void> {
    const message = messageOf(resource);
    const parent = parentOf(resource.name);
    switch (resource.kind) {
      case "topic":
        await (await this.#clients.publisher()).createTopic(message, CALL);
        return;
      case "subscription":
        await (await this.#clients.subscriber()).createSubscription(message, CALL);
        return;
      case "queue":
        await (await this.#clients.tasks()).createQueue({ parent, queue: message }, CALL);
        return;
      case "job":
        await (await this.#clients.scheduler()).createJob({ parent, job: message }, CALL);
        return;
    }
  }

  async update(resource: DesiredResource, fields: readonly string[]): Promise<void> {
    const message = messageOf(resource);
    const updateMask = maskOf(resource, fields);
    switch (resource.kind) {
      case "topic":
        await (await this.#clients.publisher()).updateTopic({ topic: message, updateMask }, CALL);
        return;
      case "subscription":
        await (await this.#clients.subscriber()).updateSubscription({ subscription: message, updateMask }, CALL);
        return;
      case "queue":
        await (await this.#clients.tasks()).updateQueue({ queue: message, updateMask }, CALL);
        return;
      case "job":
        await (await this.#clients.scheduler()).updateJob({ job: message, updateMask }, CALL);
        return;
    }
  }

  async delete(kind: ResourceKind, name: string): Promise<void> {
    switch (kind) {
      case "topic":
        await (await this.#clients.publisher()).deleteTopic({ topic: name }, CALL);
        return;
      case "subscription":
        await (await this.#clients.subscriber()).deleteSubscription({ subscription: name }, CALL);
        return;
      case "queue":
        await (await this.#clients.tasks()).deleteQueue({ name }, CALL);
        return;
      case "job":
        await (await this.#clients.scheduler()).deleteJob({ name }, CALL);
        return;
    }
  }

  async setPaused(name: string, paused: boolean): Promise<void> {
    const scheduler = await this.#clients.scheduler();
    await (paused ? scheduler.pauseJob({ name }, CALL) : scheduler.resumeJob({ name }, CALL));
  }

  async getPolicy(kind: "topic" | "subscription", name: string): Promise<Policy> {
    const client = await this.#ofPubsub(kind);
    const policy = client.getIamPolicy({ resource: name } as PolicyRequest, CALL);
    const [{ etag, bindings }] = await this.#unlessUnknown(policy, [{ etag: null, bindings: [] }] as const);
    const known = (bindings ?? []).map(({ role, members }) => ({ role: role ?? "", members: members ?? [] }));
    return { ...(etag === undefined || etag === null ? {} : { etag }), bindings: known };
  }

  async setPolicy(kind: "topic" | "subscription", name: string, policy: Policy): Promise<void> {
    const client = await this.#ofPubsub(kind);
    const { etag, bindings } = policy;
    const written = {
      bindings: bindings.map(({ role, members }) => ({ role, members: [...members] })),
      etag: etag ?? null,
    };
    await this.#unlessUnknown(client.setIamPolicy({ resource: name, policy: written } as PolicyWrite, CALL), undefined);
  }

  /** Google's own emulator knows no policies, and forwards dead letters without. */
  async #unlessUnknown<T, E>(answer: Promise<T>, instead: E): Promise<T | E> {
    try {
      return await answer;
    } catch (error) {
      if (this.#config.emulators.pubsub !== undefined && grpcCode(error) === GRPC.UNIMPLEMENTED) return instead;
      throw error;
    }
  }

  #ofPubsub(kind: "topic" | "subscription"): Promise<PublisherClient | SubscriberClient> {
    return kind === "topic" ? this.#clients.publisher() : this.#clients.subscriber();
  }

  projectNumber(): Promise<string> {
    return projectNumber(this.#config, async (url) => {
      const { auth } = await this.#clients.publisher();
      return (await auth.request({ url })).data;
    });
  }

  close(): Promise<void> {
    return this.#clients.close();
  }
}

/** `projects/P/locations/L` of a queue or job. */
function parentOf(name: string): string {
  return name.split("/").slice(0, 4).join("/");
}

function observed(kind: ResourceKind, message: object): ObservedResource {
  const { name, ...settings } = settingsOf(message);
  return { kind, name: String(name), settings };
}
