import type { Consumer, Entry } from "./pubsub-entry.ts";
import { assertPulls, receivedMessage } from "./pubsub-receive.ts";
import type { Subscription } from "./pubsub-subscription.ts";
import { invalid } from "./status.ts";

/** Milliseconds that a call of Pull waits for a message, in the machine's time; the service waits some bounded time too. */
const PATIENCE_MS = 5000;

/** A `google.pubsub.v1.PullRequest`. */
export interface PullRequest {
  readonly subscription?: string;
  readonly returnImmediately?: boolean;
  readonly maxMessages?: number;
}

/**
 * Answers a call of Pull: with what there is, or with what comes within some seconds, or with nothing.
 *
 * @throws RpcError INVALID_ARGUMENT, FAILED_PRECONDITION.
 */
export async function pull(subscription: Subscription, request: PullRequest): Promise<object> {
  const { maxMessages = 0, returnImmediately = false } = request;
  if (maxMessages < 1)
    throw invalid(
      `The value for max_messages is too small. You passed ${maxMessages} in the request, but the minimum value is 1.`,
    );
  assertPulls(subscription);
  const consumer: Consumer = { outstanding: 0, wake: () => {} };
  const entries = subscription.take(consumer, maxMessages);
  const taken = entries.length > 0 || returnImmediately ? entries : await waitFor(subscription, consumer, maxMessages);
  return { receivedMessages: taken.map((entry) => receivedMessage(subscription, entry)) };
}

function waitFor(subscription: Subscription, consumer: Consumer, most: number): Promise<readonly Entry[]> {
  return new Promise((resolve) => {
    const end = (entries: readonly Entry[]) => {
      clearTimeout(timer);
      unwatch();
      subscription.backlog.leave(consumer);
      resolve(entries);
    };
    const timer = setTimeout(() => end([]), PATIENCE_MS);
    const unwatch = subscription.watch(() => end([]));
    consumer.wake = () => {
      const entries = subscription.take(consumer, most);
      if (entries.length > 0) end(entries);
    };
    subscription.backlog.join(consumer);
  });
}
