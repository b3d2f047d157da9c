import { describe, expect, it, vi } from "vitest";
import { local } from "../../src/backends/local.ts";
import { isSwitchedOff } from "../../src/core/kill-switch.ts";
import { TaskRoute } from "../../src/core/route.ts";
import type { KillSwitchOptions } from "../../src/core/route-options.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { createScene, deliver, type SceneOptions } from "../support/scene.ts";

describe("a kill switch", () => {
  const route = new TaskRoute({ path: "x.a", run: () => {}, killSwitch: "ENABLE_A" });

  it.each([
    ["false", true],
    ["0", true],
    ["off", true],
    ["no", true],
    ["FALSE", true],
    [" Off ", true],
    [undefined, false],
    ["", false],
    ["true", false],
    ["1", false],
    ["disabled", false],
  ])("whose variable is %j is off: %s", (value, off) => {
    expect(isSwitchedOff(route, { ENABLE_A: value })).toBe(off);
  });

  it("is only that of its own route", () => {
    const other = new TaskRoute({ path: "x.b", run: () => {} });
    expect(isSwitchedOff(other, { ENABLE_A: "off" })).toBe(false);
  });
});

describe("a route that is switched off", () => {
  const run = vi.fn(() => "ran");

  const switchedOff = (onDemand: KillSwitchOptions["onDemand"], options: SceneOptions = {}) => {
    run.mockClear();
    const env: Record<string, string | undefined> = { MAIL: "off" };
    const scene = createScene({ ...options, env });
    const killSwitch = onDemand === undefined ? "MAIL" : { env: "MAIL", onDemand };
    const route = new TaskRoute({ path: "x.mail", run, killSwitch, schedule: "0 9 * * *", overlap: "allow" });
    return { ...scene, env, tasks: createTasks({ ...scene.options, routes: [route] }) };
  };
  const onDemand = { taskName: "mail", kwargs: { to: "42" } };
  const tick = { taskName: "mail", taskId: "scheduled-mail", scheduled: true, enqueuedAt: undefined };

  it("parks on-demand deliveries, so that they can be redriven", async () => {
    const { tasks, letters } = switchedOff(undefined);
    expect(await deliver(tasks, onDemand)).toEqual({ type: "discarded", reason: "switched-off", error: undefined });
    expect(letters).toMatchObject([{ taskId: "task-1", path: "x.mail", kwargs: { to: "42" }, reason: "switched-off" }]);
    expect(run).not.toHaveBeenCalled();
  });

  it("skips them where it is told to", async () => {
    const { tasks, letters } = switchedOff("skip");
    expect(await deliver(tasks, onDemand)).toEqual({ type: "skipped", reason: "switched-off" });
    expect(letters).toEqual([]);
  });

  it.each(["park", "skip"] as const)("skips ticks of its schedule (on demand: %s)", async (choice) => {
    const { tasks, letters } = switchedOff(choice);
    expect(await deliver(tasks, tick)).toEqual({ type: "skipped", reason: "switched-off" });
    expect(letters).toEqual([]);
    expect(run).not.toHaveBeenCalled();
  });

  it("sends deliveries back where nothing can keep them", async () => {
    const { tasks } = switchedOff("park", { deadLetters: null });
    expect(await deliver(tasks, onDemand)).toEqual({ type: "busy", reason: "switched-off", retryAfter: 60 });
  });

  it("runs again as soon as the variable says so: it is read at every delivery", async () => {
    const { tasks, env } = switchedOff("skip");
    await deliver(tasks, onDemand);
    env.MAIL = "on";
    expect(await deliver(tasks, onDemand)).toEqual({ type: "done", result: "ran" });
  });

  it("runs what was parked once it is redriven", async () => {
    const { options, env, clock } = switchedOff(undefined);
    const route = new TaskRoute({ path: "x.mail", run, killSwitch: "MAIL" });
    const tasks = createTasks({ ...options, backend: local(), routes: [route] });
    const { id } = await tasks.enqueue(route, { to: "42" });
    await clock.advance(0);
    expect(await tasks.deadLetters.list()).toMatchObject([{ taskId: id, reason: "switched-off", attempts: 1 }]);
    env.MAIL = "on";
    expect(await tasks.deadLetters.redrive(id)).toBe(true);
    await clock.advance(0);
    expect(run).toHaveBeenCalledExactlyOnceWith({ to: "42" }, expect.objectContaining({ taskId: id, attempt: 1 }));
    expect(await tasks.deadLetters.list()).toEqual([]);
    await tasks.close();
  });
});
