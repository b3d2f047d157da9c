import type { Backend, BackendFactory, BackendHost } from "../../src/core/backend.ts";
import type { DeadLetter, DeadLetterBox } from "../../src/core/dead-letter.ts";
import { NOTHING } from "../support/scene.ts";

/** Letters in memory, by task id. */
class Box implements DeadLetterBox {
  readonly letters: DeadLetter[] = [];
  park(letter: DeadLetter): void {
    this.letters.push(letter);
  }
  async list(): Promise<readonly DeadLetter[]> {
    return this.letters;
  }
  redrive(taskId: string): Promise<boolean> {
    return this.drop(taskId);
  }
  async drop(taskId: string): Promise<boolean> {
    const at = this.letters.findIndex((letter) => letter.taskId === taskId);
    if (at >= 0) this.letters.splice(at, 1);
    return at >= 0;
  }
}

/** A backend that writes down what it is asked. */
export class RecordedBackend {
  readonly sent: string[] = [];
  readonly calls: string[] = [];
  readonly box: Box = new Box();
  host: BackendHost | undefined;
  readonly #backend: Partial<Backend> & Pick<Backend, "name">;

  constructor(backend: Partial<Backend> & Pick<Backend, "name">) {
    this.#backend = backend;
  }

  readonly factory: BackendFactory = (host) => {
    this.host = host;
    return {
      capabilities: { ...NOTHING, durable: true },
      send: (task) => {
        this.sent.push(task.route.path);
        return { id: task.id, deduplicated: false };
      },
      warm: async () => void this.calls.push("warm"),
      start: async () => void this.calls.push("start"),
      deadLetters: this.box,
      close: async () => void this.calls.push("close"),
      ...this.#backend,
    };
  };
}
