/**
 * The parts of protobufjs and grpc-js that the emulator uses, as they come with Google's client packages. Neither is a
 * dependency of this package, so their types stand here.
 */

/** A type of message, or of an enum, as protobufjs reflects it. */
export type FieldType = MessageType | EnumType;

/** One field of a message. Its name is in camelCase. */
export interface Field {
  readonly name: string;
  readonly type: string;
  readonly repeated: boolean;
  readonly map: boolean;
  readonly resolvedType: FieldType | null;
  readonly partOf: object | null;
  resolve(): Field;
}

/** An enum. */
export interface EnumType {
  readonly values: Readonly<Record<string, number>>;
  readonly valuesById: Readonly<Record<number, string>>;
}

/** A type of message. */
export interface MessageType {
  readonly fullName: string;
  readonly fields: Readonly<Record<string, Field>>;
  decode(bytes: Uint8Array): object;
  encode(message: object): { finish(): Uint8Array };
  fromObject(plain: object): object;
  toObject(message: object, options: object): object;
}

/** A method of a service. */
export interface MethodReflection {
  readonly name: string;
  readonly requestStream?: boolean;
  readonly responseStream?: boolean;
  readonly resolvedRequestType: MessageType | null;
  readonly resolvedResponseType: MessageType | null;
  readonly parsedOptions?: readonly Readonly<Record<string, unknown>>[] | null;
  resolve(): MethodReflection;
}

/** A service. */
export interface ServiceReflection {
  readonly methods: Readonly<Record<string, MethodReflection>>;
}

/** A set of protos. */
export interface Root {
  /** Throws when there is none of that name. */
  lookupService(name: string): ServiceReflection;
  lookupType(name: string): MessageType;
}

/** The part of protobufjs that makes sets of protos. */
export interface Protobuf {
  readonly Root: { fromJSON(json: object): Root };
}

/** Metadata of a call. */
export interface Metadata {
  set(key: string, value: string | Uint8Array): void;
}

/** What a call over gRPC fails with. */
export interface GrpcError {
  readonly code: number;
  readonly details: string;
  readonly metadata?: Metadata;
}

/** A call with one request and one answer. */
export interface UnaryCall {
  readonly request: never;
}

/** A call that streams in both directions: a duplex stream of objects. */
export interface DuplexCall {
  on(event: "data", listener: (request: never) => void): unknown;
  on(event: "end" | "cancelled" | "drain" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  write(answer: object): boolean;
  end(): void;
  emit(event: "error", error: GrpcError): boolean;
}

/** How one method is spoken over gRPC. */
export interface MethodDefinition {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  requestDeserialize(bytes: Uint8Array): object;
  responseSerialize(answer: object): Uint8Array;
  requestSerialize(request: object): Uint8Array;
  responseDeserialize(bytes: Uint8Array): object;
}

/** A grpc-js server. */
export interface GrpcServer {
  addService(
    definition: Readonly<Record<string, MethodDefinition>>,
    handlers: Readonly<Record<string, (call: never, callback: never) => void>>,
  ): void;
  createConnectionInjector(credentials: object): { injectConnection(socket: object): void; destroy(): void };
  forceShutdown(): void;
}

/** The part of grpc-js that makes servers. */
export interface Grpc {
  readonly Server: new (options: Readonly<Record<string, number>>) => GrpcServer;
  readonly ServerCredentials: { createInsecure(): object };
  readonly Metadata: new () => Metadata;
}
