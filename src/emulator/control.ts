import type { Clock } from "../core/clock.ts";
import { isTasksError } from "../core/errors.ts";
import type { VirtualClock } from "../engine/clock.ts";
import type { EmulatorFaults } from "./faults.ts";
import type { Json } from "./json-read.ts";
import type { Service } from "./service.ts";
import { CODES, invalid, notFound, RpcError } from "./status.ts";

/** What the control API works on. */
export interface Controlled {
  readonly clock: Clock;
  readonly faults: EmulatorFaults;
  /** The services now. */
  services(): Iterable<Service>;
  /** Forgets every resource and message. */
  reset(): Promise<void>;
}

/** A request of the control API. */
export interface ControlRequest {
  readonly verb: string;
  /** Below `/control/`, e.g. `clock`. */
  readonly path: string;
  readonly body: Readonly<Record<string, Json>>;
}

/**
 * Answers the control API, which is this emulator's own:
 * - `GET state`: the time, what the services hold, and what goes wrong.
 * - `POST reset`: forgets every resource and message; faults and the clock stay.
 * - `POST clock` with `{ "advance": seconds }` or `{ "to": RFC 3339 }`: moves a virtual clock. Timers fire on the way; input
 *   and output, such as the answer to a push, is not waited for.
 * - `POST faults` with options of faults: what goes wrong from now on; `{}` for nothing.
 *
 * @throws RpcError NOT_FOUND, INVALID_ARGUMENT, and FAILED_PRECONDITION when the clock is not a virtual one.
 */
export async function control(world: Controlled, { verb, path, body }: ControlRequest): Promise<object> {
  switch (`${verb} ${path}`) {
    case "GET state":
      return stateOf(world);
    case "POST reset":
      await world.reset();
      return stateOf(world);
    case "POST clock":
      await move(world.clock, body);
      return { now: timeOf(world.clock) };
    case "POST faults":
      return setFaults(world.faults, body);
    default:
      throw notFound(`Control: expected GET state or POST reset, clock or faults, got ${verb} ${path}`);
  }
}

function stateOf({ clock, faults, services }: Controlled): object {
  const held = [...services()].map((service) => [service.name, service.state?.() ?? {}]);
  return { now: timeOf(clock), virtual: isVirtual(clock), faults: faults.options, services: Object.fromEntries(held) };
}

function timeOf(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}

/** Not `instanceof`: the clock may come of another copy of this package. */
function isVirtual(clock: Clock): clock is VirtualClock {
  return "advanceTo" in clock;
}

async function move(clock: Clock, { advance, to }: ControlRequest["body"]): Promise<void> {
  if (!isVirtual(clock))
    throw new RpcError(CODES.FAILED_PRECONDITION, "Clock: expected a virtual clock, got the machine's; start with one");
  const moment = typeof to === "string" ? Date.parse(to) : clock.now() + Number(advance) * 1000;
  if (!(moment >= clock.now()))
    throw invalid('Clock: expected {"advance": seconds} or {"to": a later moment in RFC 3339}; time does not go back');
  await clock.advanceTo(new Date(moment));
}

function setFaults(faults: EmulatorFaults, body: ControlRequest["body"]): object {
  try {
    faults.set(body);
  } catch (error) {
    if (isTasksError(error)) throw invalid(error.message);
    throw error;
  }
  return faults.options;
}
