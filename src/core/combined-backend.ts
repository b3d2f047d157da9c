import type { Backend, Capabilities, OutgoingTask, PushTrust, Receipt } from "./backend.ts";
import { type DeadLetter, type DeadLetterBox, type DeadLetterSink, isBox } from "./dead-letter.ts";
import type { AnyRoute } from "./declaration.ts";
import { TasksError } from "./errors.ts";

/**
 * Several backends as one: each route goes to the one that its `via` names, else to the first.
 *
 * @throws TasksError `INVALID_CONFIG` when a route names one that is not among them.
 */
export function combined(backends: readonly [Backend, ...Backend[]], routes: readonly AnyRoute[]): Backend {
  const [first, ...others] = backends;
  for (const route of routes) assertCarried(route, backends);
  return others.length === 0 ? first : new CombinedBackend(backends, routes);
}

/** The backend that takes a route, if one does. A backend in this process stands for either service. */
export function carrierOf(
  { settings: { via } }: AnyRoute,
  backends: readonly [Backend, ...Backend[]],
): Backend | undefined {
  const [first] = backends;
  if (via === undefined || (first.name !== "pubsub" && first.name !== "cloud-tasks")) return first;
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
    const carrier = this.#of(route);
    return carrier.capabilitiesOf?.(route) ?? carrier.capabilities;
  }

  dedupedId(route: AnyRoute, dedupe: NonNullable<OutgoingTask["dedupe"]>, now: number): string | undefined {
    return this.#of(route).dedupedId?.(route, dedupe, now);
  }

  assertSendable(task: OutgoingTask): void {
    this.#of(task.route).assertSendable?.(task);
  }

  send(task: OutgoingTask): Receipt | Promise<Receipt> {
    return this.#of(task.route).send(task);
  }

  async sendMany(tasks: readonly OutgoingTask[]): Promise<readonly PromiseSettledResult<Receipt>[]> {
    const route = tasks[0]?.route;
    if (route === undefined) return [];
    const carrier = this.#of(route);
    if (carrier.sendMany !== undefined && tasks.every((task) => this.#of(task.route) === carrier))
      return carrier.sendMany(tasks);
    return Promise.allSettled(tasks.map(async (task) => this.send(task)));
  }

  async warm(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.warm?.()));
  }

  async start(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.start?.()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.close()));
  }

  #of(route: AnyRoute): Backend {
    return carrierOf(route, this.#backends) ?? this.#backends[0];
  }
}

/** The letters of all: each is kept by the backend of its route. */
function sharedLetters(backends: readonly [Backend, ...Backend[]], routes: readonly AnyRoute[]): DeadLetterBox {
  const boxes = [...new Set(backends.map(({ deadLetters }) => deadLetters).filter(isBox))];
  const any = async (ask: (box: DeadLetterBox) => Promise<boolean>): Promise<boolean> => {
    const answers = [];
    for (const box of boxes) answers.push(await ask(box));
    return answers.includes(true);
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
