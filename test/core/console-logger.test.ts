import { afterEach, describe, expect, it, vi } from "vitest";
import { consoleLogger } from "../../src/core/console-logger.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;
const cycle: { self?: object } = {};
cycle.self = cycle;

afterEach(() => vi.restoreAllMocks());

/** What one call writes to the console, or `undefined` when it writes nothing. */
function written(
  json: boolean,
  level: (typeof LEVELS)[number],
  message: string,
  fields?: Record<string, unknown>,
): unknown {
  const spies = new Map(LEVELS.map((each) => [each, vi.spyOn(console, each).mockImplementation(() => {})]));
  consoleLogger({ json })[level](message, fields);
  const calls = [...spies].flatMap(([method, spy]) => spy.mock.calls.map((line) => [method, ...line]));
  expect(calls.length).toBeLessThanOrEqual(1);
  expect(calls[0]?.[0] ?? level).toBe(level);
  return calls[0]?.[1];
}

describe("the console logger", () => {
  it.each([
    ["debug", "DEBUG"],
    ["info", "INFO"],
    ["warn", "WARNING"],
    ["error", "ERROR"],
  ] as const)("writes %s as one line of JSON with the severity %s, as Cloud Logging reads it", (level, severity) => {
    const line = written(true, level, "a task failed", { task: "x.a", attempt: 2 });
    expect(line).toBe(`{"severity":"${severity}","message":"taskroute: a task failed","task":"x.a","attempt":2}`);
  });

  it("keeps what it says itself, whatever fields are called", () => {
    expect(written(true, "info", "hello", { message: "other", severity: "EMERGENCY" })).toBe(
      '{"severity":"INFO","message":"taskroute: hello"}',
    );
  });

  it.each([
    ["info", "ready", undefined, "taskroute: ready"],
    ["warn", "a task failed", { task: "x.a", attempt: 2 }, "taskroute: a task failed (task=x.a attempt=2)"],
    ["error", "broken", { tasks: ["a", "b"] }, 'taskroute: broken (tasks=["a","b"])'],
    ["debug", "detail", {}, undefined],
  ] as const)("writes %s for a person: %s %j", (level, message, fields, line) => {
    expect(written(false, level, message, fields)).toBe(line);
  });

  it.each([
    [true, { n: 1n, text: "x" }, '{"severity":"INFO","message":"taskroute: odd","n":"1","text":"x"}'],
    [true, { cycle }, '{"severity":"INFO","message":"taskroute: odd","details":"cycle=[unprintable]"}'],
    [
      true,
      { row: Object.assign(Object.create(null), { n: 1n }) },
      '{"severity":"INFO","message":"taskroute: odd","row":{"n":"1"}}',
    ],
    [false, { error: new TypeError("no") }, 'taskroute: odd (error="TypeError: no")'],
    [false, { n: 1n, nothing: undefined }, 'taskroute: odd (n="1" nothing=undefined)'],
  ])("never throws for what is no JSON (as JSON: %s): %o", (json, fields, line) => {
    expect(written(json, "info", "odd", fields)).toBe(line);
  });
});
