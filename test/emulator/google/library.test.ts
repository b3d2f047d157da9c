import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { expressHandler } from "../../../src/adapters/express.ts";
import { pubsub } from "../../../src/backends/pubsub.ts";
import type { DeadLetter } from "../../../src/core/dead-letter.ts";
import type { FinishedEvent } from "../../../src/core/events.ts";
import type { AnyTasks } from "../../../src/core/tasks.ts";
import { createTasks, noAuth, silentLogger, TaskRoute } from "../../../src/index.ts";
import { until } from "./pushed.ts";
import { type Project, Side, whoseAtHand } from "./side.ts";

const at = { ackDeadline: 10, minRetryDelay: 0, maxRetryDelay: 0 } as const;

/** A service on a real port, with the push handler of whatever client is mounted. */
class Service {
  readonly finished: FinishedEvent[] = [];
  readonly statuses: number[] = [];
  readonly #app = express();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.#app.use((_, response, next) => {
      response.on("finish", () => this.statuses.push(response.statusCode));
      next();
    });
    server.on("request", this.#app);
  }

  static async open(): Promise<Service> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Service(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  mount(tasks: AnyTasks): void {
    this.#app.post("/tasks/pubsub", expressHandler(tasks));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The first dead letter of a client, once there is one. */
async function letterOf({ deadLetters }: Pick<ReturnType<typeof createTasks>, "deadLetters">): Promise<DeadLetter> {
  for (;;) {
    const [letter] = await deadLetters.list();
    if (letter !== undefined) return letter;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe.each(whoseAtHand())("a service whose tasks go through Pub/Sub, %s,", (whose) => {
  let side: Side;
  let service: Service;
  const closing: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    side = await Side.open(whose);
  });
  beforeEach(async () => {
    service = await Service.open();
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await service.close();
  });
  afterAll(() => side?.close());

  /** What a client is made with besides its routes, so that its pushes come to the service. */
  function around({ id }: { readonly id: string }, env: Record<string, string> = {}) {
    return {
      backend: pubsub(),
      auth: noAuth(),
      logger: silentLogger,
      hooks: { finished: (event: FinishedEvent) => void service.finished.push(event) },
      env: {
        PUBSUB_EMULATOR_HOST: side.host,
        GCP_PROJECT_ID: id,
        CLOUD_RUN_SERVICE_URL: service.url,
        TASKS_SERVICE_ACCOUNT: `push@${id}.iam.gserviceaccount.com`,
        ...env,
      },
    };
  }

  /** Closes a client after the test. */
  function adopt<T extends { close(): Promise<void> }>(tasks: T): T {
    closing.push(() => tasks.close());
    return tasks;
  }

  it("provisions, publishes, is pushed to, and answers 200", async () => {
    const seen: unknown[] = [];
    const greet = new TaskRoute({ path: "chat.greet", ...at, run: (payload) => void seen.push(payload) });
    const tasks = adopt(createTasks({ ...around(side.project()), routes: [greet] }));
    service.mount(tasks);
    const { results } = await tasks.provision();
    expect(results.map(({ change, status }) => [change.kind, change.action, status])).toEqual([
      ["topic", "create", "done"],
      ["topic", "create", "done"],
      ["subscription", "create", "done"],
      ["subscription", "create", "done"],
    ]);
    expect((await tasks.plan()).isEmpty).toBe(true);
    await tasks.enqueue(greet, { name: "Ada" });
    await until(() => service.statuses.length > 0, "the task to be pushed");
    expect([seen, service.statuses]).toEqual([[{ name: "Ada" }], [200]]);
  });

  it("has a failing task retried, kept as a dead letter, and redriven from there", async () => {
    let mended = false;
    const run = () => {
      if (!mended) throw new Error("not yet");
    };
    const fragile = new TaskRoute({ path: "chat.fragile", ...at, maxAttempts: 2, run });
    const tasks = adopt(createTasks({ ...around(side.project()), routes: [fragile] }));
    service.mount(tasks);
    await tasks.provision({ grants: "project" });
    const { id } = await tasks.enqueue(fragile, { name: "Ada" });
    const letter = await letterOf(tasks);
    // Google's emulator does not say which attempt it is: only its own count, with its headroom, ends the retries.
    const { reason, attempts, statuses } =
      whose === "ours"
        ? { reason: "exhausted", attempts: 2, statuses: [500, 200] }
        : { reason: "undeliverable", attempts: 10, statuses: Array(10).fill(500) };
    expect(letter).toMatchObject({ taskId: id, path: "chat.fragile", kwargs: { name: "Ada" }, reason, attempts });
    expect(service.statuses).toEqual(statuses);
    mended = true;
    expect(await tasks.deadLetters.redrive(id)).toBe(true);
    await until(() => service.finished.some(({ outcome }) => outcome.type === "done"), "the task to run again");
    expect(await tasks.deadLetters.list()).toEqual([]);
  });

  describe("that is deployed again", () => {
    const route = (settings: object = {}) => new TaskRoute({ path: "chat.greet", ...at, ...settings, run: () => {} });
    const deploy = (project: Project, only: ReturnType<typeof route>, env: Record<string, string> = {}) =>
      adopt(createTasks({ ...around(project, env), routes: [only] }));

    it("provisions what differs, and takes everything away", async () => {
      const project = side.project();
      await deploy(project, route()).provision({ grants: "project" });
      const again = deploy(project, route({ ackDeadline: 60, minRetryDelay: 5, maxRetryDelay: 50 }));
      const fields = (await again.plan()).changes.flatMap((change) => change.fields.map(({ field }) => field));
      expect(fields.sort()).toEqual(["ackDeadlineSeconds", "retryPolicy.maximumBackoff", "retryPolicy.minimumBackoff"]);
      await again.provision({ grants: "project" });
      expect((await again.plan()).isEmpty).toBe(true);
      await again.destroy();
      const { changes } = await again.plan();
      expect(changes.map(({ action }) => action)).toEqual(["create", "create", "create", "create"]);
    });

    it("as a newer generation provisions what differs, where labels can be changed and where not", async () => {
      const project = side.project();
      await deploy(project, route(), { TASKS_GENERATION: "1" }).provision();
      const newer = deploy(project, route({ ackDeadline: 60 }), { TASKS_GENERATION: "2" });
      await newer.provision();
      expect((await newer.plan()).isEmpty).toBe(true);
    });
  });
});
