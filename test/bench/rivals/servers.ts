import { once } from "node:events";
import { connect } from "node:net";

/** A server that some of the rivals need. */
export type Server = "Redis" | "PostgreSQL";

interface Address {
  readonly variable: string;
  readonly url: string;
}

const ADDRESSES: Record<Server, Address> = {
  Redis: { variable: "REDIS_URL", url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379" },
  PostgreSQL: {
    variable: "DATABASE_URL",
    url: process.env.DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres",
  },
};

const DEFAULT_PORTS: Record<Server, number> = { Redis: 6379, PostgreSQL: 5432 };
const PATIENCE_MS = 2000;

/** Where a server is: what the environment says, else this machine. */
export function addressOf(server: Server): string {
  return ADDRESSES[server].url;
}

/** Why a server cannot be used, in a line; `undefined` when something listens there. */
export async function absence(server: Server): Promise<string | undefined> {
  const { variable, url } = ADDRESSES[server];
  const { hostname, port } = new URL(url);
  const target = { host: hostname, port: port === "" ? DEFAULT_PORTS[server] : Number(port) };
  const socket = connect(target);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(PATIENCE_MS) });
    return undefined;
  } catch {
    return `nothing listens at ${target.host}:${target.port} (set ${variable} to where ${server} is)`;
  } finally {
    socket.destroy();
  }
}
