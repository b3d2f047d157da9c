/** One method of a {@link Logger}: a constant message, and what varies as fields. */
export type LogMethod = (message: string, fields?: Record<string, unknown>) => void;

/**
 * Where the library says what happened. Messages are constant sentences; ids, durations and reasons are fields. No
 * payload, token or secret ever reaches a logger. A logger must not throw.
 */
export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
}

const silent: LogMethod = () => {};

/** Says nothing. */
export const silentLogger: Logger = { debug: silent, info: silent, warn: silent, error: silent };
