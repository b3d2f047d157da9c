import { connect, createServer, type Socket } from "node:net";
import { startEmulator } from "../../src/emulator/index.ts";

/** Answer of this process, once it serves. */
export interface ProvisionServer {
  readonly port: number;
}

/** Passes on what comes in, `ms` milliseconds later and in order. */
function delayed(from: Socket, to: Socket, ms: number): void {
  from.on("data", (chunk) => setTimeout(() => to.writable && to.write(chunk), ms));
  from.on("close", () => setTimeout(() => to.destroy(), ms));
  from.on("error", () => to.destroy());
}

const latency = Number(process.argv[2]);
const emulator = await startEmulator();
const server = createServer((client) => {
  const upstream = connect(emulator.port, emulator.host);
  client.setNoDelay(true);
  upstream.setNoDelay(true);
  delayed(client, upstream, latency);
  delayed(upstream, client, 0);
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const answer: ProvisionServer = { port: typeof address === "object" && address !== null ? address.port : 0 };
  process.send?.(answer);
});
process.once("disconnect", () => process.exit());
