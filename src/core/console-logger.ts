import { describeError } from "./dead-letter.ts";
import type { Logger, LogMethod } from "./logger.ts";

/** Severities of Cloud Logging. https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity */
const SEVERITY = { debug: "DEBUG", info: "INFO", warn: "WARNING", error: "ERROR" } as const;
type Level = keyof typeof SEVERITY;

/** JSON where it can be had: neither a `BigInt` nor a cycle nor a hostile object must make a logger throw. */
function shownValue(value: unknown): string {
  try {
    return JSON.stringify(value, writable) ?? String(value);
  } catch {
    return "[unprintable]";
  }
}

/** What JSON has no form for. */
function writable(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Error ? describeError(value) : value;
}

function details(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : shownValue(value)}`)
    .join(" ");
}

function humanLine(message: string, fields: Record<string, unknown>): string {
  const shown = details(fields);
  return shown === "" ? `taskroute: ${message}` : `taskroute: ${message} (${shown})`;
}

function jsonLine(level: Level, message: string, fields: Record<string, unknown>): string {
  const line = { severity: SEVERITY[level], message: `taskroute: ${message}` };
  try {
    return JSON.stringify({ ...line, ...fields, ...line }, writable);
  } catch {
    return JSON.stringify({ ...line, details: details(fields) });
  }
}

/**
 * Logs to the console: one JSON object a line as Cloud Logging reads it when `json` is set, else text for a person.
 * Debug lines are left out of the text form.
 */
export function consoleLogger(options: { readonly json: boolean }): Logger {
  const at = (level: Level): LogMethod => {
    if (level === "debug" && !options.json) return () => {};
    return (message, fields = {}) => {
      // biome-ignore lint/suspicious/noConsole: this is the one place that writes to it.
      console[level](options.json ? jsonLine(level, message, fields) : humanLine(message, fields));
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
