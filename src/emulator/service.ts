import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Engine } from "../engine/engine.ts";
import type { Identity } from "../engine/identity.ts";
import type { IamPolicies } from "./iam.ts";
import type { Projects } from "./projects.ts";

/**
 * One call. It is given the request, and returns the answer, as plain objects in the form of protobufjs' `toObject`: fields
 * in camelCase, enums as names, bytes as Buffer, int64 as number, Timestamp and Duration as `{ seconds, nanos }` (see
 * time.ts), and what was not sent is absent; an answer may also hold int64 as text and bytes as base64. A method declares the
 * shape of its own request: what arrives was decoded as the type that the proto names.
 *
 * Throws, or rejects with, an RpcError.
 */
export type Method = (request: never) => object | Promise<object>;

/** The server's side of a call that streams in both directions, over gRPC alone. */
export interface Stream {
  /** Called with each request, in the same form as that of a {@link Method}. Set it at once. */
  onRequest: (request: never) => void;
  /** Called once when the other side has gone, or has said that it sends no more. */
  onEnd: () => void;
  /** Sends one answer; `false` when the other side does not read as fast, until {@link Stream.onDrain}. */
  send(answer: object): boolean;
  /** Called when answers can be sent again. */
  onDrain: () => void;
  /** Ends the call, with an error or well. */
  end(error?: Error): void;
}

/** A call that streams: begins with its opening, before the first request. */
export type StreamMethod = (stream: Stream) => void;

/** One service of an API, as its proto describes it. */
export interface Service {
  /** Full name, e.g. `google.cloud.tasks.v2.CloudTasks`. */
  readonly name: string;
  /** By name, e.g. `CreateTask`. A call that is not here answers UNIMPLEMENTED. */
  readonly methods: Readonly<Record<string, Method>>;
  /** By name; calls that stream in both directions. */
  readonly streams?: Readonly<Record<string, StreamMethod>>;
  /** What it holds, for the control API: small, JSON. */
  state?(): object;
  /** Stops everything that it does by itself. */
  close?(): Promise<void>;
}

/** A message on its way to a topic; `data` and `attributes` may be absent, not both. */
export interface OutgoingMessage {
  readonly data?: Uint8Array;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
}

/** What the services of one emulator share. */
export interface EmulatorScope {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly logger: Logger;
  /** Signs OIDC tokens; `identity.as(email)` signs for another service account with the same key. */
  readonly identity: Identity;
  /** IAM policies of every resource. */
  readonly iam: IamPolicies;
  readonly projects: Projects;
  /** Whether the services check that their own service agents were granted what they need, as Google's do. */
  readonly checksGrants: boolean;
  /**
   * Publishes to a topic, by its full name, and resolves to the message's id.
   *
   * @throws RpcError NOT_FOUND when there is no such topic, UNIMPLEMENTED when Pub/Sub is not served.
   */
  publish(topic: string, message: OutgoingMessage): Promise<string>;
}
