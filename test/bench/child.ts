import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Answer, Command, Framework, Variant } from "./server.ts";
import type { Credentials } from "./service.ts";

/** Starts a module of this folder in a process of its own, which ends when this one does. */
export function startChild(module: string, args: readonly string[], execArgv: readonly string[]): ChildProcess {
  return fork(new URL(module, import.meta.url), args, { execArgv: [...execArgv] });
}

/** The next message of a child. @throws Error when it exits instead. */
export function message<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null) => reject(new Error(`child: expected an answer, got exit code ${code}`));
    child.once("exit", gone);
    child.once("message", (answer) => {
      child.off("exit", gone);
      resolve(answer as T);
    });
  });
}

/** Runs a module of this folder that sends one message and ends; resolves when it is gone. */
export async function runChild<T>(module: string, job: object, execArgv: readonly string[] = []): Promise<T> {
  const child = startChild(module, [JSON.stringify(job)], execArgv);
  const gone = once(child, "exit");
  const result = await message<T>(child);
  await gone;
  return result;
}

/** What a {@link ServerProcess} serves. */
export interface ServerOptions {
  readonly framework: Framework;
  readonly variant: Variant;
  readonly credentials: Credentials;
  readonly execArgv?: readonly string[];
}

/** A server of `server.ts` in a process of its own. */
export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Serves for as long as `use` takes. */
  static async during<T>(options: ServerOptions, use: (server: ServerProcess) => Promise<T>): Promise<T> {
    const server = await ServerProcess.#start(options);
    try {
      return await use(server);
    } finally {
      await server.#close();
    }
  }

  static async #start({ framework, variant, credentials, execArgv = [] }: ServerOptions): Promise<ServerProcess> {
    const child = startChild("server.ts", [framework, variant, JSON.stringify(credentials)], execArgv);
    const answer = await message<Answer>(child);
    return new ServerProcess(child, "port" in answer ? answer.port : 0);
  }

  /** Microseconds of CPU that the server has used, in its own code and in the kernel's. */
  async cpu(): Promise<number> {
    const answered = message<Answer>(this.#child);
    this.#tell("cpu");
    const answer = await answered;
    return "cpu" in answer ? answer.cpu : 0;
  }

  /** Resolves when the process is gone, and has written its profile if it makes one. */
  async #close(): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#tell("close");
    await gone;
  }

  #tell(command: Command): void {
    this.#child.send(command);
  }
}
