import { assertFaultOptions, type FaultOptions, SEEDS } from "../core/fault-options.ts";
import type { Fault, Faults, Mishap } from "./fault.ts";
import type { Message } from "./message.ts";

/** Faults that happen by chance, the same ones for the same seed. */
export class RandomFaults implements Faults {
  readonly seed: number;
  readonly #options: FaultOptions;
  /** Hit once already, and then left alone: a rate of 1 must not go on for ever. */
  readonly #putBack = new WeakSet<Message>();
  readonly #doubled = new WeakSet<Message>();
  #first = 0;

  /** @throws TasksError `INVALID_OPTION`. */
  constructor(options: FaultOptions) {
    assertFaultOptions(options);
    this.#options = options;
    this.seed = options.seed ?? Math.floor(Math.random() * SEEDS);
  }

  begin(first: number): void {
    this.#first = first;
  }

  next(message: Message): Fault | undefined {
    const chance = chances(this.seed, message.number - this.#first, message.delivery);
    const { latencySeconds = 0, latencyJitter = 0 } = this.#options;
    const latency = latencySeconds * (1 + latencyJitter * (2 * chance() - 1));
    const mishap = this.#mishap(message, chance);
    return mishap === undefined && latency === 0 ? undefined : { mishap, latency };
  }

  #mishap(message: Message, chance: () => number): Mishap | undefined {
    const { reorderRate = 0, failureRate = 0, dropRate = 0, duplicateRate = 0 } = this.#options;
    if (chance() < reorderRate && !this.#putBack.has(message)) {
      this.#putBack.add(message);
      return "reorder";
    }
    this.#putBack.delete(message);
    if (chance() < failureRate) return "failure";
    if (chance() < dropRate) return "drop";
    if (chance() < duplicateRate && !this.#doubled.has(message)) {
      this.#doubled.add(message);
      return "duplicate";
    }
    return undefined;
  }
}

/** Numbers from 0 to below 1 that depend on nothing but these, by the mixing of splitmix32. */
function chances(seed: number, message: number, delivery: number): () => number {
  let state = mixed(mixed(mixed(seed) ^ message) ^ delivery);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return (mixed(state) >>> 0) / SEEDS;
  };
}

function mixed(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return bits ^ (bits >>> 15);
}
