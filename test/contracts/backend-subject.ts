import { expect } from "vitest";
import { isTasksError, type TasksErrorCode } from "../../src/core/errors.ts";
import { createScene, type OpenBackend, type Scene } from "../backends/scene.ts";
import { WatchedClock } from "../backends/watched-clock.ts";
import { QuickClock } from "./quick-clock.ts";

/** One implementation, as the contract opens it for each test. */
export interface BackendSubject {
  /** Whether `enqueue` runs the task itself: then nothing is retried, and time does not pass. */
  readonly inline: boolean;
  /** Whether what it has accepted is there for the next client, however this one ends. */
  readonly durable: boolean;
  /** Whether a delivery that was merely sent back counts as an attempt: nothing there tells one nack from another. */
  readonly countsNacks?: boolean;
  /** Whether what stands for the service in the cloud runs on the client's clock, and has timers of its own there. */
  readonly sharesClock?: boolean;
  open(clock: WatchedClock): OpenBackend | Promise<OpenBackend>;
}

/** The surroundings of one client of an implementation, whose `adopt` also makes what it needs. */
export async function openScene(subject: BackendSubject): Promise<ContractScene> {
  const clock = subject.sharesClock === true ? new QuickClock() : new WatchedClock();
  const opened = await subject.open(clock);
  const scene = createScene(opened, clock);
  return {
    ...scene,
    async adopt(tasks) {
      scene.adopt(tasks);
      await opened.prepare?.(tasks);
      return tasks;
    },
  };
}

type AdoptedScene = Scene<WatchedClock>;

/** A {@link Scene} whose clients are ready once they are adopted. */
export interface ContractScene extends Omit<AdoptedScene, "adopt"> {
  adopt<T extends Parameters<AdoptedScene["adopt"]>[0]>(tasks: T): Promise<T>;
}

/** Expects a promise to be rejected with a `TasksError` of a code. */
export async function expectRefusal(refused: Promise<unknown>, code: TasksErrorCode): Promise<void> {
  const error = await refused.catch((thrown: unknown) => thrown);
  expect(isTasksError(error) ? error.code : error).toBe(code);
}
