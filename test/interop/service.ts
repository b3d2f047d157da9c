import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { nodeHandler } from "../../src/adapters/node.ts";
import type { TaskContext } from "../../src/core/context.ts";
import { describeError } from "../../src/core/dead-letter.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import type { PushOptions } from "../../src/push/index.ts";
import { noAuth } from "../../src/push/no-auth.ts";
import { answerTo, begin, listen } from "../contracts/adapter-subject.ts";
import type { LogLine } from "../support/log.ts";
import { wrapped } from "../support/push.ts";
import { createScene } from "../support/scene.ts";

/** What a task was called with. */
export interface Ran {
  readonly name: string;
  readonly taskId: string;
  readonly payload: unknown;
  /** ISO 8601, in UTC. */
  readonly enqueuedAt: string | undefined;
}

/** A real server with the push handler of a service, and what came of the pushes. */
export interface Service {
  readonly ran: readonly Ran[];
  readonly lines: readonly LogLine[];
  /** Texts of the errors for which deliveries were refused after they had been read. */
  readonly refusals: readonly string[];
  /** Posts a request, and returns the status of the answer. */
  post(request: Request): Promise<number>;
}

/** A push as it goes over the wire. */
export interface Request {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Starts a service with the tasks that the fixtures are for. */
export async function startService(options: PushOptions = {}): Promise<Service> {
  const scene = createScene();
  const ran: Ran[] = [];
  const refusals: string[] = [];
  const run = (payload: unknown, { name, taskId, enqueuedAt }: TaskContext): void =>
    void ran.push({ name, taskId, payload, enqueuedAt: enqueuedAt?.toISOString() });
  const tasks = createTasks({
    ...scene.options,
    auth: noAuth(),
    hooks: {
      finished: ({ outcome }) => void (outcome.type === "rejected" && refusals.push(describeError(outcome.error))),
    },
    routes: [
      new TaskRoute({ path: "gyrinx.core.tasks.send_welcome_email", args: ["user_id", "message"], run }),
      new TaskRoute({ path: "gyrinx.core.tasks.send_daily_report", schedule: "0 9 * * *", run }),
    ],
  });
  onTestFinished(() => tasks.close());
  const port = await listen(nodeHandler(tasks, options));
  return {
    ran,
    lines: scene.lines,
    refusals,
    async post({ headers, body }) {
      const outgoing = begin(port, { headers: { ...headers, "content-length": String(body.length) } });
      outgoing.end(body);
      return (await answerTo(outgoing)).status;
    },
  };
}

/** What a producer in Python published: the bytes that its `json.dumps(…).encode()` made. */
export function published(fixture: string): Buffer {
  return readFileSync(join(import.meta.dirname, "fixtures", `${fixture}.txt`));
}

const JSON_CONTENT = { "content-type": "application/json" };
/** Just after a tick of the scheduled task. */
const publishTime = "2026-03-01T09:00:00.749Z";

/** The pushes that carry published bytes to us. What surrounds the bytes is the service's, not the producer's. */
export const carriers: Readonly<Record<"wrapped" | "unwrapped" | "cloud-tasks", (data: Uint8Array) => Request>> = {
  wrapped: (data) => ({
    headers: JSON_CONTENT,
    body: Buffer.from(JSON.stringify(wrapped(data, { publishTime, publish_time: publishTime }))),
  }),
  unwrapped: (body) => ({
    headers: { "x-goog-pubsub-message-id": "2070443601311540", "x-goog-pubsub-publish-time": publishTime },
    body,
  }),
  "cloud-tasks": (body) => ({
    headers: { ...JSON_CONTENT, "x-cloudtasks-taskname": "8032934832980473", "x-cloudtasks-taskretrycount": "0" },
    body,
  }),
};
