// A push-only service from its start to its first 200. Node is given this text with --eval, not as a file, because
// stripping types from a file takes it 45 ms and 18 MB: hence no annotations and no imports of this folder.
import { writeSync } from "node:fs";
import { createServer, request } from "node:http";
import { createTasks, local, oidc, TaskRoute } from "taskroute";
import { nodeHandler } from "taskroute/node";
import { z } from "zod";

const { headers, body, credentials, audience, email } = JSON.parse(process.env.TASKROUTE_BENCH_PUSH ?? "{}");

const sendWelcomeEmail = new TaskRoute({
  path: "accounts.sendWelcomeEmail",
  payload: z.object({ userId: z.string() }),
  run: async () => {},
});
const tasks = createTasks({
  routes: [sendWelcomeEmail],
  backend: local(),
  auth: oidc({ audience, serviceAccounts: [email], keys: { certificates: async () => credentials } }),
  env: {},
});

const server = createServer(nodeHandler(tasks)).listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  request({ host: "127.0.0.1", port, path: "/tasks/pubsub", method: "POST", headers, agent: false }, (response) => {
    if (response.statusCode !== 200) throw new Error(`first push: expected 200, got ${response.statusCode}`);
    writeSync(1, String(process.memoryUsage.rss()));
    process.exit();
  }).end(body);
});
