import type { Backend, BackendFactory, Capabilities, OutgoingTask, Receipt } from "../../src/core/backend.ts";
import type { DeadLetter, DeadLetterSink } from "../../src/core/dead-letter.ts";
import type { Delivery } from "../../src/core/delivery.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { RuntimeOptions } from "../../src/core/runtime-options.ts";
import type { AnyTasks } from "../../src/core/tasks.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { arrivingBy } from "./arriving.ts";
import { type LogLine, recordLog } from "./log.ts";

const EVERYTHING: Capabilities = {
  delay: true,
  dedupe: true,
  priority: true,
  ordering: true,
  durable: true,
  results: true,
  overlap: true,
};

/** A backend that can do nothing but take a task. */
export const NOTHING: Capabilities = {
  delay: false,
  dedupe: false,
  priority: false,
  ordering: false,
  durable: false,
  results: false,
  overlap: false,
};

/** What a test sees of a client: its time, its log, and what reached its backend. */
export interface Scene {
  /** To be spread into `createTasks`. */
  readonly options: RuntimeOptions &
    Required<Pick<RuntimeOptions, "env" | "logger">> & { readonly backend: BackendFactory };
  readonly clock: VirtualClock;
  readonly lines: LogLine[];
  readonly sent: OutgoingTask[];
  /** Dead letters, oldest first. */
  readonly letters: DeadLetter[];
}

/** Options of {@link createScene}. */
export interface SceneOptions {
  readonly capabilities?: Capabilities;
  /** Where tasks are parked; `null` means nowhere. Default: in `letters`. */
  readonly deadLetters?: DeadLetterSink | null;
  readonly env?: Record<string, string | undefined>;
  /** Default: accepts every task. */
  readonly send?: (task: OutgoingTask) => Receipt | Promise<Receipt>;
  readonly overrides?: Partial<Backend>;
}

/** A client's surroundings on a virtual clock, over a backend that takes tasks and delivers none. */
export function createScene(options: SceneOptions = {}): Scene {
  const { logger, lines } = recordLog();
  const clock = new VirtualClock();
  const sent: OutgoingTask[] = [];
  const letters: DeadLetter[] = [];
  const sink: DeadLetterSink | null =
    options.deadLetters === undefined ? { park: (letter) => void letters.push(letter) } : options.deadLetters;
  const backend: BackendFactory = () => ({
    name: "fake",
    capabilities: options.capabilities ?? EVERYTHING,
    send(task) {
      sent.push(task);
      return options.send?.(task) ?? { id: task.id, deduplicated: false };
    },
    ...(sink === null ? {} : { deadLetters: sink }),
    close: () => Promise.resolve(),
    ...options.overrides,
  });
  return { options: { backend, clock, logger, env: options.env ?? {} }, clock, lines, sent, letters };
}

/** Delivers one message to a client's executor, as a transport would. */
export function deliver(tasks: AnyTasks, overrides: Partial<Delivery> & Pick<Delivery, "taskName">): Promise<Outcome> {
  const { clock, executor } = tasks.runtime;
  return executor.execute(arrivingBy("pubsub", { receivedAt: clock.now(), ...overrides }));
}
