import type { SubscriberClient } from "./clients.ts";
import type { PulledMessage } from "./dead-letter-message.ts";
import { explained } from "./status.ts";

/** Messages of one call, of those that pull and of those that settle: an ack id is some 200 bytes, and 512 KB are taken. */
const PER_CALL = 1000;
/** Pub/Sub may hand out nothing though there is something: so often in a row, and it is taken for nothing. */
const EMPTY_ANSWERS = 3;
/** Milliseconds for one call. */
const TIMEOUT = 10_000;

/** A message that is ours until it is settled, or a minute has passed. */
export interface Leased {
  readonly ackId: string;
  readonly message: PulledMessage;
}

/** Everything that a dead-letter subscription holds, taken out for as long as somebody looks at it. */
export class LeasedLetters {
  readonly #client: SubscriberClient;
  readonly #subscription: string;
  readonly letters: readonly Leased[];

  private constructor(client: SubscriberClient, subscription: string, letters: readonly Leased[]) {
    this.#client = client;
    this.#subscription = subscription;
    this.letters = letters;
  }

  /**
   * @param most messages after which it is enough.
   * @throws TasksError `NOT_PROVISIONED`, `NOT_PERMITTED` and as other calls do.
   */
  static async pull(client: SubscriberClient, subscription: string, most: number): Promise<LeasedLetters> {
    const found = new Map<string, Leased>();
    let empty = 0;
    while (empty < EMPTY_ANSWERS && found.size < most) {
      const leased = await pullOnce(client, subscription, Math.min(PER_CALL, most - found.size));
      empty = leased.length === 0 ? empty + 1 : 0;
      // One whose lease has run out meanwhile comes again.
      for (const one of leased) found.set(one.message.messageId ?? "", one);
    }
    return new LeasedLetters(client, subscription, [...found.values()]);
  }

  /** Forgets messages for good. */
  acknowledge(letters: readonly Leased[]): Promise<void> {
    return this.#settle("acknowledge letters of", letters, async (ackIds) => {
      await this.#client.acknowledge({ subscription: this.#subscription, ackIds }, { timeout: TIMEOUT });
    });
  }

  /** Lets others have messages at once. */
  release(letters: readonly Leased[]): Promise<void> {
    return this.#settle("release letters of", letters, async (ackIds) => {
      const request = { subscription: this.#subscription, ackIds, ackDeadlineSeconds: 0 };
      await this.#client.modifyAckDeadline(request, { timeout: TIMEOUT });
    });
  }

  async #settle(
    action: string,
    letters: readonly Leased[],
    settle: (ackIds: string[]) => Promise<void>,
  ): Promise<void> {
    try {
      for (let start = 0; start < letters.length; start += PER_CALL)
        await settle(letters.slice(start, start + PER_CALL).map(({ ackId }) => ackId));
    } catch (error) {
      throw told(error, action, this.#subscription);
    }
  }
}

async function pullOnce(client: SubscriberClient, subscription: string, maxMessages: number): Promise<Leased[]> {
  try {
    // At once: a call that is given up while it waits may take messages along that nobody sees for a minute.
    const request = { subscription, maxMessages, returnImmediately: true };
    const [{ receivedMessages }] = await client.pull(request, { timeout: TIMEOUT });
    return (receivedMessages ?? []).flatMap(({ ackId, message }) => {
      const isWhole = ackId !== undefined && ackId !== null && message !== undefined && message !== null;
      return isWhole ? [{ ackId, message: message as PulledMessage }] : [];
    });
  } catch (error) {
    throw told(error, "pull from", subscription);
  }
}

function told(error: unknown, action: string, resource: string): Error {
  return explained(error, { action, resource, role: "roles/pubsub.subscriber" });
}
