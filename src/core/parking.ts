import type { Clock } from "./clock.ts";
import { type DeadLetter, type DeadLetterSink, describeError, letterOf } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import type { Delivery } from "./delivery.ts";
import { holdsTasksOf, isLate, isLateAtAnyRoute } from "./headroom.ts";
import type { Logger } from "./logger.ts";
import type { Naming } from "./names.ts";
import type { Outcome, ParkReason } from "./outcome.ts";
import type { Registry } from "./registry.ts";

/** What parking needs of its client. */
export interface ParkingScope {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
  config(): Naming;
  /** Where this client parks a message of a transport; `undefined` when nothing of its own can keep it. */
  sink(delivery: Pick<Delivery, "transport">): DeadLetterSink | undefined;
}

/** What is known of a message whose body holds no envelope. */
export type UnreadableMessage = Pick<Delivery, "transport" | "messageId" | "attempt" | "dispatch">;

type Rejected = Extract<Outcome, { type: "rejected" }>;

/** Keeps dead letters. A message is acknowledged only once its letter is kept; without a place to keep it, it stays where it is. */
export class Parking {
  readonly #scope: ParkingScope;

  constructor(scope: ParkingScope) {
    this.#scope = scope;
  }

  /** `discarded` once the letter is kept; `undefined` when it is not. Never rejects. */
  async park(delivery: Delivery, route: AnyRoute, reason: ParkReason, error: unknown): Promise<Outcome | undefined> {
    const letter = letterOf(delivery, route, reason, error, this.#scope.clock.now());
    return (await this.#keep(delivery, letter)) ? { type: "discarded", reason, error } : undefined;
  }

  /**
   * What becomes of a message that was rejected: it is retried, as a later deployment may know it, until Cloud Tasks would
   * delete it, which has no dead letters of its own. Then it is parked.
   */
  async rejected(delivery: Delivery, route: AnyRoute | undefined, outcome: Rejected): Promise<Outcome> {
    const home = route ?? { path: delivery.taskName, name: delivery.taskName };
    if (!this.#isLate(delivery, route)) return outcome;
    const letter = letterOf(delivery, home, "undeliverable", outcome.error, this.#scope.clock.now());
    return this.#lastResort(delivery, letter, outcome);
  }

  /**
   * The same of a body that holds no envelope: the letter of the route whose queue it came in holds the whole of it.
   *
   * @param body as the letter keeps it; `undefined` for one that could not be read.
   */
  async unreadable(
    message: UnreadableMessage,
    body: () => string | undefined,
    route: AnyRoute | undefined,
    outcome: Rejected,
  ): Promise<Outcome> {
    const { dispatch, messageId, attempt } = message;
    if (!this.#isLate(message, route)) return outcome;
    const { registry, clock } = this.#scope;
    const home =
      route ?? registry.routes.find((known) => dispatch && holdsTasksOf(dispatch, known, this.#scope.config()));
    const unreadable = body();
    if (unreadable === undefined) return this.#lost(message, messageId, outcome);
    const letter: DeadLetter = {
      taskId: messageId,
      path: home?.path ?? "",
      taskName: home?.name ?? "",
      args: [],
      kwargs: {},
      unreadable,
      enqueuedAt: undefined,
      messageId,
      reason: "undeliverable",
      error: describeError(outcome.error),
      attempts: attempt,
      parkedAt: clock.now(),
    };
    return this.#lastResort(message, letter, outcome);
  }

  #isLate(message: Pick<Delivery, "dispatch">, route: AnyRoute | undefined): boolean {
    if (route !== undefined) return isLate(message, route);
    const { registry } = this.#scope;
    const naming = () => this.#scope.config();
    return message.dispatch !== undefined && isLateAtAnyRoute(message.dispatch, registry.routes, naming);
  }

  async #lastResort(message: UnreadableMessage, letter: DeadLetter, outcome: Rejected): Promise<Outcome> {
    if (!(await this.#keep(message, letter))) return this.#lost(message, letter.taskId, outcome);
    const fields = { reason: outcome.reason, taskId: letter.taskId, dispatches: message.dispatch?.count };
    this.#scope.logger.error("a message that nothing here takes was parked as a dead letter", fields);
    return { type: "discarded", reason: "undeliverable", error: outcome.error };
  }

  #lost({ dispatch }: UnreadableMessage, taskId: string, outcome: Rejected): Outcome {
    const fields = { reason: outcome.reason, taskId, dispatches: dispatch?.count };
    const text = "a message that nothing here takes could not be kept; it is lost once its queue gives it up";
    this.#scope.logger.error(text, fields);
    return outcome;
  }

  async #keep(delivery: Pick<Delivery, "transport">, letter: DeadLetter): Promise<boolean> {
    const sink = this.#scope.sink(delivery);
    if (sink === undefined) return false;
    try {
      await sink.park(letter);
      return true;
    } catch (failure) {
      this.#scope.logger.error("a dead letter could not be kept; the message is not acknowledged", {
        task: letter.path,
        taskId: letter.taskId,
        error: describeError(failure),
      });
      return false;
    }
  }
}
