import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  BACKEND_NAMES,
  type Config,
  isBuilding,
  isProduction,
  resolveConfig,
  VARIABLES,
} from "../../src/core/config.ts";
import { refusalOf } from "../support/refusal.ts";

describe("an empty environment", () => {
  it("is development with every default", () => {
    expect(resolveConfig({})).toEqual({
      environment: "dev",
      namespace: "app",
      production: false,
      backends: [],
      serviceAccounts: [],
      audiences: [],
      pushSecrets: [],
      pushPath: "/tasks/pubsub",
      pushUrl: "http://127.0.0.1:8080/tasks/pubsub",
      projectId: undefined,
      serviceUrl: undefined,
      pushEndpoint: undefined,
      schedulerLocation: "europe-west2",
      queueLocation: "europe-west2",
      deferralQueue: undefined,
      generation: undefined,
      onCloudRun: false,
      emulators: { pubsub: undefined, cloudTasks: undefined, scheduler: undefined, keys: undefined },
      localFile: ".taskroute/local.db",
      faults: {},
    });
  });
});

describe("a variable", () => {
  const URL = "https://shop.example";
  const readings: readonly [env: Record<string, string>, config: Partial<Config>][] = [
    [
      { TASKS_ENVIRONMENT: "prod", TASKS_NAMESPACE: "shop" },
      { environment: "prod", namespace: "shop" },
    ],
    [
      { TASKS_ENVIRONMENT: " ", TASKS_NAMESPACE: "" },
      { environment: "dev", namespace: "app" },
    ],
    ...BACKEND_NAMES.map((backend): [Record<string, string>, Partial<Config>] => [
      { TASKS_BACKEND: ` ${backend} ` },
      { backends: [backend] },
    ]),
    [{ TASKS_BACKEND: "pubsub, cloud-tasks" }, { backends: ["pubsub", "cloud-tasks"] }],
    [{ GOOGLE_CLOUD_PROJECT: "one" }, { projectId: "one" }],
    [{ GOOGLE_CLOUD_PROJECT: "one", GCP_PROJECT_ID: "two" }, { projectId: "two" }],
    [{ SCHEDULER_LOCATION: "r1" }, { schedulerLocation: "r1", queueLocation: "r1" }],
    [
      { SCHEDULER_LOCATION: "r1", TASKS_QUEUE_LOCATION: "r2" },
      { schedulerLocation: "r1", queueLocation: "r2" },
    ],
    [{ K_REVISION: "service-00042-abc" }, { generation: 42 }],
    [{ K_REVISION: "service-00042-abc", TASKS_GENERATION: "7" }, { generation: 7 }],
    [{ K_REVISION: "named" }, { generation: undefined }],
    [{ TASKS_DEFERRAL_QUEUE: "true" }, { deferralQueue: true }],
    [{ TASKS_DEFERRAL_QUEUE: "later" }, { deferralQueue: "later" }],
    [{ TASKS_DEFERRAL_QUEUE: "false" }, { deferralQueue: undefined }],
    [
      { TASKS_DEFERRAL_QUEUE: "projects/p/locations/r/queues/later" },
      { deferralQueue: "projects/p/locations/r/queues/later" },
    ],
    [
      { TASKS_EMULATOR_HOST: "127.0.0.1:8085", PUBSUB_EMULATOR_HOST: "http://localhost:9000" },
      {
        emulators: {
          pubsub: "localhost:9000",
          cloudTasks: "127.0.0.1:8085",
          scheduler: "127.0.0.1:8085",
          keys: "127.0.0.1:8085",
        },
      },
    ],
    [{ TASKS_SERVICE_ACCOUNT: "a@p.example, b@p.example,," }, { serviceAccounts: ["a@p.example", "b@p.example"] }],
    [{ TASKS_PUSH_SECRET: "one,two" }, { pushSecrets: ["one", "two"] }],
    [
      { CLOUD_RUN_SERVICE_URL: `${URL}/` },
      { serviceUrl: URL, pushEndpoint: `${URL}/tasks/pubsub`, audiences: [URL, `${URL}/tasks/pubsub`] },
    ],
    [{ K_SERVICE: "shop", TASKS_NAMESPACE: "shop" }, { onCloudRun: true }],
    [
      { CLOUD_RUN_SERVICE_URL: URL, TASKS_PUSH_PATH: "/push" },
      { pushPath: "/push", audiences: [URL, `${URL}/push`], pushUrl: "http://127.0.0.1:8080/push" },
    ],
    [{ CLOUD_RUN_SERVICE_URL: URL, TASKS_AUDIENCE: "a, b" }, { audiences: ["a", "b"] }],
    [{ TASKS_LOCAL_FILE: " queue.db " }, { localFile: "queue.db" }],
    [{ TASKS_LOCAL_FILE: ":memory:" }, { localFile: undefined }],
    [{ NODE_ENV: "test" }, { localFile: undefined }],
    [{ VITEST: "true" }, { localFile: undefined }],
    [{ JEST_WORKER_ID: "1" }, { localFile: undefined }],
    [{ NODE_TEST_CONTEXT: "child-v8" }, { localFile: undefined }],
    [{ NODE_ENV: "test", TASKS_LOCAL_FILE: "queue.db" }, { localFile: "queue.db" }],
    [{ TASKS_FAULT_DUPLICATE_RATE: "0.1" }, { faults: { duplicateRate: 0.1 } }],
    [{ TASKS_FAULT_FAILURE_RATE: " 1 " }, { faults: { failureRate: 1 } }],
    [{ TASKS_FAULT_DROP_RATE: "0", TASKS_FAULT_SEED: "7" }, { faults: { dropRate: 0, seed: 7 } }],
    [
      { TASKS_FAULT_LATENCY_SECONDS: "1.5", TASKS_FAULT_LATENCY_JITTER: "0.5", TASKS_FAULT_REORDER_RATE: "" },
      { faults: { latencySeconds: 1.5, latencyJitter: 0.5 } },
    ],
    [{ TASKS_FAULT_REORDER_RATE: "1e-3" }, { faults: { reorderRate: 0.001 } }],
    [{ PORT: "3000" }, { pushUrl: "http://127.0.0.1:3000/tasks/pubsub" }],
    [{ PORT: "3000", TASKS_PUSH_URL: "http://localhost:4000/x" }, { pushUrl: "http://localhost:4000/x" }],
    [
      { GCP_PROJECT_ID: "shop-1", SCHEDULER_LOCATION: "us-east1" },
      { projectId: "shop-1", schedulerLocation: "us-east1" },
    ],
  ];

  it.each(readings)("is read: %j", (env, config) => {
    expect(resolveConfig(env)).toMatchObject(config);
  });

  it("yields to what createTasks says of the cloud", () => {
    const env = { GCP_PROJECT_ID: "one", TASKS_DEFERRAL_QUEUE: "later", CLOUD_RUN_SERVICE_URL: URL };
    const cloud = { projectId: "two", deferralQueue: true, generation: 7, serviceAccount: "a@p.example" } as const;
    expect(resolveConfig(env, { cloud })).toMatchObject({
      projectId: "two",
      deferralQueue: true,
      generation: 7,
      serviceAccounts: ["a@p.example"],
      serviceUrl: URL,
    });
  });

  it("stands for an option of the cloud that has to exist", () => {
    const cloud = { project: "two" };
    expect(refusalOf(() => resolveConfig({}, { cloud: cloud as object }), "INVALID_OPTION")).toBe(
      "createTasks cloud: unknown option project, did you mean projectId?",
    );
  });

  it("yields to what createTasks says", () => {
    const env = { TASKS_ENVIRONMENT: "prod", TASKS_NAMESPACE: "shop" };
    expect(resolveConfig(env, { environment: "test", namespace: "till" })).toMatchObject({
      environment: "test",
      namespace: "till",
    });
  });

  it("is listed with its meaning, and none is listed that nobody reads", () => {
    const read = globSync("src/**/*.ts")
      .filter((file) => !file.includes("cli"))
      .flatMap(
        (file) =>
          readFileSync(file, "utf8").match(
            /\benv\.([A-Z_]+)\b|"(TASKS_[A-Z_]+|[A-Z_]+_EMULATOR_HOST|CLOUD_RUN_SERVICE_URL)"/g,
          ) ?? [],
      )
      .map((use) => use.replace(/^env\./, "").replaceAll('"', ""))
      .filter((name) => !["NODE_ENV", "NEXT_PHASE", "PORT", "K_SERVICE", "K_REVISION"].includes(name));
    expect([...new Set(read)].sort()).toEqual(Object.keys(VARIABLES).sort());
  });
});

