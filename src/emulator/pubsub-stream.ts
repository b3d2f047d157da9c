import type { Consumer } from "./pubsub-entry.ts";
import { acknowledge, assertDeadline, assertPulls, modifyDeadline, receivedMessage } from "./pubsub-receive.ts";
import type { Subscription } from "./pubsub-subscription.ts";
import type { Stream } from "./service.ts";
import { invalid, RpcError } from "./status.ts";

/** Messages in one answer at most. */
const BATCH = 100;
const SHORTEST_DEADLINE_S = 10;

/** A `google.pubsub.v1.StreamingPullRequest`. */
export interface StreamingPullRequest {
  readonly subscription?: string;
  readonly ackIds?: readonly string[];
  readonly modifyDeadlineSeconds?: readonly number[];
  readonly modifyDeadlineAckIds?: readonly string[];
  readonly streamAckDeadlineSeconds?: number;
  readonly maxOutstandingMessages?: number;
  readonly maxOutstandingBytes?: number;
}

/**
 * Serves a call of StreamingPull: hands messages out as they come, within the flow control that its first request asks for,
 * and takes acknowledgements and extensions.
 *
 * @param find gives the subscription of a name out, or throws an RpcError.
 */
export function streamingPull(stream: Stream, find: (name: string | undefined) => Subscription): void {
  stream.onRequest = (first: StreamingPullRequest) => {
    try {
      new Puller(stream, find(first.subscription), first);
    } catch (error) {
      stream.end(error instanceof Error ? error : undefined);
    }
  };
}

class Puller implements Consumer {
  outstanding = 0;
  readonly #stream: Stream;
  readonly #subscription: Subscription;
  readonly #most: number;
  readonly #unwatch: () => void;
  #deadline: number;
  #isBlocked = false;
  #isEnded = false;

  constructor(stream: Stream, subscription: Subscription, first: StreamingPullRequest) {
    const { streamAckDeadlineSeconds = 0, maxOutstandingMessages = 0 } = first;
    assertDeadline(streamAckDeadlineSeconds, SHORTEST_DEADLINE_S, "stream_ack_deadline_seconds");
    assertPulls(subscription);
    this.#stream = stream;
    this.#subscription = subscription;
    this.#deadline = streamAckDeadlineSeconds;
    this.#most = maxOutstandingMessages > 0 ? Number(maxOutstandingMessages) : Number.POSITIVE_INFINITY;
    this.#apply(first);
    stream.onRequest = (request: StreamingPullRequest) => this.#onRequest(request);
    stream.onEnd = () => this.#leave();
    stream.onDrain = () => {
      this.#isBlocked = false;
      this.wake();
    };
    this.#unwatch = subscription.watch(() => this.#onChange());
    subscription.backlog.join(this);
  }

  wake(): void {
    while (!this.#isBlocked && !this.#isEnded) {
      const most = Math.min(BATCH, this.#most - this.outstanding);
      const entries = most > 0 ? this.#subscription.take(this, most, this.#deadline) : [];
      if (entries.length === 0) return;
      const { enableExactlyOnceDelivery, enableMessageOrdering } = this.#subscription.resource;
      this.#isBlocked = !this.#stream.send({
        receivedMessages: entries.map((entry) => receivedMessage(this.#subscription, entry)),
        subscriptionProperties: {
          exactlyOnceDeliveryEnabled: enableExactlyOnceDelivery === true,
          messageOrderingEnabled: enableMessageOrdering === true,
        },
      });
    }
  }

  #onRequest(request: StreamingPullRequest): void {
    if (this.#isEnded) return;
    try {
      if (request.subscription !== undefined && request.subscription !== "")
        throw invalid("The subscription can only be set in the first request of a stream.");
      this.#apply(request);
    } catch (error) {
      this.#end(error);
    }
  }

  #apply(request: StreamingPullRequest): void {
    const { ackIds = [], modifyDeadlineAckIds = [], modifyDeadlineSeconds = [] } = request;
    if (modifyDeadlineAckIds.length !== modifyDeadlineSeconds.length)
      throw invalid("The request must hold as many modify_deadline_ack_ids as modify_deadline_seconds.");
    const { streamAckDeadlineSeconds = 0 } = request;
    if (streamAckDeadlineSeconds !== 0) {
      assertDeadline(streamAckDeadlineSeconds, SHORTEST_DEADLINE_S, "stream_ack_deadline_seconds");
      this.#deadline = streamAckDeadlineSeconds;
    }
    if (ackIds.length > 0) acknowledge(this.#subscription, ackIds);
    modifyDeadlineAckIds.forEach((ackId, index) => {
      modifyDeadline(this.#subscription, [ackId], modifyDeadlineSeconds[index] ?? 0);
    });
  }

  /** Ends the stream when the subscription is gone, or pushes its messages now. */
  #onChange(): void {
    try {
      assertPulls(this.#subscription);
      if (this.#subscription.isDeleted) throw this.#subscription.gone();
    } catch (error) {
      this.#end(error);
    }
  }

  #end(error: unknown): void {
    this.#leave();
    this.#stream.end(error instanceof RpcError ? error : undefined);
  }

  #leave(): void {
    this.#isEnded = true;
    this.#unwatch();
    this.#subscription.backlog.leave(this);
  }
}
