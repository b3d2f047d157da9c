import { protos } from "@google-cloud/pubsub";
import { GRPC } from "../../src/google/status.ts";
import { type Answer, listen, loadGrpc, type Metadata, type UnaryCall } from "./grpc-server.ts";

const { PublishRequest, PublishResponse } = protos.google.pubsub.v1;

/** One publish call that has arrived, and how to answer it. */
export interface Arrival {
  readonly topic: string;
  readonly messages: readonly {
    readonly data: string;
    readonly attributes: Readonly<Record<string, string>>;
    readonly orderingKey: string;
  }[];
  readonly metadata: Metadata;
  /** When the client gives this attempt up, milliseconds since the epoch. */
  readonly deadline: number;
  /** Accepts it, with ids that count up. */
  accept(): void;
  refuse(code: keyof typeof GRPC, details: string): void;
}

/** What a server does with a call; a call that it leaves alone waits. */
export type Script = (arrival: Arrival, index: number) => void;

/** A gRPC server on a socket that has Pub/Sub's publish method and does what a script says. */
export class TopicServer {
  readonly host: string;
  /** Every call so far. */
  readonly arrivals: Arrival[] = [];
  script: Script = (arrival) => arrival.accept();
  readonly #stop: () => void;
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  #ids = 0;

  private constructor(port: number, stop: () => void) {
    this.host = `127.0.0.1:${port}`;
    this.#stop = stop;
  }

  static async open(port = 0): Promise<TopicServer> {
    const { Server, ServerCredentials } = loadGrpc();
    const server = new Server({ "grpc.max_receive_message_length": -1 });
    let receive: TopicServer["receive"] = () => {};
    server.register(
      "/google.pubsub.v1.Publisher/Publish",
      (call: UnaryCall<protos.google.pubsub.v1.PublishRequest>, answer: Answer<{ messageIds: string[] }>) =>
        receive(call, answer),
      (response) => Buffer.from(PublishResponse.encode(response).finish()),
      (bytes) => PublishRequest.decode(bytes),
      "unary",
    );
    const bound = await listen(server, ServerCredentials.createInsecure(), port);
    const opened = new TopicServer(bound, () => server.forceShutdown());
    receive = (call, answer) => opened.receive(call, answer);
    return opened;
  }

  /** Takes a call of the server's. */
  receive(call: UnaryCall<protos.google.pubsub.v1.PublishRequest>, answer: Answer<{ messageIds: string[] }>): void {
    const { request, metadata } = call;
    const arrival: Arrival = {
      topic: request.topic,
      messages: request.messages.map(({ data, attributes, orderingKey }) => ({
        data: Buffer.from(data as Uint8Array).toString(),
        attributes: attributes ?? {},
        orderingKey: orderingKey ?? "",
      })),
      metadata,
      deadline: Number(call.getDeadline()),
      accept: () => answer(null, { messageIds: request.messages.map(() => String(++this.#ids)) }),
      refuse: (code, details) => answer({ code: GRPC[code], details }),
    };
    this.arrivals.push(arrival);
    for (const waiter of this.#waiting) if (this.arrivals.length >= waiter.count) waiter.resolve();
    this.script(arrival, this.arrivals.length - 1);
  }

  /** Resolves once so many calls have arrived. */
  arrived(count: number): Promise<void> {
    if (this.arrivals.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  close(): void {
    this.#stop();
  }
}
