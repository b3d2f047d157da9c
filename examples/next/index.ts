/**
 * Next.js (App Router): builds the app of this folder, starts it in production, enqueues through one of its routes, and
 * pushes to the other as Cloud Tasks does. Takes about fifteen seconds, most of them `next build`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { freePort } from "../free-port.ts";

const secret = crypto.randomUUID();
const port = await freePort();
const origin = `http://127.0.0.1:${port}`;

/** Runs the `next` command in this folder. */
function next(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [fileURLToPath(import.meta.resolve("next/dist/bin/next")), ...args], {
    cwd: import.meta.dirname,
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${origin}${path}`, { method: "POST", body: JSON.stringify(body), headers });
  return response.status;
}

// No variable of the deployment is needed to build: they are read at the first request.
const build = next(["build"]);
const report = text(build.stdout as Readable);
const [code] = await once(build, "exit");
if (code !== 0) throw new Error(`expected next build to succeed, got:\n${await report}`);
console.log("next build: done");

const server = next(["start", "--port", String(port), "--hostname", "127.0.0.1"], { TASKS_PUSH_SECRET: secret });
const lines = createInterface({ input: server.stdout as Readable })[Symbol.asyncIterator]();

/** The next line of the server's that contains some words. */
async function printed(words: string): Promise<string> {
  for (;;) {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`expected the server to print "${words}", got its end`);
    if (value.includes(words)) return value.trim();
  }
}

try {
  await printed("Ready");
  console.log("next start: ready");

  console.log(`POST /users: ${await post("/users", { userId: "42" })}`);
  console.log(await printed("task:"));

  const envelope = {
    task_id: "6f1b1c0e-0d5f-4a3c-9d0e-1f2a3b4c5d6e",
    task_name: "sendWelcomeEmail",
    args: [],
    kwargs: { userId: "43" },
    enqueued_at: "2026-01-15T10:30:00+00:00",
  };
  console.log(`POST /tasks/pubsub by a stranger: ${await post("/tasks/pubsub", envelope)}`);

  // Cloud Tasks sends the headers that a task was created with, and some of its own.
  const headers = {
    authorization: `Bearer ${secret}`,
    "x-cloudtasks-taskname": "4711",
    "x-cloudtasks-taskretrycount": "1",
  };
  console.log(`POST /tasks/pubsub by Cloud Tasks: ${await post("/tasks/pubsub", envelope, headers)}`);
  console.log(await printed("task:"));
} finally {
  server.kill();
}

// Output:
// next build: done
// next start: ready
// POST /users: 202
// task: welcome, user 42 (attempt 1)
// POST /tasks/pubsub by a stranger: 403
// POST /tasks/pubsub by Cloud Tasks: 200
// task: welcome, user 43 (attempt 2)
