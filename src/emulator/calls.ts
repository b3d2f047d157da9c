import type { Logger } from "../core/logger.ts";
import type { MessageType } from "./protobuf.ts";
import type { Protos } from "./protos.ts";
import { howToServe } from "./protos.ts";
import type { Service, Stream } from "./service.ts";
import { CODES, RpcError } from "./status.ts";

/** One method that can be called, as its proto describes it. */
export interface Call {
  /** Full name of the service. */
  readonly service: string;
  readonly name: string;
  /** Types of request and answer; `undefined` when the package with their protos is not installed. */
  readonly types: { readonly request: MessageType; readonly response: MessageType } | undefined;
  readonly isStream: boolean;
  /** What `google.api.http` says, as parsed from the proto. */
  readonly http: unknown;
}

/** Decides whether a call fails before it reaches its service. */
export type Disturb = (call: Call) => Promise<void> | undefined;

/** Every method that is served, and the services behind them. */
export class Calls {
  readonly all: readonly Call[];
  readonly #disturb: Disturb;
  readonly #logger: Logger;
  #services: ReadonlyMap<string, Service>;

  constructor(protos: Protos, services: readonly Service[], logger: Logger, disturb: Disturb) {
    this.#disturb = disturb;
    this.#logger = logger;
    this.#services = byName(services);
    this.all = services.flatMap((service) => callsOf(protos, service));
  }

  /** Puts other services of the same names in the place of those that there were. */
  replace(services: readonly Service[]): void {
    this.#services = byName(services);
  }

  /** The services now. */
  get services(): Iterable<Service> {
    return this.#services.values();
  }

  /** Calls a method with a request and resolves to the answer. Rejects with nothing but an RpcError. */
  async invoke(call: Call, request: object): Promise<object> {
    try {
      await this.#disturb(call);
      const method = this.#services.get(call.service)?.methods[call.name];
      if (call.types === undefined || method === undefined) throw unimplemented(call);
      return await method(request as never);
    } catch (error) {
      throw this.#asRpcError(error, call);
    }
  }

  /** Opens a call that streams. */
  open(call: Call, stream: Stream): void {
    const begin = this.#services.get(call.service)?.streams?.[call.name];
    if (begin === undefined) {
      stream.end(unimplemented(call));
      return;
    }
    try {
      begin(stream);
    } catch (error) {
      stream.end(this.#asRpcError(error, call));
    }
  }

  #asRpcError(error: unknown, { service, name }: Call): RpcError {
    if (error instanceof RpcError) return error;
    this.#logger.error("a call failed inside the emulator", { call: `${service}/${name}`, error });
    return new RpcError(CODES.INTERNAL, "Internal error encountered.");
  }
}

function byName(services: readonly Service[]): ReadonlyMap<string, Service> {
  return new Map(services.map((service) => [service.name, service]));
}

function unimplemented({ service, name, types }: Call): RpcError {
  const text = types === undefined ? howToServe(service) : `Method ${service}/${name} is unimplemented`;
  return new RpcError(CODES.UNIMPLEMENTED, text);
}

/** The methods of a service: those of its proto, else those that it has itself. */
function callsOf(protos: Protos, { name: service, methods, streams = {} }: Service): Call[] {
  const described = protos.service(service);
  if (described === undefined)
    return Object.keys({ ...methods, ...streams }).map((name) => ({
      service,
      name,
      types: undefined,
      isStream: false,
      http: undefined,
    }));
  return Object.values(described.methods).map((reflection) => {
    const { name, resolvedRequestType, resolvedResponseType, requestStream, responseStream, parsedOptions } =
      reflection.resolve();
    const types =
      resolvedRequestType === null || resolvedResponseType === null
        ? undefined
        : { request: resolvedRequestType, response: resolvedResponseType };
    const rule = parsedOptions?.find((option) => "(google.api.http)" in option)?.["(google.api.http)"];
    return { service, name, types, isStream: requestStream === true || responseStream === true, http: rule };
  });
}
