import { describe, expect, it } from "vitest";
import { immediate } from "../../src/backends/immediate.ts";
import { local } from "../../src/backends/local.ts";
import { localHttp } from "../../src/backends/local-http.ts";
import type { BackendFactory } from "../../src/core/backend.ts";
import { BACKEND_NAMES } from "../../src/core/config.ts";
import { TaskRoute } from "../../src/core/route.ts";
import { createTasks } from "../../src/create-tasks.ts";
import { refusalOf } from "../support/refusal.ts";
import { createScene } from "../support/scene.ts";

/** Each mark of production alone; Cloud Run, for one, sets no NODE_ENV. */
const MARKS: readonly Record<string, string>[] = [
  { NODE_ENV: "production" },
  { K_SERVICE: "shop" },
  { CLOUD_RUN_JOB: "nightly" },
  { GAE_ENV: "standard" },
  { KUBERNETES_SERVICE_HOST: "10.0.0.1" },
];

const route = new TaskRoute({ path: "x.a", run: () => "ran" });

/** Those that live in this process. */
const LOCAL_NAMES = BACKEND_NAMES.filter((name) => name !== "pubsub" && name !== "cloud-tasks");

function client(env: Record<string, string>, backend?: BackendFactory) {
  const { backend: _fake, ...options } = createScene({ env }).options;
  return createTasks({ ...options, ...(backend === undefined ? {} : { backend }), routes: [route] });
}

describe.each(MARKS)("production (%j)", (mark) => {
  it("refuses to do without a backend, when one is needed and not before", async () => {
    const tasks = client(mark);
    expect(refusalOf(() => tasks.start(), "INVALID_CONFIG")).toMatch(/^backend: expected one in production, got none/);
    await expect(tasks.enqueue(route, {})).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it.each(LOCAL_NAMES)("refuses the backend %s that the environment names", (name) => {
    const tasks = client({ ...mark, TASKS_BACKEND: name });
    expect(refusalOf(() => tasks.start(), "INVALID_CONFIG")).toContain(
      `backend ${name}: expected a backend of the cloud`,
    );
  });

  const factories: readonly [name: string, make: (options: { allowInProduction?: boolean }) => BackendFactory][] = [
    ["immediate", immediate],
    ["local", local],
    ["localHttp", localHttp],
  ];

  it.each(factories)("refuses the backend %s that the code names, unless it says so", async (_name, make) => {
    expect(refusalOf(() => client(mark, make({})).start(), "INVALID_CONFIG")).toContain("allowInProduction: true");
    const allowed = client(mark, make({ allowInProduction: true }));
    expect(() => allowed.start()).not.toThrow();
    await allowed.close();
  });

  it("takes any other backend", () => {
    expect(() => client(mark, createScene().options.backend).start()).not.toThrow();
  });
});

describe("development", () => {
  it.each([...LOCAL_NAMES.map((name) => [name, name] as const), [undefined, "local"] as const])(
    "takes what TASKS_BACKEND says: %s is %s",
    async (name, built) => {
      const tasks = client(name === undefined ? {} : { TASKS_BACKEND: name });
      expect(tasks.runtime.backend.name).toBe(built);
      await tasks.close();
    },
  );

  it("prefers the backend that the code names", async () => {
    const tasks = client({ TASKS_BACKEND: "local-http" }, immediate());
    expect(tasks.runtime.backend.name).toBe("immediate");
    await tasks.close();
  });
});

describe("an option of a local backend that does not exist", () => {
  it.each([
    [immediate, { throwOnFailur: true }, "immediate: unknown option throwOnFailur, did you mean throwOnFailure?"],
    [local, { maxInflight: 5 }, "local: unknown option maxInflight, did you mean maxInFlight?"],
    [localHttp, { ur: "http://x" }, "localHttp: unknown option ur, did you mean url?"],
  ])("is refused at once: %o %j", (make, options, text) => {
    expect(refusalOf(() => Reflect.apply(make, undefined, [options]), "INVALID_OPTION")).toBe(text);
  });
});
