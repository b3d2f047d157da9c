import { once } from "node:events";
import { createServer } from "node:net";

/** A port that nobody listens on, so that no example disturbs what runs on your machine. A service knows its own port. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("expected a port, got none");
  return address.port;
}
