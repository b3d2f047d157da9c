import { TasksError } from "../core/errors.ts";
import { assertKnownOptions, OptionReader } from "../core/options.ts";
import type { EmulatorOptions } from "./index.ts";

const OPTIONS = [
  "port",
  "restPort",
  "host",
  "clock",
  "projects",
  "iam",
  "logger",
  "email",
] as const satisfies readonly (keyof EmulatorOptions)[];

const PORT = { min: 0, max: 65_535, whole: true };

/**
 * Checks the options of `startEmulator`.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export function assertEmulatorOptions(options: EmulatorOptions): void {
  assertKnownOptions("startEmulator", options, OPTIONS);
  const read: OptionReader = new OptionReader("startEmulator", options);
  read.number("port", PORT, 0);
  read.number("restPort", PORT, 0);
  read.text("host");
  read.oneOf("iam", ["strict", "off"]);
  const email = read.text("email");
  if (email !== undefined && !/^[^@\s]+@[^@\s]+$/.test(email)) read.fail("email", "an e-mail");
  for (const number of Object.values(options.projects ?? {}))
    if (!/^\d+$/.test(number)) read.fail("projects", "numbers of projects by their ids, as texts of digits");
}

/** What a port that cannot be opened means. */
export function portRefusal(error: unknown, host: string, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const refuse = (expected: string, got: string, advice: string) =>
    new TasksError("INVALID_OPTION", `startEmulator: expected ${expected}, got ${got}; ${advice}`, { cause: error });
  if (code === "EADDRINUSE")
    return refuse("a free port", `${host}:${port}, which is taken`, "stop what listens there, or name another port");
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return refuse("host to be an address of this machine", `"${host}"`, "leave it out for 127.0.0.1");
  if (code === "EACCES") return refuse("a port that may be opened", `${port}`, "name one of 1024 or more");
  return error;
}
