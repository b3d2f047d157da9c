import { protos } from "@google-cloud/tasks";
import { GRPC } from "../../src/google/status.ts";
import { type Answer, listen, loadGrpc, type Metadata, type UnaryCall } from "./grpc-server.ts";

const { CreateTaskRequest, Task } = protos.google.cloud.tasks.v2;
type Created = protos.google.cloud.tasks.v2.ITask;

/** One create that has arrived, and how to answer it. */
export interface CreateCall {
  readonly parent: string;
  readonly task: Created;
  readonly metadata: Metadata;
  /** When the client gives this try up, milliseconds since the epoch. */
  readonly deadline: number;
  accept(): void;
  refuse(code: keyof typeof GRPC, details: string): void;
}

/** A gRPC server on a socket that has CreateTask of Cloud Tasks and does what a script says; a call left alone waits. */
export class QueueServer {
  readonly host: string;
  readonly calls: CreateCall[] = [];
  script: (call: CreateCall, index: number) => void = (call) => call.accept();
  readonly #stop: () => void;
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  private constructor(port: number, stop: () => void) {
    this.host = `127.0.0.1:${port}`;
    this.#stop = stop;
  }

  static async open(): Promise<QueueServer> {
    const { Server, ServerCredentials } = loadGrpc();
    const server = new Server({ "grpc.max_receive_message_length": -1 });
    let receive: QueueServer["receive"] = () => {};
    server.register(
      "/google.cloud.tasks.v2.CloudTasks/CreateTask",
      (call: UnaryCall<protos.google.cloud.tasks.v2.CreateTaskRequest>, answer: Answer<Created>) =>
        receive(call, answer),
      (response) => Buffer.from(Task.encode(response).finish()),
      (bytes) => CreateTaskRequest.decode(bytes),
      "unary",
    );
    const bound = await listen(server, ServerCredentials.createInsecure());
    const opened = new QueueServer(bound, () => server.forceShutdown());
    receive = (call, answer) => opened.receive(call, answer);
    return opened;
  }

  /** Takes a call of the server's. */
  receive(call: UnaryCall<protos.google.cloud.tasks.v2.CreateTaskRequest>, answer: Answer<Created>): void {
    const { parent, task } = call.request;
    const arrived: CreateCall = {
      parent,
      task: task ?? {},
      metadata: call.metadata,
      deadline: Number(call.getDeadline()),
      accept: () => answer(null, { name: task?.name || `${parent}/tasks/1` }),
      refuse: (code, details) => answer({ code: GRPC[code], details }),
    };
    this.calls.push(arrived);
    for (const waiter of this.#waiting) if (this.calls.length >= waiter.count) waiter.resolve();
    this.script(arrived, this.calls.length - 1);
  }

  /** Resolves once so many calls have arrived. */
  arrived(count: number): Promise<void> {
    if (this.calls.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  close(): void {
    this.#stop();
  }
}
