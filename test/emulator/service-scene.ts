import { IamPolicies } from "../../src/emulator/iam.ts";
import { Projects } from "../../src/emulator/projects.ts";
import type { EmulatorScope, OutgoingMessage, Service } from "../../src/emulator/service.ts";
import { RpcError } from "../../src/emulator/status.ts";
import { VirtualClock } from "../../src/engine/clock.ts";
import { Engine } from "../../src/engine/engine.ts";
import { createIdentity, type Identity } from "../../src/engine/identity.ts";
import { type LogLine, recordLog } from "../support/log.ts";

/** An answer, with the fields that several tests read. */
export interface Answer {
  readonly name?: string;
  readonly nextPageToken?: string;
  readonly queues?: readonly Answer[];
  readonly tasks?: readonly Answer[];
  readonly jobs?: readonly Answer[];
  readonly responseCount?: number;
  readonly bindings?: readonly object[];
  readonly scheduleTime?: { readonly seconds: number };
  readonly [field: string]: unknown;
}

let signer: Promise<Identity> | undefined;

/** A service on virtual time, called as the server calls it. */
export class ServiceScene {
  readonly clock: VirtualClock;
  readonly engine: Engine;
  readonly identity: Identity;
  /** What was published, by topic. */
  readonly published: { readonly topic: string; readonly message: OutgoingMessage }[] = [];
  readonly service: Service;
  /** What was logged. */
  readonly lines: readonly LogLine[];
  /** What publishing fails with. */
  publishError: Error | undefined;

  private constructor(identity: Identity, make: (scope: EmulatorScope) => Service, clock: VirtualClock) {
    this.clock = clock;
    this.identity = identity;
    const { logger, lines } = recordLog();
    this.lines = lines;
    const nobody = { routes: [], logger, generation: 0, deliver: () => Promise.reject(), skipped: () => {} };
    this.engine = new Engine(nobody, { clock, maxInFlight: 10_000 });
    this.service = make({
      clock,
      logger,
      identity,
      engine: this.engine,
      iam: new IamPolicies(),
      projects: new Projects(undefined),
      checksGrants: false,
      publish: async (topic, message) => {
        if (this.publishError !== undefined) throw this.publishError;
        this.published.push({ topic, message });
        return "1";
      },
    });
  }

  static async open(
    make: (scope: EmulatorScope) => Service,
    clock: VirtualClock = new VirtualClock(),
  ): Promise<ServiceScene> {
    signer ??= createIdentity({ email: "emulator@taskroute.invalid" });
    return new ServiceScene(await signer, make, clock);
  }

  /** Calls a method, and resolves to its answer. */
  async call(method: string, request: object): Promise<Answer> {
    const run = this.service.methods[method];
    if (run === undefined) throw new Error(`expected a method ${method}`);
    return (await run(request as never)) as Answer;
  }

  /** The code and text that a call fails with. */
  async failure(method: string, request: object): Promise<string> {
    try {
      await this.call(method, request);
    } catch (error) {
      if (error instanceof RpcError) return `${error.code} ${error.message}`;
      throw error;
    }
    return "none";
  }

  /** Lets time pass, in seconds. */
  pass(seconds: number): Promise<void> {
    return this.clock.advance(seconds * 1000);
  }

  async close(): Promise<void> {
    await this.service.close?.();
    this.engine.close();
  }
}
