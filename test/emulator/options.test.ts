import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { isTasksError } from "../../src/core/errors.ts";
import { startEmulator } from "../../src/emulator/index.ts";

const server = createServer();

afterEach(() => {
  server.close();
});

async function refusal(options: object): Promise<string> {
  const error = await startEmulator(options).catch((thrown: unknown) => thrown);
  expect(isTasksError(error, "INVALID_OPTION"), String(error)).toBe(true);
  return (error as Error).message;
}

describe("an emulator", () => {
  it.each<[options: object, text: string]>([
    [{ prot: 1 }, "startEmulator: unknown option prot, did you mean port?"],
    [{ port: "8085" }, 'startEmulator: expected port to be a whole number of 0–65535, got "8085"'],
    [{ restPort: 80_850 }, "startEmulator: expected restPort to be a whole number of 0–65535, got 80850"],
    [{ iam: "strikt" }, 'startEmulator: expected iam to be "strict" or "off", got "strikt"'],
    [{ email: "nobody" }, 'startEmulator: expected email to be an e-mail, got "nobody"'],
    [{ projects: { p: "one" } }, "startEmulator: expected projects to be numbers of projects by their ids"],
    [{ host: "203.0.113.1" }, 'startEmulator: expected host to be an address of this machine, got "203.0.113.1"'],
  ])("refuses %j", async (options, text) => {
    expect(await refusal(options)).toContain(text);
  });

  it("says that a port is taken", async () => {
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    expect(await refusal({ restPort: port })).toBe(
      `startEmulator: expected a free port, got 127.0.0.1:${port}, which is taken; stop what listens there, or name another port`,
    );
  });
});
