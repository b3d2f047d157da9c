import { describe, expect, it } from "vitest";
import { z } from "zod";
import { TaskContract } from "../../src/core/contract.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { refusalOf } from "../support/refusal.ts";
import { createScene, deliver } from "../support/scene.ts";

const payload = z.object({ n: z.number() });

describe("a contract", () => {
  it("is completed by a body to a route with all its options", () => {
    const contract = new TaskContract({ path: "math.double", payload, maxAttempts: 3, args: ["n"] });
    const route = contract.route(({ n }) => n * 2);
    expect(route).toBeInstanceOf(TaskRoute);
    expect(route).toMatchObject({ path: "math.double", name: "double", schema: payload, settings: contract.settings });
    expect(contract).not.toHaveProperty("run");
  });

  it("is checked as a route is", () => {
    expect(refusalOf(() => new TaskContract({ path: "x.a", ackDeadline: 5 }), "INVALID_OPTION")).toMatch(
      /^TaskContract "x\.a": expected ackDeadline/,
    );
  });

  it("has no body", () => {
    const withBody = { path: "x.a", run: () => {} };
    expect(refusalOf(() => new TaskContract(withBody), "INVALID_OPTION")).toContain("unknown option run");
  });

  it("can be enqueued by a service that only produces, but not run by it", async () => {
    const scene = createScene();
    const contract = new TaskContract({ path: "math.double", payload });
    const tasks = createTasks({ ...scene.options, routes: [contract] });
    await tasks.enqueue(contract, { n: 1 });
    expect(scene.sent).toMatchObject([{ payloadJson: '{"n":1}' }]);
    expect(await deliver(tasks, { taskName: "double", kwargs: { n: 1 } })).toEqual({
      type: "rejected",
      reason: "unknown-task",
      error: undefined,
    });
  });

  it("refers to the route that completes it, so that two routes can enqueue each other", async () => {
    const scene = createScene();
    const ping = new TaskContract({ path: "game.ping", payload });
    const pong = new TaskContract({ path: "game.pong", payload });
    const pingRoute = ping.route(({ n }, ctx) => ctx.enqueue(pong, { n: n - 1 }));
    const pongRoute = pong.route(({ n }, ctx) => ctx.enqueue(ping, { n: n - 1 }));
    const tasks = createTasks({ ...scene.options, routes: [pingRoute, pongRoute] });
    await tasks.enqueue(ping, { n: 2 });
    await deliver(tasks, { taskName: "ping", kwargs: { n: 2 } });
    await deliver(tasks, { taskName: "pong", kwargs: { n: 1 } });
    expect(scene.sent.map(({ route, payloadJson }) => [route.path, payloadJson])).toEqual([
      ["game.ping", '{"n":2}'],
      ["game.pong", '{"n":1}'],
      ["game.ping", '{"n":0}'],
    ]);
  });
});
