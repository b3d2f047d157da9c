import { assertFaultOptions, FAULT_OPTIONS, type FaultOptions } from "../core/fault-options.ts";
import { assertKnownOptions, OptionReader } from "../core/options.ts";
import type { Fault, Faults } from "../engine/fault.ts";
import { RandomFaults } from "../engine/faults.ts";
import type { Message } from "../engine/message.ts";
import { CODES, RpcError } from "./status.ts";

/** What goes wrong in an emulator, by chance: with pushes and dispatches as on the local engine, and with calls. */
export interface EmulatorFaultOptions extends FaultOptions {
  /** How many calls, of those that the services answer, fail with UNAVAILABLE before anything is done. 0–1, default 0. */
  readonly unavailableRate?: number;
  /** Seconds that every call takes longer, in the machine's time whatever the emulator's clock. 0–60, default 0. */
  readonly callLatencySeconds?: number;
}

/** Faults that are set while an emulator runs. */
export class EmulatorFaults implements Faults {
  #options: EmulatorFaultOptions = {};
  #random = new RandomFaults({});
  #first = 0;

  /** What is set now. */
  get options(): EmulatorFaultOptions {
    return this.#options;
  }

  /**
   * Sets what goes wrong from now on, in the place of what did before.
   *
   * @throws TasksError `INVALID_OPTION`.
   */
  set(options: EmulatorFaultOptions): void {
    assertKnownOptions("faults", options, [...FAULT_OPTIONS, "unavailableRate", "callLatencySeconds"]);
    const { unavailableRate, callLatencySeconds, ...deliveries } = options;
    const read = new OptionReader("faults", { unavailableRate, callLatencySeconds });
    read.number("unavailableRate", { min: 0, max: 1 }, 0);
    read.number("callLatencySeconds", { min: 0, max: 60, unit: "seconds" }, 0);
    assertFaultOptions(deliveries);
    this.#random = new RandomFaults(deliveries);
    this.#random.begin(this.#first);
    this.#options = options;
  }

  begin(first: number): void {
    this.#first = first;
    this.#random.begin(first);
  }

  next(message: Message): Fault | undefined {
    return this.#random.next(message);
  }

  /** Lets a call through, late or not at all. */
  disturbCall(): Promise<void> | undefined {
    const { unavailableRate = 0, callLatencySeconds = 0 } = this.#options;
    if (unavailableRate === 0 && callLatencySeconds === 0) return undefined;
    return this.#disturbed(unavailableRate, callLatencySeconds);
  }

  async #disturbed(unavailableRate: number, callLatencySeconds: number): Promise<void> {
    if (callLatencySeconds > 0) await new Promise((resolve) => setTimeout(resolve, callLatencySeconds * 1000));
    if (Math.random() < unavailableRate)
      throw new RpcError(CODES.UNAVAILABLE, "The service was unable to fulfill your request. Please try again.");
  }
}
