import { describe, expect, it } from "vitest";
import { maskOf, messageOf, settingsOf } from "../../src/provision/gcp-settings.ts";
import type { DesiredResource } from "../../src/provision/resources.ts";
import { desiredOf, route } from "./scene.ts";

const { resources } = desiredOf(
  [
    route("a.one", { schedule: "* * * * *", minRetryDelay: 0.25, maxRetryDelay: 12.5 }),
    route("b.two", {
      via: "cloud-tasks",
      schedule: "* * * * *",
      minRetryDelay: 2.75,
      schedulePayload: { text: "é" },
      queue: { ratePerSecond: 0.5, maxRetryDuration: 0, logSampling: 1 },
    }),
  ],
  { env: { TASKS_DEFERRAL_QUEUE: "true" } },
);

describe("settings", () => {
  it.each(resources.map((resource): [string, string, DesiredResource] => [resource.kind, resource.name, resource]))(
    "of a %s are read from a message as they were written to it: %s",
    (_, __, resource) => {
      // What is read only is in no message that is sent, and the service would fill it in.
      const { state: _state, detached: _detached, ...written } = { ...resource.settings } as Record<string, unknown>;
      const { name, ...read } = settingsOf(messageOf(resource));
      expect(name).toBe(resource.name);
      expect(read).toEqual(written);
    },
  );

  it("are durations in whole seconds and nanoseconds, bytes, and a policy without a time to live for never", () => {
    const [, , , subscription] = resources.filter(({ kind }) => kind === "subscription" || kind === "topic");
    expect(subscription).toBeDefined();
    const sub = resources.find(({ name }) => name.endsWith("a.one-sub"));
    expect(messageOf(sub ?? expect.unreachable())).toMatchObject({
      retryPolicy: { minimumBackoff: { seconds: 0, nanos: 250_000_000 }, maximumBackoff: { seconds: 12, nanos: 5e8 } },
      expirationPolicy: {},
      ackDeadlineSeconds: 300,
    });
    const job = resources.find(({ name }) => name.endsWith("b-two") && name.includes("jobs"));
    const { httpTarget } = messageOf(job ?? expect.unreachable()) as { httpTarget?: { body?: unknown } };
    expect(String(httpTarget?.body)).toContain('{"text":"é"}');
  });

  it.each<[text: string, message: object, settings: object]>([
    [
      "texts of numbers",
      { retryConfig: { minBackoff: { seconds: "5", nanos: 500_000_000 } } },
      { retryConfig: { minBackoff: 5.5 } },
    ],
    ["what is not set", { retryPolicy: null, filter: "", labels: {} }, { filter: "", labels: {} }],
    ["an expiry", { expirationPolicy: { ttl: { seconds: 86_400, nanos: 0 } } }, { expirationPolicy: { ttl: 86_400 } }],
    [
      "labels that look like a duration",
      { labels: { seconds: "1", nanos: "2" } },
      { labels: { seconds: "1", nanos: "2" } },
    ],
  ])("are read with %s", (_, message, settings) => {
    expect(settingsOf(message)).toEqual(settings);
  });
});

describe("a field mask", () => {
  const of = (kind: DesiredResource["kind"]) =>
    resources.find((resource) => resource.kind === kind) ?? expect.unreachable();

  it.each<[DesiredResource["kind"], fields: readonly string[], paths: readonly string[]]>([
    ["topic", ["labels.taskroute-environment", "labels"], ["labels"]],
    [
      "subscription",
      ["pushConfig.oidcToken.audience", "pushConfig.pushEndpoint", "ackDeadlineSeconds"],
      ["push_config", "ack_deadline_seconds"],
    ],
    [
      "queue",
      ["rateLimits.maxDispatchesPerSecond", "retryConfig.minBackoff"],
      ["rate_limits.max_dispatches_per_second", "retry_config.min_backoff"],
    ],
    [
      "job",
      ["httpTarget.headers.Content-Type", "httpTarget.uri", "timeZone", "retryConfig.retryCount"],
      ["http_target", "time_zone", "retry_config.retry_count"],
    ],
  ])("of a %s names %j as %j", (kind, fields, paths) => {
    expect(maskOf(of(kind), fields)).toEqual({ paths });
  });
});
