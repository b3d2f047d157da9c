import type { Backend, Capabilities, OutgoingTask, PushTrust, Receipt } from "./backend.ts";
import { type DeadLetter, type DeadLetterBox, type DeadLetterSink, isBox } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import { isTasksError, TasksError } from "./errors.ts";

/** The values of `via`: only what one of them names can stand beside another backend. */
const SERVICES: readonly string[] = ["pubsub", "cloud-tasks"];

/**
 * Several backends as one: each route goes to the one that its `via` names, else to the first.
 *
 * @throws TasksError `INVALID_CONFIG` when a route names one that is not among them, or when one of them would never be
 * used.
 */
export function combined(backends: readonly [Backend, ...Backend[]], routes: readonly AnyRoute[]): Backend {
  const [first, ...others] = backends;
  if (others.length > 0) assertApart(backends);
  for (const route of routes) assertCarried(route, backends);
  return others.length === 0 ? first : new CombinedBackend(backends, routes);
}

/** Two of one name, or one in this process beside another, and no route could ever reach the second. */
function assertApart(backends: readonly Backend[]): void {
  const names = backends.map(({ name }) => name);
  if (new Set(names).size === names.length && names.every((name) => SERVICES.includes(name))) return;
  throw new TasksError(
    "INVALID_CONFIG",
    `backend: expected one, or pubsub() and cloudTasks() together, got ${names.join(" and ")}; leave out what no route could be sent by`,
  );
}

/** The backend that takes a route, if one does. A backend in this process stands for either service. */
export function carrierOf(
  { settings: { via } }: AnyRoute,
  backends: readonly [Backend, ...Backend[]],
): Backend | undefined {
  const [first] = backends;
  if (via === undefined || !SERVICES.includes(first.name)) return first;
  return backends.find(({ name }) => name === via);
}

function assertCarried(route: AnyRoute, backends: readonly [Backend, ...Backend[]]): void {
  if (carrierOf(route, backends) !== undefined) return;
  const got = backends.map(({ name }) => name).join(" and ");
  throw new TasksError(
    "INVALID_CONFIG",
    `"${route.path}": expected a backend for via: "${route.settings.via}", got ${got}; pass backend: [pubsub(), cloudTasks()] or set TASKS_BACKEND=pubsub,cloud-tasks`,
  );
}

class CombinedBackend implements Backend {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly deadLetters: DeadLetterSink | DeadLetterBox;
  declare readonly pushTrust?: PushTrust;
  readonly #backends: readonly [Backend, ...Backend[]];

  constructor(backends: readonly [Backend, ...Backend[]], routes: readonly AnyRoute[]) {
    this.#backends = backends;
    this.name = backends.map(({ name }) => name).join(",");
    this.capabilities = backends[0].capabilities;
    this.deadLetters = sharedLetters(backends, routes);
    const { pushTrust } = backends[0];
    if (pushTrust !== undefined) this.pushTrust = pushTrust;
  }

  capabilitiesOf(route: AnyRoute): Capabilities {
    const carrier = this.carrierOf(route);
    return carrier.capabilitiesOf?.(route) ?? carrier.capabilities;
  }

  dedupedId(route: AnyRoute, dedupe: NonNullable<OutgoingTask["dedupe"]>, now: number): string | undefined {
    return this.carrierOf(route).dedupedId?.(route, dedupe, now);
  }

  assertSendable(task: OutgoingTask): void {
    this.carrierOf(task.route).assertSendable?.(task);
  }

  send(task: OutgoingTask): Receipt | Promise<Receipt> {
    return this.carrierOf(task.route).send(task);
  }

  async sendMany(tasks: readonly OutgoingTask[]): Promise<readonly PromiseSettledResult<Receipt>[]> {
    const route = tasks[0]?.route;
    if (route === undefined) return [];
    const carrier = this.carrierOf(route);
    if (carrier.sendMany !== undefined && tasks.every((task) => this.carrierOf(task.route) === carrier))
      return carrier.sendMany(tasks);
    return Promise.allSettled(tasks.map(async (task) => this.send(task)));
  }

  async warm(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.warm?.()));
  }

  async start(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.start?.()));
  }

  /** Rejects only once all are closed, or could not be. */
  async close(): Promise<void> {
    valuesOf(await Promise.allSettled(this.#backends.map(async (backend) => backend.close())));
  }

  carrierOf(route: AnyRoute): Backend {
    return carrierOf(route, this.#backends) ?? this.#backends[0];
  }
}

/** @throws the first reason of those that were rejected. */
function valuesOf<T>(results: readonly PromiseSettledResult<T>[]): readonly T[] {
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

/** The letters of all: each is kept by the backend of its route. */
function sharedLetters(backends: readonly [Backend, ...Backend[]], routes: readonly AnyRoute[]): DeadLetterBox {
  const boxes = [...new Set(backends.map(({ deadLetters }) => deadLetters).filter(isBox))];
  /** Asks every box, whatever another says; a letter that one of them does not know may well be in the next. */
  const any = async (ask: (box: DeadLetterBox) => Promise<boolean>): Promise<boolean> => {
    const answers = await Promise.allSettled(boxes.map(async (box) => ask(box)));
    const found = answers.some((answer) => answer.status === "fulfilled" && answer.value);
    const isStranger = (answer: PromiseSettledResult<boolean>) =>
      answer.status === "rejected" && isTasksError(answer.reason, "UNKNOWN_ROUTE");
    return valuesOf(found ? answers.filter((answer) => !isStranger(answer)) : answers).includes(true);
  };
  return {
    park(letter: DeadLetter) {
      const route = routes.find(({ path }) => path === letter.path);
      const sink = (route === undefined ? backends[0] : (carrierOf(route, backends) ?? backends[0])).deadLetters;
      if (sink === undefined)
        throw new TasksError(
          "UNSUPPORTED",
          `dead letter of "${letter.path}": expected a backend that keeps it, got none; use another backend`,
        );
      return sink.park(letter);
    },
    async list() {
      const lists = await Promise.all(boxes.map((box) => box.list()));
      return lists.flat().sort((a, b) => a.parkedAt - b.parkedAt);
    },
    redrive: (taskId) => any((box) => box.redrive(taskId)),
    drop: (taskId) => any((box) => box.drop(taskId)),
  };
}
