import type { Socket } from "node:net";
import type { Call, Calls } from "./calls.ts";
import type { DuplexCall, GrpcError, GrpcServer, MessageType, MethodDefinition, UnaryCall } from "./protobuf.ts";
import type { Protos } from "./protos.ts";
import type { Stream } from "./service.ts";
import { CODES, RpcError } from "./status.ts";

/** The form that requests have within the emulator, see service.ts. */
const PLAIN = { enums: String, longs: Number, bytes: Buffer };
/** Limits of size are the services' to set, with texts of their own. */
const NO_LIMIT = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

/** Answers calls over gRPC, on connections that somebody else has accepted. */
export class GrpcFront {
  readonly #server: GrpcServer;
  readonly #injector: { injectConnection(socket: object): void; destroy(): void };
  readonly #protos: Protos;
  readonly #calls: Calls;

  constructor(protos: Protos, calls: Calls) {
    this.#protos = protos;
    this.#calls = calls;
    const { grpc } = protos;
    this.#server = new grpc.Server(NO_LIMIT);
    for (const [service, list] of Map.groupBy(calls.all, (call) => call.service)) {
      const definition = Object.fromEntries(list.map((call) => [call.name, definitionOf(service, call)]));
      const handlers = Object.fromEntries(list.map((call) => [call.name, this.#handlerOf(call)]));
      this.#server.addService(definition, handlers);
    }
    this.#injector = this.#server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  }

  /** Takes a connection over. */
  accept(socket: Socket): void {
    this.#injector.injectConnection(socket);
  }

  /** Ends every call and connection. */
  close(): void {
    this.#injector.destroy();
    this.#server.forceShutdown();
  }

  #handlerOf(call: Call): (call: never, callback: never) => void {
    if (call.isStream) return (duplex: DuplexCall) => this.#calls.open(call, this.#streamOf(duplex));
    return ({ request }: UnaryCall, callback: (error: GrpcError | null, answer?: object) => void) => {
      this.#calls.invoke(call, request).then(
        (answer) => callback(null, answer),
        (error: unknown) => callback(this.#errorOf(error)),
      );
    };
  }

  #streamOf(duplex: DuplexCall): Stream {
    let isEnded = false;
    const stream: Stream = {
      onRequest: () => {},
      onEnd: () => {},
      onDrain: () => {},
      send: (answer) => isEnded || duplex.write(answer),
      end: (error) => {
        if (isEnded) return;
        isEnded = true;
        if (error === undefined) duplex.end();
        else duplex.emit("error", this.#errorOf(error));
      },
    };
    const gone = () => {
      isEnded = true;
      stream.onEnd();
    };
    duplex.on("data", (request) => stream.onRequest(request));
    duplex.on("drain", () => stream.onDrain());
    duplex.on("end", () => {
      stream.onEnd();
      stream.end();
    });
    duplex.on("cancelled", gone);
    duplex.on("error", gone);
    return stream;
  }

  #errorOf(error: unknown): GrpcError {
    if (!(error instanceof RpcError)) return { code: CODES.INTERNAL, details: "Internal error encountered." };
    const { code, message, details } = error;
    if (details.length === 0) return { code, details: message };
    const metadata = new this.#protos.grpc.Metadata();
    metadata.set("grpc-status-details-bin", this.#encodedStatus(error));
    return { code, details: message, metadata };
  }

  #encodedStatus({ code, message, details }: RpcError): Buffer {
    const encode = (type: MessageType, plain: object) => type.encode(type.fromObject(plain)).finish();
    const packed = details.map((detail) => {
      const { "@type": url, ...fields } = detail as { readonly "@type": string };
      const name = url.slice(url.lastIndexOf("/") + 1);
      return { type_url: url, value: encode(this.#protos.status.lookupType(name), fields) };
    });
    return Buffer.from(encode(this.#protos.status.lookupType("google.rpc.Status"), { code, message, details: packed }));
  }
}

/** Answers, and never is asked to read them. */
function definitionOf(service: string, { name, types, isStream }: Call): MethodDefinition {
  const decode = (type: MessageType | undefined) => (bytes: Uint8Array) =>
    type === undefined ? {} : type.toObject(type.decode(bytes), PLAIN);
  const encode = (type: MessageType | undefined) => (plain: object) =>
    type === undefined ? Buffer.alloc(0) : type.encode(type.fromObject(plain)).finish();
  return {
    path: `/${service}/${name}`,
    requestStream: isStream,
    responseStream: isStream,
    requestDeserialize: decode(types?.request),
    requestSerialize: encode(types?.request),
    responseDeserialize: decode(types?.response),
    responseSerialize: encode(types?.response),
  };
}
