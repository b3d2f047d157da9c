/** What {@link Clock.setTimeout} returns; give it to {@link Clock.clearTimeout}. */
export type TimerHandle = { readonly "~timer"?: never } | number;

/** Options of a timer. */
export interface TimerOptions {
  /** Whether a pending timer keeps the process from exiting. Default `true`. */
  readonly keepAlive?: boolean;
}

/**
 * Where time comes from. Everything that waits or dates goes through one, so that tests and the local engine can run on
 * a virtual clock.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once after at least `ms` milliseconds; longer waits than 2^31 − 1 ms (24.8 days) fire early. */
  setTimeout(callback: () => void, ms: number, options?: TimerOptions): TimerHandle;
  /** Cancels a timer that has not fired; harmless otherwise. */
  clearTimeout(handle: TimerHandle | undefined): void;
}

/** The longest wait that the platform's own timers hold: 2^31 − 1 ms. Longer ones would fire at once. */
export const LONGEST_TIMEOUT = 2_147_483_647;

interface Unreferencable {
  unref?(): void;
}

const SYSTEM = Symbol.for("taskroute.system-clock");

function machineTime(): Clock {
  return {
    now: () => Date.now(),
    setTimeout(callback, ms, options) {
      const handle = setTimeout(callback, Math.min(Math.max(ms, 0), LONGEST_TIMEOUT));
      if (options?.keepAlive === false) (handle as Unreferencable).unref?.();
      return handle as TimerHandle;
    },
    clearTimeout(handle) {
      clearTimeout(handle as Parameters<typeof clearTimeout>[0]);
    },
  };
}

const holder = globalThis as { [SYSTEM]?: Clock };
holder[SYSTEM] ??= machineTime();

/** The machine's own time: one object for all copies of this module in a process, so that they know each other's. */
export const systemClock: Clock = holder[SYSTEM];
