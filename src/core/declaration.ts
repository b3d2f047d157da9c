import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TasksError } from "./errors.ts";
import { type Naming, type ResourceNames, resourceNames, taskName } from "./names.ts";
import { assertSchedulePayload } from "./payload.ts";
import { readRouteOptions } from "./read-route-options.ts";
import type { RouteSettings, TaskContractOptions } from "./route-options.ts";

/** What `enqueue` needs of a route or a contract: its path, and the type of its input. */
export interface RouteRef<P extends string, in I> {
  readonly path: P;
  /** Carries the input type; never set. */
  readonly "~in"?: (input: I) => void;
}

/**
 * Anything that may stand in the list of routes: a `TaskRoute`, or a `TaskContract` of a service that only produces. Its
 * types say nothing from which the compiler could infer those of a route that is made within the list.
 */
export interface AnyRoute {
  readonly path: string;
  /** Last segment of the path. */
  readonly name: string;
  readonly schema: StandardSchemaV1 | undefined;
  readonly settings: RouteSettings;
  /** The body, a function; absent in a contract. */
  readonly run?: object;
  /** Carries the input type; never set. */
  readonly "~in"?: unknown;
  /** Carries the context type; never set. */
  readonly "~ctx"?: unknown;
  /** Carries the result type; never set. */
  readonly "~out"?: unknown;
}

const namings = new WeakMap<object, () => Naming>();
const sites = new WeakMap<object, Error>();

/** Where in the service's code a route was declared, `file:line:column`; `undefined` where the engine does not tell. */
export function declarationSite(route: AnyRoute): string | undefined {
  const frames = sites.get(route)?.stack?.split("\n").slice(1) ?? [];
  const caller = frames.find((frame) => !/\b(Declaration|TaskRoute|TaskContract)\b/.test(frame));
  return caller?.match(/\(?((?:file:\/\/)?\/?[^()\s]+:\d+:\d+)\)?$/)?.[1]?.replace("file://", "");
}

/** Lets a route derive its resource names as the service that lists it does. The latest list wins. */
export function bindNaming(route: AnyRoute, naming: () => Naming): void {
  namings.set(route, naming);
}

/** What routes and contracts have in common: identity, schema, settings and the names derived from them. */
export class Declaration<const P extends string, I extends object> {
  /** Stable identity, unique in a registry. */
  readonly path: P;
  /** Last segment of the path; the `task_name` on the wire. */
  readonly name: string;
  /** Schema of the payload; `undefined` takes any JSON object. */
  readonly schema: StandardSchemaV1 | undefined;
  /** Every other option, checked, with its default filled in. */
  readonly settings: RouteSettings;
  /** Carries the input type; never set. */
  declare readonly "~in"?: (input: I) => void;

  constructor(kind: "TaskRoute" | "TaskContract", options: TaskContractOptions<P, I, unknown>) {
    this.settings = readRouteOptions(kind, options);
    this.path = options.path;
    this.name = taskName(options.path);
    this.schema = options.payload;
    if (this.settings.schedule !== undefined) assertSchedulePayload(this);
    // V8 renders a stack only when it is read, so this costs a capture and nothing more.
    sites.set(this, new Error("declared here"));
  }

  /** Whether the route runs on a schedule. */
  get isScheduled(): boolean {
    return this.settings.schedule !== undefined;
  }

  /** Id of the Pub/Sub topic. Like every derived name it is known once the route stands in the list of a `createTasks`. */
  get topicName(): string {
    return this.#names().topicName;
  }

  /** Id of the push subscription. */
  get subscriptionName(): string {
    return this.#names().subscriptionName;
  }

  /** Id of the dead-letter topic. */
  get deadLetterTopicName(): string {
    return this.#names().deadLetterTopicName;
  }

  /** Id of the dead-letter topic's subscription. */
  get deadLetterSubscriptionName(): string {
    return this.#names().deadLetterSubscriptionName;
  }

  /** Id, or full name, of the Cloud Tasks queue: the one that `queue` names, else the derived one. */
  get queueName(): string {
    return this.settings.queue.name ?? this.#names().queueName;
  }

  /**
   * Id of the Cloud Scheduler job.
   *
   * @throws TasksError `INVALID_OPTION` when the route has no schedule.
   */
  get schedulerJobName(): string {
    if (!this.isScheduled) {
      throw new TasksError(
        "INVALID_OPTION",
        `"${this.path}": expected a schedule behind schedulerJobName, got none; check isScheduled first`,
      );
    }
    return this.#names().schedulerJobName;
  }

  #names(): ResourceNames {
    const naming = namings.get(this);
    if (naming === undefined) {
      throw new TasksError(
        "INVALID_NAME",
        `"${this.path}": expected to stand in the routes of a createTasks, which knows environment and namespace, got a route on its own; list it first`,
      );
    }
    return resourceNames(naming(), this.path);
  }
}
