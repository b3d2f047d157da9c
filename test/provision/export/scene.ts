import { z } from "zod";
import type { AnyRoute } from "../../../src/core/declaration.ts";
import type { ExportOptions } from "../../../src/provision/export/index.ts";
import type { DesiredState } from "../../../src/provision/resources.ts";
import { desiredOf, route, type Variation } from "../scene.ts";

/** The account as which the service of these tests runs. */
export const RUNTIME = "shop-runtime@p.iam.gserviceaccount.com";

/** Routes that between them have every setting that a resource can have. */
export const EVERYTHING: readonly AnyRoute[] = [
  route("mail.send_now", { ackDeadline: 120, minRetryDelay: 0.5, maxRetryDelay: 90, maxAttempts: 3, ordered: true }),
  route("reports.daily", {
    payload: z.object({ text: z.string() }),
    schedule: "0 9 * * MON-FRI",
    scheduleTimezone: "Europe/London",
    // What a shell or a template would take for its own.
    schedulePayload: { text: `it's \${PATH} %{ if } $(date) "\\\n` },
  }),
  route("images.resize", {
    via: "cloud-tasks",
    ackDeadline: 1200,
    schedule: "*/5 * * * *",
    queue: {
      ratePerSecond: 2.5,
      maxConcurrent: 4,
      maxDoublings: 3,
      maxRetryDuration: 3600,
      logSampling: 0.25,
      priorities: { high: { ratePerSecond: 50, minRetryDelay: 1 } },
    },
  }),
  route("images.purge", {
    via: "cloud-tasks",
    queue: { name: "projects/other/locations/us-east1/queues/purge", managed: true },
  }),
];

/** Their switches, and a queue for delayed messages in another region than the jobs. */
export const VARIATION: Variation = {
  env: { TASKS_DEFERRAL_QUEUE: "true", TASKS_QUEUE_LOCATION: "us-central1" },
  off: ["images.resize"],
};

/** The state that they desire. */
export function everything(): DesiredState {
  return desiredOf(EVERYTHING, VARIATION);
}

/** Options that grant all there is to grant. */
export const GRANTING: ExportOptions = {
  cloudRunService: "shop",
  runtimeServiceAccount: RUNTIME,
  readsDeadLetters: true,
};

/**
 * What a user of a template for background jobs on Cloud Tasks has: two queues by name, one of them for what is urgent,
 * with limits of their own, and a job that calls the service every night.
 */
export function template(): DesiredState {
  const limits = { via: "cloud-tasks" as const, minRetryDelay: 10, maxRetryDelay: 600 };
  return desiredOf(
    [
      route("jobs.sendEmail", {
        ...limits,
        maxAttempts: 5,
        queue: { name: "email-queue", ratePerSecond: 100, maxConcurrent: 100, maxDoublings: 4, logSampling: 1 },
      }),
      route("jobs.processWebhook", {
        ...limits,
        maxAttempts: 10,
        queue: {
          name: "webhook-queue",
          ratePerSecond: 100,
          maxConcurrent: 100,
          priorities: { priority: { ratePerSecond: 500, maxConcurrent: 200, minRetryDelay: 5, maxRetryDelay: 300 } },
        },
      }),
      route("jobs.cleanup", {
        via: "cloud-tasks",
        schedule: "0 3 * * *",
        scheduleTimezone: "America/Los_Angeles",
        maxAttempts: 4,
        queue: { name: "email-queue", managed: false },
      }),
    ],
    { env: { SCHEDULER_LOCATION: "us-central1" } },
  );
}
