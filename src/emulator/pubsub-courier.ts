import { pubsubDelay } from "../core/backoff.ts";
import type { AnyRoute } from "../core/declaration.ts";
import type { Outcome } from "../core/outcome.ts";
import type { EngineHost } from "../engine/host.ts";
import type { LanePolicy } from "../engine/lane-policy.ts";
import type { Message } from "../engine/message.ts";
import { laneRoute } from "./lane-route.ts";
import type { Entry } from "./pubsub-entry.ts";
import { pushContent } from "./pubsub-push-body.ts";
import type { PushSender } from "./pubsub-push-sender.ts";
import type { SubscriptionResource } from "./pubsub-resources.ts";
import type { EmulatorScope } from "./service.ts";
import { toSeconds } from "./time.ts";

/** The back-off of pushes that cannot be switched off, in seconds. https://cloud.google.com/pubsub/docs/push#push_backoff */
const PUSH_BACKOFF = { minimumBackoff: 0.1, maximumBackoff: 60 };
/** Pushes at once: how many at first, and how many when all goes well. The service documents neither. */
const FIRST_WINDOW = 16;
const LARGEST_WINDOW = 1000;

const DONE: Outcome = { type: "done", result: undefined };

/** What a courier is told by its subscription. */
export interface CourierHost {
  readonly resource: SubscriptionResource;
  /** Milliseconds that a message is kept. */
  readonly retention: number;
  /** The message of an id, unless it is done with. */
  entry(messageId: string): Entry | undefined;
  settle(entry: Entry): void;
  putBack(entry: Entry): void;
  /** Whether a message that has failed so often goes to the dead letters. */
  isSpent(failures: number): boolean;
  forward(entry: Entry): boolean;
}

/** Seconds before a message comes again, after so many failures: at once without a retry policy. */
export function retryDelay({ retryPolicy }: SubscriptionResource, failures: number): number {
  if (retryPolicy === undefined) return 0;
  const minimumBackoff = toSeconds(retryPolicy.minimumBackoff) ?? 0;
  return pubsubDelay({ minimumBackoff, maximumBackoff: toSeconds(retryPolicy.maximumBackoff) ?? 0 }, failures);
}

/** Pushes the messages of one subscription: a lane of the engine. */
export class Courier implements EngineHost {
  readonly routes: readonly AnyRoute[];
  readonly logger: EngineHost["logger"];
  readonly generation = 0;
  readonly #scope: EmulatorScope;
  readonly #sender: PushSender;
  readonly #host: CourierHost;
  readonly #route: AnyRoute;
  readonly #messages = new Map<Entry, Message>();
  #window = FIRST_WINDOW;
  #stopped = false;

  constructor(scope: EmulatorScope, sender: PushSender, host: CourierHost) {
    this.#scope = scope;
    this.#sender = sender;
    this.#host = host;
    this.logger = scope.logger;
    this.#route = laneRoute(host.resource.name, host.resource.ackDeadlineSeconds);
    this.routes = [this.#route];
    scope.engine.attach(this);
  }

  /** Sends a message as soon as the engine lets it. */
  send(entry: Entry): void {
    const { message } = entry;
    const posted = this.#scope.engine.post({
      id: message.messageId,
      route: this.#route,
      payloadJson: "{}",
      enqueuedAt: message.publishTime,
      runAt: undefined,
      dedupe: undefined,
      priority: undefined,
      carriedAttempts: entry.failures,
    });
    this.#messages.set(entry, posted);
    void posted.outcome().then((outcome) => this.#end(entry, outcome));
  }

