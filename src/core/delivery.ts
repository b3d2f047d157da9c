/** What carried a delivery to us. */
export type Transport = "pubsub" | "cloud-tasks" | "scheduler" | "local" | "immediate";

/** What Cloud Tasks tells beside a message. */
export interface Dispatch {
  /** How often the message was sent, this time included, whatever came of it: the queue's own limit counts this. */
  readonly count: number;
  /** Id of the queue that holds it. */
  readonly queue: string | undefined;
  /** The priority that it was enqueued with. */
  readonly priority: string | undefined;
}

/** One arrival of one envelope, with the transport stripped. */
export interface Delivery {
  readonly transport: Transport;
  /** The envelope's `task_id`; for ticks of a schedule the scheduler's fixed id, until the run is told apart. */
  readonly taskId: string;
  /** The envelope's `task_name`. */
  readonly taskName: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** ISO 8601 as the envelope has it, or milliseconds since the epoch; `undefined` for ticks of a schedule. */
  readonly enqueuedAt: string | number | undefined;
  /** Id that the transport gave the message. */
  readonly messageId: string;
  /** Which attempt this is, from 1, as far as the transport can tell. */
  readonly attempt: number;
  /** Whether a schedule sent it. */
  readonly scheduled: boolean;
  /** The tick it stands for, where the transport says so. */
  readonly scheduledFor: Date | undefined;
  /** When the message was published, in ISO 8601 as the transport wrote it, unchecked. */
  readonly publishTime: string | undefined;
  /** See {@link Dispatch}; only of Cloud Tasks. */
  readonly dispatch?: Dispatch | undefined;
  /** The key behind which other messages wait for this one, where the transport keeps an order. */
  readonly orderingKey?: string | undefined;
  /** Milliseconds since the epoch at which the delivery arrived. */
  readonly receivedAt: number;
  /** Everything else that travelled: Pub/Sub attributes. */
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * The attribute (and, in lower case, the HTTP header) by which a task that was created anew takes along the attempts it
 * has already used.
 */
export const CARRIED_ATTEMPTS = "taskroute-carried-attempts";

/** The HTTP header in which a task of Cloud Tasks that carries on with a tick says which one, in ISO 8601. */
export const SCHEDULED_FOR = "taskroute-scheduled-for";

/** The HTTP header in which a task of Cloud Tasks says its priority, so that it keeps it when it is created anew. */
export const PRIORITY = "taskroute-priority";
