import { assertKnownOptions, OptionReader } from "../core/options.ts";
import type { PublisherSettings } from "./publisher.ts";

/** Options of `pubsub()`. Project, accounts and the deferral queue are the client's: see `createTasks({ cloud })`. */
export interface PubsubOptions {
  /**
   * Seconds without any acceptance by its topic after which an `enqueue` is given up, 1–600. Until then what may pass by
   * itself, such as UNAVAILABLE, is tried again. Default 10, which suits a request handler.
   */
  readonly timeout?: number;
  /**
   * Messages that are sent and not yet accepted, at most, 1–1,000,000. What is enqueued beyond that waits, in order, and its
   * `enqueue` with it. Default 20,000.
   */
  readonly maxInFlight?: number;
  /** The same in bytes, 1 MB–1 GB. Default 40 MB. */
  readonly maxInFlightBytes?: number;
}

const OPTIONS: readonly (keyof PubsubOptions)[] = ["timeout", "maxInFlight", "maxInFlightBytes"];

const TIMEOUT_S = 10;
const MAX_IN_FLIGHT = 20_000;
const MB = 1_000_000;

/**
 * Checks the options of `pubsub()` and fills in what has a default.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export function readPubsubOptions(options: PubsubOptions): PublisherSettings {
  assertKnownOptions("pubsub", options, OPTIONS);
  const read: OptionReader = new OptionReader("pubsub", options);
  return {
    timeout: 1000 * read.number("timeout", { min: 1, max: 600, unit: "seconds" }, TIMEOUT_S),
    maxInFlight: read.number("maxInFlight", { min: 1, max: 1_000_000, whole: true, unit: "messages" }, MAX_IN_FLIGHT),
    maxInFlightBytes: read.number("maxInFlightBytes", { min: MB, max: 1000 * MB, whole: true, unit: "bytes" }, 40 * MB),
  };
}