  /** Pushes no more. What waits is put back, and so is what is under way unless it is acknowledged yet. */
  stop(): void {
    this.#stopped = true;
    const waiting = [...this.#messages].filter(([, message]) => !message.isInFlight);
    this.#scope.engine.retire(this);
    this.#messages.clear();
    for (const [entry] of waiting) this.#host.putBack(entry);
  }

  policy(): LanePolicy {
    const host = this.#host;
    const limits = { window: () => this.#window };
    return {
      maxDeliveries: Number.POSITIVE_INFINITY,
      backoff: (nacks) => Math.max(retryDelay(host.resource, nacks), pushBackoff(host.resource, nacks)),
      isSpent: (message) => host.isSpent(message.task.carriedAttempts + message.nacks),
      get maxConcurrent() {
        return limits.window();
      },
    };
  }

  async deliver(message: Message): Promise<Outcome> {
    const entry = this.#host.entry(message.task.id);
    if (entry === undefined || entry.message.publishTime < this.#scope.clock.now() - this.#host.retention) return DONE;
    entry.failures = message.task.carriedAttempts + message.nacks;
    const { name: subscription } = this.#host.resource;
    const fields = { subscription, messageId: message.task.id };
    this.logger.debug("a push was sent", fields);
    const refusal = await this.#push(entry);
    this.#adjust(refusal === undefined);
    if (this.#stopped) this.#endAfterStop(entry, refusal);
    if (refusal === undefined) {
      this.logger.debug("a push was acknowledged", fields);
      return DONE;
    }
    this.logger.debug("a push was not acknowledged", { ...fields, reason: refusal.message });
    return { type: "failed", error: refusal, retryAfter: undefined };
  }

  gaveUp(message: Message): void {
    const entry = this.#host.entry(message.task.id);
    if (entry === undefined) return;
    this.#messages.delete(entry);
    entry.failures = message.task.carriedAttempts + message.nacks;
    if (this.#host.forward(entry)) this.#host.settle(entry);
    else this.#host.putBack(entry);
  }

  skipped(): void {}

  /** What the engine is done with is acknowledged. */
  #end(entry: Entry, outcome: Outcome): void {
    if (outcome.type !== "done" || this.#stopped) return;
    this.#messages.delete(entry);
    this.#host.settle(entry);
  }

  /** The engine knows nothing any more of a push that was under way when this was stopped. */
  #endAfterStop(entry: Entry, refusal: Error | undefined): void {
    if (refusal === undefined) {
      this.#host.settle(entry);
      return;
    }
    entry.failures += 1;
    this.#host.putBack(entry);
  }

  async #push(entry: Entry): Promise<Error | undefined> {
    const { resource } = this.#host;
    const { pushEndpoint = "", oidcToken } = resource.pushConfig;
    const content = pushContent(entry.message, resource, entry.failures + 1);
    const token = oidcToken && this.#tokenOf(oidcToken, pushEndpoint);
    const headers = token === undefined ? content.headers : { ...content.headers, authorization: `Bearer ${token}` };
    return this.#sender.send(pushEndpoint, { ...content, headers }, resource.ackDeadlineSeconds * 1000);
  }

  #tokenOf(oidcToken: NonNullable<SubscriptionResource["pushConfig"]["oidcToken"]>, endpoint: string): string {
    const { serviceAccountEmail = "", audience = "" } = oidcToken;
    // Tokens live in the machine's time, whatever the emulator's clock says: that is what verifiers compare with.
    return this.#scope.identity
      .as(serviceAccountEmail)
      .token({ audience: audience === "" ? endpoint : audience, issuedAt: new Date() });
  }

  /** The window grows with each acknowledgement and is halved by what is not acknowledged. */
  #adjust(isAcknowledged: boolean): void {
    this.#window = isAcknowledged
      ? Math.min(this.#window + 1, LARGEST_WINDOW)
      : Math.max(1, Math.floor(this.#window / 2));
    if (isAcknowledged && !this.#stopped) this.#scope.engine.resume(this.#route);
  }
}

function pushBackoff({ retryPolicy }: SubscriptionResource, nacks: number): number {
  return retryPolicy === undefined ? pubsubDelay(PUSH_BACKOFF, nacks) : PUSH_BACKOFF.minimumBackoff;
}
