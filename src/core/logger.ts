/** One method of a {@link Logger}: a constant message, and what varies as fields. */
export type LogMethod = (message: string, fields?: Record<string, unknown>) => void;

/**
 * Where the library says what happened. Messages are constant sentences; ids, durations and reasons are fields. No
 * payload, token or secret ever reaches a logger. What a logger throws is dropped.
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

function guardedMethod(log: (...line: Parameters<LogMethod>) => void): LogMethod {
  return (message, fields) => {
    try {
      log(message, fields);
    } catch {
      // There is nowhere left to say so, and no delivery may suffer from it.
    }
  };
}

/** A logger whose methods do not throw, whatever those of `logger` do: a closed transport must not end a process. */
export function guarded(logger: Logger): Logger {
  return {
    debug: guardedMethod((message, fields) => logger.debug(message, fields)),
    info: guardedMethod((message, fields) => logger.info(message, fields)),
    warn: guardedMethod((message, fields) => logger.warn(message, fields)),
    error: guardedMethod((message, fields) => logger.error(message, fields)),
  };
}
