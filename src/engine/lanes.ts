import type { AnyRoute } from "../core/declaration.ts";
import { TasksError } from "../core/errors.ts";
import { Lane } from "./lane.ts";

/** Of all places, one in this many is out of reach of lanes that hold a place already. */
const RESERVE_SHARE = 4;

/** Deliveries in flight at once, unless said otherwise. */
export const MAX_IN_FLIGHT = 100;

/**
 * Checks `maxInFlight`.
 *
 * @throws TasksError `INVALID_OPTION`.
 */
export function assertMaxInFlight(value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new TasksError(
    "INVALID_OPTION",
    `engine: expected maxInFlight to be a whole number of 1 or more, got ${value}`,
  );
}

/**
 * The lanes of an engine, and whose turn it is to take one of its places. Lanes take turns. One that holds no place goes
 * first, and a quarter of the places is for such lanes alone: a flood of slow tasks leaves room for every other route.
 */
export class Lanes {
  readonly #places: number;
  readonly #byPath = new Map<string, Lane>();
  /** In line, in turn: lanes that hold no place, and lanes that do. */
  readonly #resting = new Set<Lane>();
  readonly #working = new Set<Lane>();
  #taken = 0;
  #holders = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** Places taken. */
  get taken(): number {
    return this.#taken;
  }

  /** The lane of a route, made when it is first asked for. */
  of(route: AnyRoute): Lane {
    let lane = this.#byPath.get(route.path);
    if (lane === undefined) {
      lane = new Lane(route);
      this.#byPath.set(route.path, lane);
    }
    return lane;
  }

  /** The route of a path. */
  route(path: string): AnyRoute | undefined {
    return this.#byPath.get(path)?.route;
  }

  /** Every lane. */
  all(): Iterable<Lane> {
    return this.#byPath.values();
  }

  /** Lets go of a lane for good: one that is asked for by its route's path later is another. */
  remove(lane: Lane): void {
    this.#byPath.delete(lane.route.path);
    this.#resting.delete(lane);
    this.#working.delete(lane);
  }

  /** Puts a lane in line if it has something to start and may; one that stands there keeps its turn. */
  enlist(lane: Lane): void {
    if (!lane.canStart) return;
    if (lane.inFlight > 0) {
      this.#working.add(lane);
      return;
    }
    this.#working.delete(lane);
    this.#resting.add(lane);
  }

  /** Whether a lane could take a place now. */
  get hasNext(): boolean {
    return this.#line !== undefined;
  }

  /** Takes the lane whose turn it is out of the line; `undefined` when there is none, or no place for it. */
  next(): Lane | undefined {
    const line = this.#line;
    const lane = line?.values().next().value;
    if (lane !== undefined) line?.delete(lane);
    return lane;
  }

  /** Takes a place for a lane. */
  enter(lane: Lane): void {
    this.#taken += 1;
    lane.inFlight += 1;
    if (lane.inFlight === 1) this.#holders += 1;
  }

  /** Gives a lane's place back. */
  leave(lane: Lane): void {
    this.#taken -= 1;
    lane.inFlight -= 1;
    if (lane.inFlight === 0) this.#holders -= 1;
  }

  /** The line whose first lane is next. */
  get #line(): Set<Lane> | undefined {
    const free = this.#places - this.#taken;
    if (this.#resting.size > 0 && free > 0) return this.#resting;
    const reserve = Math.min(this.#byPath.size - this.#holders, Math.floor(this.#places / RESERVE_SHARE));
    return this.#working.size > 0 && free > reserve ? this.#working : undefined;
  }
}
