import { Agent, type ClientRequest, request as httpRequest } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import type { Clock } from "../core/clock.ts";
import { ACKNOWLEDGING, PROCESSING } from "../engine/push-client.ts";
import type { PushContent } from "./pubsub-push-body.ts";

/** Posts pushes over kept-alive connections. */
export class PushSender {
  readonly #clock: Clock;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #secureAgent = new SecureAgent({ keepAlive: true });
  readonly #underWay = new Set<ClientRequest>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Posts, and resolves to `undefined` once the push is acknowledged, else to what stands in the way. Never rejects.
   *
   * @param timeout milliseconds of the clock until the push counts as unanswered.
   */
  send(url: string, content: PushContent, timeout: number): Promise<Error | undefined> {
    return new Promise((resolve) => this.#post(url, content, timeout, resolve));
  }

  /** Cuts every push that is under way, and sends no more. */
  close(): void {
    this.#closed = true;
    for (const outgoing of this.#underWay) outgoing.destroy(new Error("the emulator was closed"));
    this.#agent.destroy();
    this.#secureAgent.destroy();
  }

  #post(url: string, content: PushContent, timeout: number, resolve: (refusal: Error | undefined) => void): void {
    if (this.#closed) {
      resolve(new Error("the emulator was closed"));
      return;
    }
    const outgoing = this.#open(url, content);
    this.#underWay.add(outgoing);
    const begun = this.#clock.now();
    const late = () => outgoing.destroy(new Error("no answer within the ack deadline"));
    const deadline = this.#clock.setTimeout(late, timeout);
    const settle = (refusal: Error | undefined) => {
      this.#clock.clearTimeout(deadline);
      this.#underWay.delete(outgoing);
      resolve(refusal);
    };
    outgoing.on("information", ({ statusCode }) => {
      // HTTP lets a further answer follow, which says nothing more to Pub/Sub.
      if (statusCode === PROCESSING) settle(undefined);
    });
    outgoing.on("response", (response) => {
      const { statusCode: status = 0 } = response;
      response.resume();
      response.on("end", () =>
        settle(ACKNOWLEDGING.has(status) ? undefined : new Error(`the endpoint answered ${status}`)),
      );
      response.on("error", settle);
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      // The server closed an idle connection at the moment at which it was used again: nothing was received.
      if (!outgoing.reusedSocket || error.code !== "ECONNRESET" || this.#closed) settle(error);
      else {
        this.#clock.clearTimeout(deadline);
        this.#underWay.delete(outgoing);
        this.#post(url, content, timeout - (this.#clock.now() - begun), resolve);
      }
    });
    outgoing.end(content.body);
  }

  #open(url: string, { headers, body }: PushContent): ClientRequest {
    const isSecure = url.toLowerCase().startsWith("https:");
    const options = { method: "POST", headers: { ...headers, "content-length": String(Buffer.byteLength(body)) } };
    return isSecure
      ? secureRequest(url, { ...options, agent: this.#secureAgent })
      : httpRequest(url, { ...options, agent: this.#agent });
  }
}
