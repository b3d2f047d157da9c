import { createRequire } from "node:module";

/** What is used of grpc-js, which Google's clients carry through google-gax. */
export interface Grpc {
  readonly Server: new (options?: Readonly<Record<string, number>>) => GrpcServer;
  readonly ServerCredentials: { createInsecure(): unknown };
}

/** Metadata of a call. */
export interface Metadata {
  get(name: string): readonly (string | Buffer)[];
}

/** A unary call as a handler gets it. */
export interface UnaryCall<Request> {
  readonly request: Request;
  readonly metadata: Metadata;
  getDeadline(): Date | number;
}

/** Answers a call: with an error that has a code and details, or with a response. */
export type Answer<Response> = (error: { code: number; details: string } | null, response?: Response) => void;

interface GrpcServer {
  register<Request, Response>(
    path: string,
    handler: (call: UnaryCall<Request>, answer: Answer<Response>) => void,
    serialize: (response: Response) => Buffer,
    deserialize: (bytes: Buffer) => Request,
    type: "unary",
  ): boolean;
  bindAsync(address: string, credentials: unknown, bound: (error: Error | null, port: number) => void): void;
  forceShutdown(): void;
}

/** The copy of grpc-js that the Pub/Sub client uses. */
export function loadGrpc(): Grpc {
  const client = createRequire(createRequire(import.meta.url).resolve("@google-cloud/pubsub"));
  return (client("google-gax") as { readonly grpc: Grpc }).grpc;
}

/** Binds a server to a free port of this machine. */
export function listen(server: GrpcServer, credentials: unknown, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
}
