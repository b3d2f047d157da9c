import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { message, startChild } from "./child.ts";
import type { RivalCommand, RivalJob, RivalName, Turn } from "./rival-worker.ts";

/** Options of {@link RivalProcess}. */
export interface RivalProcessOptions {
  /** Tasks that wait in it all the time; only taskroute's queues take them. Default 0. */
  readonly waiting?: number;
  readonly execArgv?: readonly string[];
}

/** A task queue in a process of its own. */
export class RivalProcess {
  readonly #child: ChildProcess;

  constructor(name: RivalName, { waiting = 0, execArgv = [] }: RivalProcessOptions = {}) {
    this.#child = startChild("rival-worker.ts", [name, String(waiting)], execArgv);
  }

  /** Measures once; what it enqueues is gone afterwards. @throws Error when the process ends meanwhile. */
  async measure(job: RivalJob): Promise<Turn> {
    const answer = message<Turn>(this.#child);
    this.#tell(job);
    return answer;
  }

  /** Resolves when the process is gone, and what it left on its server or disk with it. */
  async close(): Promise<void> {
    if (!this.#child.connected) return;
    const gone = once(this.#child, "exit");
    this.#tell("close");
    await gone;
  }

  #tell(command: RivalCommand): void {
    this.#child.send(command);
  }
}