describe("a wrong environment", () => {
  const problems: readonly [env: Record<string, string>, text: string][] = [
    [{ TASKS_BACKEND: "local,pubsub" }, 'got "local,pubsub"'],
    [{ TASKS_BACKEND: "pubsub,pubsub" }, 'got "pubsub,pubsub"'],
    [
      { CLOUD_RUN_SERVICE_URL: "https://shop.example/tasks/pubsub" },
      "CLOUD_RUN_SERVICE_URL: expected the service's URL without the push path",
    ],
    [
      { CLOUD_RUN_SERVICE_URL: "http://shop.example", NODE_ENV: "production" },
      "CLOUD_RUN_SERVICE_URL: expected an https URL in production",
    ],
    [{ TASKS_GENERATION: "new" }, 'TASKS_GENERATION: expected a whole number of up to 15 digits, got "new"'],
    [{ TASKS_DEFERRAL_QUEUE: "later_on" }, "TASKS_DEFERRAL_QUEUE: expected true, a queue id"],
    [{ TASKS_DEFERRAL_QUEUE: "projects/p/queues/later" }, "or projects/P/locations/L/queues/Q, got"],
    [{ TASKS_EMULATOR_HOST: "8085" }, 'TASKS_EMULATOR_HOST: expected host:port, got "8085"'],
    [
      { TASKS_BACKEND: "kafka" },
      'TASKS_BACKEND: expected immediate, local, local-http, pubsub, cloud-tasks, or pubsub,cloud-tasks, got "kafka"',
    ],
    [{ CLOUD_RUN_SERVICE_URL: "shop.example" }, 'CLOUD_RUN_SERVICE_URL: expected an http(s) URL, got "shop.example"'],
    [{ CLOUD_RUN_SERVICE_URL: "ftp://shop.example" }, "CLOUD_RUN_SERVICE_URL: expected an http(s) URL"],
    [{ TASKS_PUSH_URL: "/tasks" }, "TASKS_PUSH_URL: expected an http(s) URL"],
    [{ TASKS_PUSH_PATH: "tasks" }, 'TASKS_PUSH_PATH: expected a path that begins with /, got "tasks"'],
    [
      { TASKS_SERVICE_ACCOUNT: "a@p.example,nobody" },
      'TASKS_SERVICE_ACCOUNT: expected e-mails separated by commas, got "nobody"',
    ],
    [{ TASKS_ENVIRONMENT: "prod" }, "TASKS_NAMESPACE: expected the service's own name outside dev, got none"],
    [{ TASKS_ENVIRONMENT: "a--b", TASKS_NAMESPACE: "shop" }, 'environment "a--b": expected single separators'],
    [
      { TASKS_ENVIRONMENT: "google", TASKS_NAMESPACE: "shop" },
      'environment "google": expected a name that does not start',
    ],
    [{ TASKS_NAMESPACE: "a b" }, 'namespace "a b": expected letters, digits, - and _'],
    [{ TASKS_FAULT_DROP_RATE: "2" }, 'TASKS_FAULT_DROP_RATE: expected a number of 0–1, got "2"'],
    [{ TASKS_FAULT_FAILURE_RATE: "10%" }, 'TASKS_FAULT_FAILURE_RATE: expected a number of 0–1, got "10%"'],
    [{ TASKS_FAULT_LATENCY_SECONDS: "-1" }, "TASKS_FAULT_LATENCY_SECONDS: expected a number of 0–3600"],
    [{ TASKS_FAULT_DROPRATE: "0.1" }, "TASKS_FAULT_DROPRATE: unknown variable, did you mean TASKS_FAULT_DROP_RATE?"],
    [{ TASKS_FAULTS_DROP_RATE: "0.1" }, "TASKS_FAULTS_DROP_RATE: unknown variable"],
    [{ TASKS_FAULT_SEED: "1.5" }, "TASKS_FAULT_SEED: expected a whole number of 0–4294967295"],
    [
      { K_SERVICE: "shop", TASKS_FAULT_DROP_RATE: "0.1" },
      "faults: expected none in production, got dropRate; leave them out and unset TASKS_FAULT_DROP_RATE",
    ],
  ];

  it.each(problems)("is refused: %j", (env, text) => {
    const message = refusalOf(() => resolveConfig(env), "INVALID_CONFIG");
    expect(message).toMatch(/^environment: 1 problem\n {2}- /);
    expect(message).toContain(text);
  });

  it("is refused with everything that is wrong at once", () => {
    const message = refusalOf(
      () =>
        resolveConfig({
          TASKS_ENVIRONMENT: "a--b",
          TASKS_NAMESPACE: "c--d",
          TASKS_BACKEND: "kafka",
          TASKS_PUSH_PATH: "tasks",
          TASKS_PUSH_URL: "nowhere",
          TASKS_SERVICE_ACCOUNT: "x,y",
          CLOUD_RUN_SERVICE_URL: "nowhere",
        }),
      "INVALID_CONFIG",
    );
    const lines = message.split("\n");
    expect(lines[0]).toBe("environment: 8 problems");
    expect(lines.slice(1).map((line) => line.slice(4).split(/[ :]/)[0])).toEqual([
      "CLOUD_RUN_SERVICE_URL",
      "TASKS_PUSH_PATH",
      "TASKS_PUSH_URL",
      "environment",
      "namespace",
      "TASKS_BACKEND",
      "TASKS_SERVICE_ACCOUNT",
      "TASKS_SERVICE_ACCOUNT",
    ]);
  });
});

