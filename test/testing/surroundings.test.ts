import { afterEach, describe, expect, it, vi } from "vitest";
import { TaskRoute } from "../../src/index.ts";
import { createTestTasks } from "../../src/testing/index.ts";
import { recordLog } from "../support/log.ts";

const plain = new TaskRoute({ path: "plain", run: () => "ran" });
const failing = new TaskRoute({
  path: "failing",
  run: () => {
    throw new Error("boom");
  },
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

describe("production", () => {
  it.each([
    ["NODE_ENV", "production"],
    ["K_SERVICE", "service"],
  ])("is refused: %s=%s", (name, value) => {
    vi.stubEnv(name, value);
    expect(() => createTestTasks({ routes: [plain] })).toThrow(
      expect.objectContaining({
        code: "INVALID_CONFIG",
        message: expect.stringContaining("createTestTasks: expected a test"),
      }),
    );
  });

  it("is refused in an environment that was passed", () => {
    const env = { NODE_ENV: "production" };
    expect(() => createTestTasks({ routes: [plain], env })).toThrow(/production/);
  });

  it("is not what a test on Kubernetes runs in", async () => {
    vi.stubEnv("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    const tasks = createTestTasks({ routes: [plain] });
    expect(tasks.runtime.config.production).toBe(false);
  });
});

describe("the environment", () => {
  it("is the one of the process as it is now, so that a kill switch can be thrown in a test", async () => {
    const switched = new TaskRoute({ path: "switched", killSwitch: "SWITCHED_ENABLED", run: () => {} });
    const tasks = createTestTasks({ routes: [switched], allowDeadLetters: true });
    await tasks.enqueue(switched);
    vi.stubEnv("SWITCHED_ENABLED", "off");
    expect((await tasks.deliverNext()).outcome.type).toBe("discarded");
  });

  it("brings in no faults", async () => {
    vi.stubEnv("TASKS_FAULT_FAILURE_RATE", "1");
    const tasks = createTestTasks({ routes: [plain] });
    await tasks.enqueue(plain);
    expect((await tasks.deliverNext()).outcome).toEqual({ type: "done", result: "ran" });
  });
});

describe("options", () => {
  it("that do not exist are refused, and so is patience out of range", () => {
    expect(() => createTestTasks({ routes: [plain], ...{ patients: 1 } })).toThrow(
      "createTestTasks: unknown option patients, did you mean patience?",
    );
    expect(() => createTestTasks({ routes: [plain], ...{ backend: () => {} } })).toThrow(/unknown option backend/);
    expect(() => createTestTasks({ routes: [plain], patience: -1 })).toThrow(/expected patience to be a number/);
  });

  it("make it speak: it is silent unless it is given a logger", async () => {
    const written: unknown[] = [];
    for (const method of ["debug", "info", "log", "warn", "error"] as const)
      vi.spyOn(console, method).mockImplementation((...line) => void written.push(line));
    const { logger, lines } = recordLog();
    for (const options of [{}, { logger }]) {
      const tasks = createTestTasks({ routes: [failing], allowDeadLetters: true, ...options });
      await tasks.enqueue(failing);
      await tasks.deliverAll();
    }
    vi.restoreAllMocks();
    expect(written).toEqual([]);
    expect(lines.map(({ message }) => message)).toContain("a task was parked as a dead letter");
    expect(lines.map(({ message }) => message)).not.toContain("a fault was injected");
  });
});

describe("two clients of one list of routes", () => {
  it("know nothing of each other", async () => {
    const [one, two] = [createTestTasks({ routes: [plain] }), createTestTasks({ routes: [plain] })];
    one.failNext();
    await one.enqueue(plain, {}, { dedupeKey: "k" });
    await two.enqueue(plain, {}, { dedupeKey: "k" });
    await one.advance(60);
    expect((await two.deliverNext()).outcome.type).toBe("done");
    expect((await one.deliverNext()).outcome.type).toBe("failed");
    expect([one.enqueued.length, two.enqueued.length, two.now]).toEqual([1, 1, new Date("2026-01-01T00:00:00Z")]);
    await one.close();
    await two.enqueue(plain);
    expect((await two.deliverNext()).outcome.type).toBe("done");
  });
});

describe("fake timers of a test runner", () => {
  it("do not stop the clock, and its patience does not run by them", async () => {
    vi.useFakeTimers();
    const sleepy = new TaskRoute({ path: "sleepy", run: () => new Promise<void>((done) => setTimeout(done, 10_000)) });
    const tasks = createTestTasks({ routes: [sleepy, plain] });
    await tasks.enqueue(plain, {}, { delay: 60 });
    expect(await tasks.deliverAll()).toHaveLength(1);
    await tasks.enqueue(sleepy);
    const run = tasks.deliverNext();
    await tasks.advance(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await run).outcome.type).toBe("done");
  });
});

describe("close", () => {
  it("is for `await using`, too, and takes no more tasks", async () => {
    const left = await (async () => {
      await using tasks = createTestTasks({ routes: [plain] });
      await tasks.enqueue(plain);
      return tasks;
    })();
    await expect(left.enqueue(plain)).rejects.toMatchObject({ code: "CLOSED" });
    expect(left.pending).toHaveLength(1);
  });

  it("drains what runs: it is told to stop, is not acknowledged and uses up no attempt", async () => {
    const stubborn = new TaskRoute({
      path: "stubborn",
      run: (_payload, { signal }) =>
        new Promise((_done, fail) => signal.addEventListener("abort", () => fail(signal.reason))),
    });
    const tasks = createTestTasks({ routes: [stubborn], drainTimeout: 30 });
    await tasks.enqueue(stubborn);
    const run = tasks.deliverNext();
    await tasks.close();
    expect((await run).outcome).toMatchObject({ type: "busy", reason: "draining" });
    expect(tasks.now.getTime()).toBeGreaterThanOrEqual(Date.parse("2026-01-01T00:00:30Z"));
  });

  it("ends with a run that ignores its signal", async () => {
    const deaf = new TaskRoute({ path: "deaf", run: () => new Promise(() => {}) });
    const { logger, lines } = recordLog();
    const tasks = createTestTasks({ routes: [deaf], logger, patience: 0 });
    await tasks.enqueue(deaf);
    void tasks.deliverNext();
    await tasks.close();
    expect(lines).toMatchObject([{ message: expect.stringMatching(/^closed with tasks that ignore/) }]);
  });
});
