import type { Clock } from "../core/clock.ts";
import { TasksError } from "../core/errors.ts";
import { within } from "../core/within.ts";
import type { PublishCall } from "./publish-call.ts";
import type { Waiting } from "./publish-lane.ts";
import { decodePublishResponse, encodePublishRequest } from "./publish-request.ts";
import { isTransient } from "./status.ts";

/** Milliseconds before the second attempt, about, and at most before any later one. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 2000;

/** What attempts to publish need. */
export interface AttemptScope {
  readonly clock: Clock;
  /** Milliseconds after which one attempt is given up, so that a connection that hangs leaves time for another. */
  readonly attemptTimeout: number;
  /** A source of numbers from 0 up to 1. */
  readonly random: () => number;
  /** The method, once it is loaded and there are credentials. */
  connect(): Promise<PublishCall>;
}

/**
 * Publishes messages in one request and returns their ids, in order. What may pass by itself is tried again, as Pub/Sub's
 * own client does, until `deadline`, in milliseconds since the epoch: an attempt of which no answer came may have been
 * accepted, so that messages can be published twice, and never fewer times than once.
 */
export async function publishBatch(
  { clock, attemptTimeout, random, connect }: AttemptScope,
  topic: string,
  messages: readonly Waiting[],
  deadline: number,
): Promise<readonly string[]> {
  const call = await within(clock, Math.max(1, deadline - clock.now()), connect(), () => {
    throw overdue(topic, "no connection");
  });
  const request = encodePublishRequest(
    topic,
    messages.map(({ message }) => message),
  );
  for (let attempt = 1; ; attempt++) {
    const left = deadline - clock.now();
    if (left <= 0) throw overdue(topic, "none");
    try {
      return idsOf(await call(topic, request, Math.min(left, attemptTimeout)), messages.length);
    } catch (error) {
      const wait = pause(attempt, random());
      if (!isTransient(error) || clock.now() + wait >= deadline) throw error;
      await new Promise<void>((resolve) => clock.setTimeout(resolve, wait));
    }
  }
}

/** Doubles, and is spread over its upper half, so that processes which failed together do not come back together. */
function pause(attempt: number, chance: number): number {
  const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1));
  return longest * (0.5 + chance / 2);
}

function overdue(topic: string, got: string): TasksError {
  return new TasksError(
    "NOT_ACCEPTED",
    `publish to ${topic}: expected an acceptance in time, got ${got}; try again, or raise timeout`,
  );
}

function idsOf(response: Buffer, count: number): readonly string[] {
  const ids = decodePublishResponse(response);
  if (ids.length === count) return ids;
  throw new TasksError(
    "NOT_ACCEPTED",
    `publish: expected ${count} message ids, got ${ids.length}; what was accepted cannot be told, try again`,
  );
}
