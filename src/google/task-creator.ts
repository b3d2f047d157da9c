import type { Clock } from "../core/clock.ts";
import { TasksError } from "../core/errors.ts";
import { within } from "../core/within.ts";
import type { GoogleClients } from "./clients.ts";
import { Gate } from "./gate.ts";
import { explained, GRPC, grpcCode } from "./status.ts";

/** A request that Cloud Tasks is to send: a `google.cloud.tasks.v2.HttpRequest`. It adds no Content-Type of its own. */
export interface HttpRequest {
  readonly url: string;
  readonly httpMethod: "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** For services of one's own. */
  readonly oidcToken?: { readonly serviceAccountEmail: string; readonly audience: string };
  /** For Google's own services. */
  readonly oauthToken?: { readonly serviceAccountEmail: string; readonly scope: string };
}

/** One task to be created. */
export interface NewTask {
  /** Full name of the queue, `projects/P/locations/L/queues/Q`. */
  readonly queue: string;
  /** Its id in the queue, by which a second one is told; `undefined` leaves it to Cloud Tasks, which then cannot tell. */
  readonly id: string | undefined;
  readonly httpRequest: HttpRequest;
  /** When it is due, milliseconds since the epoch; `undefined` means at once. */
  readonly runAt: number | undefined;
  /** Seconds that its handler has, 15–1800. */
  readonly dispatchDeadline: number;
}

/** Whether a task was created, or was there; and by which try, as an earlier one of ours may have created it unheard. */
export interface Creation {
  readonly existed: boolean;
  readonly tries: number;
}

/** How tasks are created. */
export interface CreatorSettings {
  /** Milliseconds without any task being taken after which a create is given up, its wait for a place and retries included. */
  readonly timeout: number;
  /** Creates under way at once. */
  readonly maxInFlight: number;
}

/** What a creator works with. */
export interface CreatorScope {
  readonly clock: Clock;
  readonly clients: Pick<GoogleClients, "tasks">;
  /** As whom the tasks call, which whoever creates them must be allowed to act as. */
  readonly account: string | undefined;
  /** A source of numbers from 0 up to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** What may pass by itself. The client retries none of it: a create without a name could then be there twice. */
const TRANSIENT: ReadonlySet<number | undefined> = new Set([
  GRPC.UNAVAILABLE,
  GRPC.DEADLINE_EXCEEDED,
  GRPC.ABORTED,
  GRPC.INTERNAL,
  GRPC.RESOURCE_EXHAUSTED,
]);

/** Milliseconds before the second try, about, and at most before any later one. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 2000;
/** The share of the time that one try may take, so that a connection that hangs leaves some for another. */
const TRY_SHARE = 0.5;

/** What is used of a client of grpc-js, which is what a generated client calls. */
interface Stub {
  waitForReady(deadline: number, done: (error?: Error) => void): void;
}

/** Creates tasks in queues of Cloud Tasks, and tries again what may pass by itself. */
export class TaskCreator {
  readonly #scope: CreatorScope;
  readonly #settings: CreatorSettings;
  readonly #gate: Gate;
  readonly #random: () => number;
  /** When Cloud Tasks last took something, milliseconds since the epoch. */
  #takenAt = 0;

  constructor(scope: CreatorScope, settings: CreatorSettings) {
    this.#scope = scope;
    this.#settings = settings;
    this.#gate = new Gate(settings.maxInFlight);
    this.#random = scope.random ?? Math.random;
  }

  /**
   * Resolves once Cloud Tasks has the task.
   *
   * @throws TasksError `NOT_PROVISIONED`, `NOT_PERMITTED`, `NO_CREDENTIALS`, `QUOTA_EXHAUSTED`, `INVALID_CONFIG` for a wrong
   * region, `MISSING_PACKAGE`, else `NOT_ACCEPTED`.
   */
  create(task: NewTask): Promise<Creation> {
    const askedAt = this.#scope.clock.now();
    return this.#gate.pass(() => this.#create(task, askedAt));
  }

  /** Who has waited for a place while nothing was taken has waited long enough: else each would only add its own time to it. */
  async #create(task: NewTask, askedAt: number): Promise<Creation> {
    const { clock } = this.#scope;
    const deadline = Math.max(askedAt, this.#takenAt) + this.#settings.timeout;
    if (clock.now() >= deadline) throw this.#late(task, "a place among those that are created at once");
    for (let tries = 1; ; tries++) {
      try {
        await this.#try(task, deadline);
        this.#takenAt = clock.now();
        return { existed: false, tries };
      } catch (error) {
        if (task.id !== undefined && grpcCode(error) === GRPC.ALREADY_EXISTS) {
          this.#takenAt = clock.now();
          return { existed: true, tries };
        }
        const wait = this.#pause(tries);
        if (!mayRetry(error, task) || clock.now() + wait >= deadline) throw this.#explained(error, task);
        await new Promise<void>((resolve) => clock.setTimeout(resolve, wait));
      }
    }
  }

  #late({ queue }: NewTask, expected: string): TasksError {
    return new TasksError(
      "NOT_ACCEPTED",
      `create a task in ${queue}: expected ${expected} within ${this.#settings.timeout / 1000} s, got none; try again`,
    );
  }

  async #try(newTask: NewTask, deadline: number): Promise<void> {
    const { queue, id, httpRequest, runAt, dispatchDeadline } = newTask;
    const { clock, clients } = this.#scope;
    const late = () => {
      throw this.#late(newTask, "a connection");
    };
    const client = await within(clock, deadline - clock.now(), clients.tasks(), late);
    const task = {
      ...(id === undefined ? {} : { name: `${queue}/tasks/${id}` }),
      httpRequest,
      ...(runAt === undefined ? {} : { scheduleTime: timestampOf(runAt) }),
      dispatchDeadline: { seconds: dispatchDeadline },
    };
    const timeout = Math.max(1, Math.min(deadline - clock.now(), this.#settings.timeout * TRY_SHARE));
    await client.createTask({ parent: queue, task }, { timeout });
  }

  /** Doubles, and is spread over its upper half, so that processes which failed together do not come back together. */
  #pause(tries: number): number {
    return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (tries - 1)) * (0.5 + this.#random() / 2);
  }

  #explained(error: unknown, { queue }: NewTask): TasksError {
    return explained(error, {
      action: "create a task in",
      resource: queue,
      role: "roles/cloudtasks.enqueuer",
      account: this.#scope.account,
    });
  }

  /** Loads the client and connects it, for up to `timeout` milliseconds. */
  async warm(timeout: number): Promise<void> {
    const client = await this.#scope.clients.tasks();
    const stub = (await client.initialize()) as object as Stub;
    await new Promise<void>((resolve) => stub.waitForReady(Date.now() + timeout, () => resolve()));
  }

  /** Resolves once every create that was asked for has settled. */
  settled(): Promise<void> {
    return this.#gate.empty();
  }
}

/** One without a name is tried again only when it was certainly refused: else it might be there twice. */
function mayRetry(error: unknown, { id }: NewTask): boolean {
  const code = grpcCode(error);
  return id === undefined ? code === GRPC.RESOURCE_EXHAUSTED : TRANSIENT.has(code);
}

/** In whole milliseconds, and never early. */
function timestampOf(moment: number): { readonly seconds: number; readonly nanos: number } {
  const ms = Math.ceil(moment);
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: (ms - seconds * 1000) * 1e6 };
}
