import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";

/** A way to a server on which connections can die without either end being told, as behind a NAT gateway. */
export class SilentPath {
  readonly #server: Server;
  #connections = 0;
  #silentUpTo = 0;

  private constructor(to: string) {
    const [host, port] = to.split(":");
    this.#server = createServer((near) => {
      this.#connections += 1;
      const number = this.#connections;
      const far = connect(Number(port), host);
      const passes = () => number > this.#silentUpTo;
      near.on("data", (bytes) => passes() && far.write(bytes));
      far.on("data", (bytes) => passes() && near.write(bytes));
      for (const [end, other] of [
        [near, far],
        [far, near],
      ] as const) {
        end.on("error", () => {});
        end.on("close", () => other.destroy());
      }
    });
  }

  static async open(to: string): Promise<SilentPath> {
    const path = new SilentPath(to);
    await once(path.#server.listen(0, "127.0.0.1"), "listening");
    return path;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many connections there were. */
  get connections(): number {
    return this.#connections;
  }

  /** Lets nothing more through on the connections that there are. */
  fallSilent(): void {
    this.#silentUpTo = this.#connections;
  }

  close(): void {
    this.#server.close();
  }
}
