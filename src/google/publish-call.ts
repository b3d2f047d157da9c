/** Metadata of a gRPC call. */
interface Metadata {
  set(name: string, value: string): void;
  clone(): Metadata;
}

/** What is used of google-gax here. */
export interface CallParts {
  readonly version: string;
  readonly grpc: { readonly Metadata: new () => Metadata };
}

/** What is used of a client of grpc-js, which is what a generated client calls. */
export interface Stub {
  makeUnaryRequest(
    path: string,
    serialize: (request: Buffer) => Buffer,
    deserialize: (response: Buffer) => Buffer,
    request: Buffer,
    metadata: Metadata,
    options: { readonly deadline: number },
    done: (error: Error | null, response?: Buffer) => void,
  ): unknown;
  waitForReady(deadline: number, done: (error?: Error) => void): void;
}

/**
 * Publishes a request that is already protobuf, in one attempt of at most `timeout` milliseconds; resolves to the bytes
 * of the response. Rejects with the error of grpc-js.
 */
export interface PublishCall {
  (topic: string, request: Buffer, timeout: number): Promise<Buffer>;
  /** Resolves once there is a connection, or after `timeout` milliseconds without one. */
  connected(timeout: number): Promise<void>;
}

const PUBLISH = "/google.pubsub.v1.Publisher/Publish";

function asItIs(bytes: Buffer): Buffer {
  return bytes;
}

/**
 * The publish method of a generated client, without the layers above gRPC: they cost more than a small message does
 * itself. Credentials are the channel's and the routing header is the same; retries are the caller's.
 */
export function publishCallOf(stub: Stub, parts: CallParts): PublishCall {
  const headers = new Map<string, Metadata>();
  const metadataOf = (topic: string): Metadata => {
    const metadata = headers.get(topic) ?? headersOf(topic, parts);
    headers.set(topic, metadata);
    return metadata.clone();
  };
  const call = (topic: string, request: Buffer, timeout: number): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + timeout };
      stub.makeUnaryRequest(PUBLISH, asItIs, asItIs, request, metadataOf(topic), options, (error, response) => {
        if (error === null && response !== undefined) resolve(response);
        else reject(error);
      });
    });
  const connected = (timeout: number): Promise<void> =>
    new Promise((resolve) => stub.waitForReady(Date.now() + timeout, () => resolve()));
  return Object.assign(call, { connected });
}

function headersOf(topic: string, { grpc, version }: CallParts): Metadata {
  const metadata = new grpc.Metadata();
  metadata.set("x-goog-api-client", `gl-node/${process.versions.node} gax/${version}`);
  // Google routes the call by it: google.aip.dev/client-libraries/4222
  metadata.set("x-goog-request-params", `topic=${encodeURIComponent(topic)}`);
  return metadata;
}
