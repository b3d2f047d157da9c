import { describe, expect, it } from "vitest";
import { nextHandler, nextPagesHandler } from "../../src/adapters/next.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createService, listen, recorded, send } from "../contracts/adapter-subject.ts";
import { recordLog } from "../support/log.ts";
import { refusalOf } from "../support/refusal.ts";

const production = { NODE_ENV: "production" };

/** A service without anything that production asks for. */
function unconfigured(env: Record<string, string>) {
  const { logger, lines } = recordLog();
  const route = new TaskRoute({ path: "accounts.greet", run: () => {} });
  return { tasks: createTasks({ routes: [route], env, logger }), lines };
}

describe("while Next builds", () => {
  const building = { ...production, NEXT_PHASE: "phase-production-build" };

  it("nextHandler is made without the run-time environment, and then fails closed", async () => {
    const { tasks, lines } = unconfigured(building);
    const POST = nextHandler(tasks);
    const { body, headers } = recorded("wrapped-minimal");
    const request = new Request("https://service.example/tasks/pubsub", { method: "POST", headers, body });
    expect(await POST(request)).toMatchObject({ status: 500 });
    expect(lines).toEqual([expect.objectContaining({ level: "error" })]);
  });

  it("nextPagesHandler is made without the run-time environment, and then fails closed", async () => {
    const { tasks, lines } = unconfigured(building);
    const port = await listen(nextPagesHandler(tasks));
    expect(await send(port, recorded("wrapped-minimal"))).toMatchObject({ status: 500 });
    expect(lines).toEqual([expect.objectContaining({ level: "error" })]);
  });
});

it.each([
  ["nextHandler", nextHandler],
  ["nextPagesHandler", nextPagesHandler],
])("%s is not made in production without what it needs", (_name, handler) => {
  refusalOf(() => handler(unconfigured(production).tasks), "INVALID_CONFIG");
});

it("nextPagesHandler says once what turns Next's parser off", async () => {
  const { tasks, lines } = createService();
  const handle = nextPagesHandler(tasks);
  const port = await listen(async (req, res) => {
    const chunks: Buffer[] = await req.toArray();
    await handle(Object.assign(req, { body: JSON.parse(Buffer.concat(chunks).toString()) }), res);
  });
  await send(port, recorded("wrapped-minimal"));
  await send(port, recorded("wrapped-minimal"));
  expect(lines).toEqual([
    expect.objectContaining({
      level: "warn",
      fields: { remedy: "export const config = { api: { bodyParser: false } } from the API route" },
    }),
  ]);
});
