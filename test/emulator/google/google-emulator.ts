import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";

const LAUNCHER = "platform/pubsub-emulator/bin/cloud-pubsub-emulator";
/** Variable that leaves it out where it is at hand. */
const SWITCH = "GOOGLE_PUBSUB_EMULATOR";
const HOST = "127.0.0.1";
/** Runs a command until the standard input ends, as it does whatever becomes of this process. */
const GUARDED = 'exec 3<&0; "$0" "$@" </dev/null & child=$!; (read -r _ <&3; kill -9 $child) & wait $child';
/** A Java machine takes seconds to start where others work as well. */
const START_MS = 90_000;

/** Where Google's Pub/Sub emulator is on this machine, or why it cannot be used. */
export type Found = { readonly launcher: string } | { readonly missing: string };

/** Looks for Google's emulator in the Google Cloud SDK that the PATH leads to, and for the Java that it needs. */
export function findGoogleEmulator(): Found {
  if (process.env[SWITCH] === "off") return { missing: `${SWITCH} is off` };
  const root = sdkRoot();
  if (root === undefined) return { missing: "there is no gcloud" };
  const launcher = join(root, LAUNCHER);
  if (!existsSync(launcher)) return { missing: "gcloud has no component pubsub-emulator" };
  const java = process.env.JAVA_HOME === undefined ? "java" : join(process.env.JAVA_HOME, "bin/java");
  return works(java, "-version") ? { launcher } : { missing: "there is no Java" };
}

function sdkRoot(): string | undefined {
  // Where a package manager put it; asking gcloud takes a second.
  const usual = ["/usr/lib/google-cloud-sdk", "/usr/lib64/google-cloud-sdk"];
  const known = usual.find((root) => existsSync(join(root, LAUNCHER)));
  if (known !== undefined) return known;
  const paths = (process.env.PATH ?? "").split(delimiter);
  const gcloud = paths.map((path) => join(path, "gcloud")).find((file) => existsSync(file));
  if (gcloud === undefined) return undefined;
  try {
    return execFileSync(gcloud, ["info", "--format=value(installation.sdk_root)"], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

function works(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Google's emulator as it runs: gRPC and REST on one port. */
export class GoogleEmulator {
  readonly host: string = HOST;
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** Starts it on a port that is free, and resolves once it answers. */
  static async start(launcher: string): Promise<GoogleEmulator> {
    const port = await freePort();
    const child = spawn("sh", ["-c", GUARDED, launcher, `--host=${HOST}`, `--port=${port}`], {
      env: { ...process.env, JAVA_OPTS: "-Xmx512m" },
      stdio: ["pipe", "ignore", "pipe"],
      // A process group of its own, so that whatever it starts ends with it.
      detached: true,
    });
    const emulator = new GoogleEmulator(port, child);
    process.on("exit", emulator.#kill);
    const said: string[] = [];
    child.stderr?.on("data", (chunk) => said.push(String(chunk)));
    try {
      await emulator.#answers();
      return emulator;
    } catch (error) {
      await emulator.close();
      throw new Error(`Google's Pub/Sub emulator did not start; it said: ${said.join("")}`, { cause: error });
    }
  }

  async #answers(): Promise<void> {
    const until = performance.now() + START_MS;
    for (;;) {
      if (this.#isOver) throw new Error("the process has ended");
      try {
        if ((await fetch(`http://${HOST}:${this.port}/`)).ok) return;
      } catch (error) {
        if (performance.now() > until) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  get #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  readonly #kill = (): void => {
    const { pid } = this.#child;
    if (pid === undefined || this.#isOver) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  };

  /** Ends it: it keeps nothing. */
  async close(): Promise<void> {
    const over = this.#isOver ? undefined : new Promise((resolve) => this.#child.once("exit", resolve));
    this.#kill();
    process.off("exit", this.#kill);
    await over;
  }
}

/** A port that nobody listens on just now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("expected a port of TCP");
  return address.port;
}