describe("production", () => {
  it.each([
    [{ NODE_ENV: "production" }, true],
    [{ K_SERVICE: "shop" }, true],
    [{ CLOUD_RUN_JOB: "nightly" }, true],
    [{ GAE_ENV: "standard" }, true],
    [{ KUBERNETES_SERVICE_HOST: "10.0.0.1" }, true],
    [{ NODE_ENV: "development", K_SERVICE: "shop" }, true],
    [{ NODE_ENV: "test", KUBERNETES_SERVICE_HOST: "10.0.0.1" }, true],
    [{ VITEST: "true", KUBERNETES_SERVICE_HOST: "10.0.0.1" }, false],
    [{ JEST_WORKER_ID: "1", KUBERNETES_SERVICE_HOST: "10.0.0.1" }, false],
    [{ NODE_TEST_CONTEXT: "child-v8", KUBERNETES_SERVICE_HOST: "10.0.0.1" }, false],
    [{ VITEST: "true", K_SERVICE: "shop" }, true],
    [{ VITEST: "true", NODE_ENV: "production" }, true],
    [{ NODE_ENV: "test" }, false],
    [{ NODE_ENV: "Production" }, false],
    [{ K_SERVICE: "" }, false],
    [{}, false],
  ])("%j: %s", (env, production) => {
    expect(isProduction(env)).toBe(production);
    expect(resolveConfig(env).production).toBe(production);
  });
});

describe("a framework that only builds", () => {
  it.each([
    [{ NEXT_PHASE: "phase-production-build" }, true],
    [{ NEXT_PHASE: "phase-production-server" }, false],
    [{}, false],
  ])("%j: %s", (env, building) => {
    expect(isBuilding(env)).toBe(building);
  });
});
